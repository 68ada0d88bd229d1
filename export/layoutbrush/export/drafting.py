"""The bundle `drafts`: one graph that draws drafts of a layout, any number of objects and of drafts at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from layoutbrush.export.bundling import BundleFacts, Report, pack
from layoutbrush.export.graphs import GraphSignature
from layoutbrush.export.half import round_weights
from layoutbrush.export.networks import weight_file
from layoutbrush.export.to_onnx import ExportError, export_graph
from layoutbrush.runtime.bundle import Bundle, TensorSpec
from layoutbrush.runtime.engines import Array
from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.generator import DraftNetwork, load_drafts
from layoutbrush.training.drafts.graph import DraftGraph

DRAFTS_FILE = "drafts.safetensors"
DRAFT = GraphSignature(
    "draft",
    (
        TensorSpec("labels", "int32", ("O",)),
        TensorSpec("boxes", "float32", ("O", 4)),
        TensorSpec("latents", "float32", ("B", "O", "C")),
    ),
    (TensorSpec("drafts", "float32", ("B", 3, "Cs", "Cs")),),
)
"""O objects in the order in which they are drawn, B drafts, C numbers of an object's latent code, Cs the drafts' side.

``boxes``: left, top, right, bottom as shares of the picture; ``latents``: standard normal; ``drafts``: in [0, 1].
"""


def draft_network(folder: Path) -> DraftNetwork:
    """The network of a folder of weights or of runs (see `weight_file`). Raises FileNotFoundError, WeightsError."""
    path = weight_file(folder, DRAFTS_FILE)
    if path is None:
        raise FileNotFoundError(f"{folder} holds no {DRAFTS_FILE}")
    return load_drafts(path)


def draft_example(config: DraftConfig, objects: int = 5, drafts: int = 3, seed: int = 0) -> dict[str, Array]:
    """A layout as the graph takes it, the same on every machine."""
    rng = np.random.default_rng(seed)
    corner, extent = rng.uniform(0, 0.6, (objects, 2)), rng.uniform(0.15, 0.4, (objects, 2))
    return {
        "labels": rng.integers(0, config.labels, objects).astype(np.int32),
        "boxes": np.concatenate([corner, corner + extent], 1).astype(np.float32),
        "latents": rng.standard_normal((drafts, objects, config.latent)).astype(np.float32),
    }


def write_drafts_bundle(
    folder: Path,
    network: DraftNetwork,
    facts: BundleFacts,
    *,
    half_weights: bool = True,
    report: Report = lambda message: None,
) -> Bundle:
    """Exports the network and writes the bundle, whole or not at all; a bundle that is there is replaced.

    The manifest's alignment, least size and scale are the drafts' side. Raises ExportError: the labels are not as many
    as the network's, or a further file bears the graph's name.
    """
    config = network.config
    if config.labels != len(facts.labels):
        raise ExportError(f"the network knows {config.labels} labels, the bundle should have {len(facts.labels)}")
    graph = DraftGraph(network).eval()
    if half_weights:
        round_weights(graph)
    report("exporting draft")
    exported = {DRAFT.name: export_graph(graph, DRAFT, draft_example(config), half_weights=half_weights)}
    report("writing the bundle")
    side = config.size
    return pack(folder, exported, facts, alignment=side, smallest=side, scale=side)

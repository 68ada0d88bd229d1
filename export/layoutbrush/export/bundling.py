"""Writes a bundle from trained networks: the graphs, the manifest with its model card, further files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from onnx import ModelProto
from torch import nn

from layoutbrush.export.examples import edit_example, windowed
from layoutbrush.export.fields import from_fields
from layoutbrush.export.graphs import ALIGNMENT, GRAPHS, SMALLEST, GraphSignature
from layoutbrush.export.half import round_weights
from layoutbrush.export.to_onnx import ExportError, export_graph
from layoutbrush.runtime.bundle import Bundle, GraphSpec, Label, Manifest, ModelCard, write
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.ops.contract import CONTRACTS

Report = Callable[[str], None]
Exported = tuple[ModelProto, GraphSignature]
EXAMPLE = (2, 96, 128)
"""Batch, height and width of what the networks are traced with; sizes that differ from one another."""


@dataclass(frozen=True)
class BundleFacts:
    """What the networks don't know about the bundle that they go into."""

    name: str
    version: str
    labels: tuple[Label, ...]
    card: ModelCard
    scale: int = 512
    files: tuple[Path, ...] = ()


def scenes_labels() -> tuple[Label, ...]:
    """The 15 labels of the bundle `scenes`."""
    from layoutbrush.training.data.labels import LABEL_COLORS, LABEL_NAMES

    return tuple(
        Label(i, name, "#{:02x}{:02x}{:02x}".format(*color))
        for i, (name, color) in enumerate(zip(LABEL_NAMES, LABEL_COLORS, strict=True))
    )


def read_card(path: Path) -> ModelCard:
    """A model card from JSON with the keys of `runtime.bundle.ModelCard`.

    Raises ExportError for what is no such JSON.
    """
    try:
        card = from_fields(ModelCard, json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ExportError(f"{path.name} is no model card: {error}") from error
    if not isinstance(card, ModelCard):
        raise ExportError(f"{path.name} is no model card: it should be an object")
    return card


def write_bundle(
    folder: Path,
    modules: Mapping[str, nn.Module],
    facts: BundleFacts,
    *,
    half_weights: bool = True,
    report: Report = lambda message: None,
) -> Bundle:
    """Exports every module and writes the bundle, whole or not at all.

    Args:
        folder: where; a bundle there is replaced.
        modules: by graph; changed by `half_weights`, which rounds their weights too.
        facts: name, version, labels, model card, further files.
        half_weights: store large weights as float16.
        report: told what is being done, one line each.

    Raises:
        ExportError: a module isn't what its graph should be, or a further file bears a graph's name.
    """
    if half_weights:
        for module in modules.values():
            round_weights(module)
    whole = edit_example(*EXAMPLE, labels=len(facts.labels))
    examples = chained_examples(modules, whole)
    parts = chained_examples(modules, windowed(whole)) if "warp_coarse" in modules else examples
    exported: dict[str, Exported] = {}
    for name, module in modules.items():
        report(f"exporting {name}")
        given = parts if name in ("warp_coarse", "warp_fine") else examples  # views of sizes of their own
        exported[name] = export_graph(module, GRAPHS[name], given, half_weights=half_weights)
    report("writing the bundle")
    return pack(folder, exported, facts, alignment=ALIGNMENT, smallest=SMALLEST, scale=facts.scale)


def pack(
    folder: Path, exported: Mapping[str, Exported], facts: BundleFacts, *, alignment: int, smallest: int, scale: int
) -> Bundle:
    """Writes a bundle of exported graphs, whole or not at all; a bundle that is there is replaced.

    Raises ExportError: a further file bears a graph's name.
    """
    specs: dict[str, GraphSpec] = {}
    files = {path.name: path.read_bytes() for path in facts.files}
    used: set[str] = set()
    for name, (model, signature) in exported.items():
        file = f"{name}.onnx"
        if file in files:
            raise ExportError(f"{file} is the name of a graph")
        files[file] = model.SerializeToString(deterministic=True)
        specs[name] = GraphSpec(file, "", signature.inputs, signature.outputs)
        used |= custom_ops(model)
    manifest = Manifest(
        name=facts.name,
        version=facts.version,
        labels=facts.labels,
        graphs=specs,
        op_versions={contract.name: contract.version for contract in CONTRACTS if contract.name in used},
        model_card=facts.card,
        alignment=alignment,
        smallest=smallest,
        scale=scale,
    )
    return write(folder, manifest, files)


def chained_examples(modules: Mapping[str, nn.Module], example: Mapping[str, Array]) -> dict[str, Array]:
    """An edit as all graphs see it: where the modules are there, keys and warp come from them."""
    examples = dict(example)
    for name in ("encode_image", "warp_coarse", "warp_fine"):
        if name not in modules:
            continue
        graph = GRAPHS[name]
        if missing := [tensor.name for tensor in graph.inputs if tensor.name not in examples]:
            raise ExportError(f"{name} needs the graph that makes {missing[0]}")
        with torch.no_grad():
            outputs = modules[name].eval()(*(torch.from_numpy(examples[tensor.name]) for tensor in graph.inputs))
        examples |= {tensor.name: value.numpy() for tensor, value in zip(graph.outputs, outputs, strict=True)}
    if "warp_fine" not in modules:
        examples |= {"warped": examples["picture"], "confidence": 0 * examples["picture"][:, :1]}
    return examples


def custom_ops(model: ModelProto) -> set[str]:
    """Names of our ops among a model's nodes."""
    return {node.op_type for node in model.graph.node if node.domain == CONTRACTS[0].domain}

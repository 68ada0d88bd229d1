"""Export trained networks as a bundle: ONNX graphs with the two custom ops, a manifest, a model card.

The checkpoints are a folder with warp.safetensors, refine.safetensors and segmentation.safetensors (with --kind drafts:
drafts.safetensors), or a folder of runs (then the best checkpoint of each counts). The bundle appears whole or not at
all.

    layoutbrush export --checkpoints runs --out bundles/scenes --card card.json
    layoutbrush export --kind drafts --checkpoints runs/drafts --out bundles/drafts --card card.json
    layoutbrush validate bundles/scenes --checkpoints runs
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush export`."""

    checkpoints: Path
    """Folder of weights or of runs."""
    out: Path
    """Folder of the bundle; a bundle that is there is replaced."""
    kind: Literal["scenes", "drafts"] = "scenes"
    """What the bundle is for: edits of photos, or drafts from labelled boxes."""
    name: str = ""
    """Name of the bundle: a-z, 0-9, - and _; by default its kind."""
    version: str = "0.1.0"
    """Version of the bundle."""
    card: Path | None = None
    """Model card: JSON with summary, licence, data, steps, metrics, limits."""
    files: tuple[Path, ...] = ()
    """Further files to put in, such as a contact sheet."""
    scale: int = 512
    """Longer side in pixels that the networks were made for; drafts know their own."""
    half_weights: bool = True
    """Keep large weights as float16 in the file (half the size; the arithmetic stays float32)."""


def run(config: Config) -> int:
    """Export; returns the exit status."""
    from layoutbrush.export.bundling import BundleFacts, read_card, scenes_labels, write_bundle
    from layoutbrush.export.drafting import draft_network, write_drafts_bundle
    from layoutbrush.export.networks import load_networks
    from layoutbrush.export.to_onnx import ExportError
    from layoutbrush.runtime.bundle import ModelCard
    from layoutbrush.training.trainer.weights import WeightsError

    try:
        plain = ModelCard("Networks trained with Layoutbrush; no model card was given.", "Apache-2.0")
        card = read_card(config.card) if config.card else plain
        name = config.name or config.kind
        facts = BundleFacts(name, config.version, scenes_labels(), card, config.scale, config.files)
        half = config.half_weights
        if config.kind == "drafts":
            network = draft_network(config.checkpoints)
            bundle = write_drafts_bundle(config.out, network, facts, half_weights=half, report=print)
        else:
            modules = load_networks(config.checkpoints)
            bundle = write_bundle(config.out, modules, facts, half_weights=half, report=print)
    except (ExportError, WeightsError, FileNotFoundError) as error:
        print(f"Nothing was exported: {error}", file=sys.stderr)
        return 1
    total = 0
    for name in sorted(bundle.manifest.hashes):
        size = len(bundle.read(name))
        total += size
        print(f"{name:24} {size / 1e6:7.2f} MB  {bundle.manifest.hashes[name][:12]}")
    print(f"{config.out}: {total / 1e6:.2f} MB; check it with `layoutbrush validate {config.out}`")
    return 0

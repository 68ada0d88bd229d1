"""Fit a constant for each label to a trained segmentation network, on training photos, so that none is found too often.

Writes new weights of the same network; the graph that is exported stays the same. Prints mean intersection over union
and accuracy before and after, on the training photos that it fitted and on held-out ones that it did not see.

    layoutbrush calibrate runs/segmentation/checkpoints/BEST/segmentation.safetensors --data photos --out calibrated
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from layoutbrush.training.commands.around import reported


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush calibrate`."""

    weights: Annotated[Path, tyro.conf.Positional]
    """Weights of a segmentation network: segmentation.safetensors."""
    data: Path
    """Photos with label maps, as for `train`."""
    out: Path
    """Folder for the new segmentation.safetensors and .json."""
    collections: tuple[str, ...] = ("scenes", "streets")
    """Collections of photos below --data."""
    count: int = 110
    """Photos of each collection and split, spread evenly; 0 for all."""
    sides: tuple[int, ...] = (480,)
    """Longer sides at which the photos are shown."""
    stride: int = 4
    """Every so many pixels count."""
    threads: int = 0
    """CPU threads; 0 for all cores."""


def run(config: Config) -> int:
    """Fit, write and print; returns the exit status."""
    return reported(lambda: _fit(config), config.threads, "Nothing was fitted: ")


def _fit(config: Config) -> int:
    import numpy as np
    import torch

    from layoutbrush.training.data import LABEL_NAMES, open_collections
    from layoutbrush.training.models.segmentation import SegmentationNetwork
    from layoutbrush.training.stages.label_bias import agreement, fit, gather
    from layoutbrush.training.stages.segmentation import spread
    from layoutbrush.training.trainer.files import read_json
    from layoutbrush.training.trainer.weights import load_module, save_weights

    network = load_module(config.weights, SegmentationNetwork)
    samples = {}
    for split in ("train", "val"):
        for collection in open_collections(config.data, config.collections, split):
            photos = spread(collection.labelled().photos, config.count)
            samples[split, collection.name] = gather(network, photos, config.sides, config.stride)
    bias = fit([found for (split, _), found in samples.items() if split == "train"])
    for (split, name), found in samples.items():
        (before, right), (after, righter) = agreement(found, np.zeros_like(bias)), agreement(found, bias)
        print(f"{split} {name}: mean IoU {before:.4f} -> {after:.4f}, accuracy {right:.4f} -> {righter:.4f}")
    with torch.no_grad():
        network.head.bias.add_(torch.from_numpy(bias))  # type: ignore[union-attr]  # this layer has one
    constants = {name: round(float(value), 3) for name, value in zip(LABEL_NAMES, bias, strict=True)}
    stored = {
        k: v for k, v in read_json(config.weights.with_suffix(".json")).items() if k not in ("class", "arguments")
    }
    config.out.mkdir(parents=True, exist_ok=True)
    save_weights(config.out / "segmentation.safetensors", network, {**stored, "label_bias": constants})
    print(f"{constants}\nWritten: {config.out / 'segmentation.safetensors'}")
    return 0

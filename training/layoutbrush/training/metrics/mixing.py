"""Whose texture a filled region has: Gram distances between regions of different pictures, of different size.

As the style of the tables (`gram`), with three differences that comparing regions needs. Each Gram matrix is the mean
over its region. Only the region is seen: around it lies its own mean colour, as the network's deep layers would tell of
what is beside a small region. And differences are relative to both regions, so that the distance is symmetric: over one
of them alone, a dark and quiet reference is farther from its own copy than from anything bright.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.metrics.features import FeatureNetwork
from layoutbrush.training.metrics.gram import gram

LEAST = 0.01
"""Share of either picture below which a label is not drawn: no texture can be judged by so little."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two photos, uint8 (H, W, 3), with label maps, uint8 (H, W), whose ids mean something within the pair alone."""

    name: str
    content: UInt8
    content_labels: UInt8
    style: UInt8
    style_labels: UInt8

    def usable_labels(self) -> list[int]:
        """The labels that cover at least LEAST of both photos."""
        shares = [
            np.bincount(labels.ravel(), minlength=256) / labels.size
            for labels in (self.content_labels, self.style_labels)
        ]
        return [int(label) for label in np.flatnonzero(np.minimum(*shares) >= LEAST)]


def read_pairs(folder: Path, only: Sequence[str] = ()) -> Iterator[Pair]:
    """The pairs of a folder: NN_content.jpg and NN_style.jpg, with NN_content_label.png and so on. Raises DataError."""
    names = sorted(path.name.removesuffix("_content.jpg") for path in folder.glob("*_content.jpg"))
    if not names:
        raise DataError(f"{folder} holds no pair NN_content.jpg, NN_style.jpg")
    for name in names:
        if not only or name in only:
            photos = [_read(folder / f"{name}_{side}.jpg", "RGB") for side in ("content", "style")]
            labels = [_read(folder / f"{name}_{side}_label.png", "L") for side in ("content", "style")]
            yield Pair(name, photos[0], labels[0], photos[1], labels[1])


def _read(path: Path, mode: str) -> UInt8:
    try:
        with Image.open(path) as image:
            return np.array(image if image.mode == mode else image.convert(mode), np.uint8)
    except OSError as error:
        raise DataError(f"{path}: {error}") from error


@torch.no_grad()
def region_grams(network: FeatureNetwork, picture: UInt8, region: Bool) -> list[Tensor]:
    """The mean Gram matrix (C, C) of each layer over a region (H, W) of a picture (H, W, 3)."""
    mean = np.rint(picture[region].mean(axis=0)).astype(np.uint8)
    alone = np.where(region[..., None], picture, mean)
    inside = torch.from_numpy(np.ascontiguousarray(region)).float()[None, None]
    means = []
    for features in network(image_tensor([alone])):
        weight = F.interpolate(inside, size=features.shape[-2:], mode="area")
        means.append((gram(features, weight) / weight.sum().clamp_min(1e-6))[0])
    return means


def distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Mean over layers of sum |G1 - G2| / (sum |G1| + sum |G2|), 0 to 1."""
    terms = [
        (a - b).abs().sum() / (a.abs().sum() + b.abs().sum()).clamp_min(1e-12) for a, b in zip(one, other, strict=True)
    ]
    return float(torch.stack(terms).mean())


@dataclass(frozen=True)
class Likeness:
    """How far a filled region is from the reference's region and from what the photo had there; `apart`: how far those
    two are from each other. `outside`: pixels that differ from the photo outside the mask.
    """

    pair: str
    label: int
    to_reference: float
    to_content: float
    apart: float
    outside: int

    @property
    def holds(self) -> bool:
        """Nearer to the reference, and nothing changed outside."""
        return self.to_reference < self.to_content and self.outside == 0


def likeness(network: FeatureNetwork, pair: Pair, label: int, result: UInt8, mask: Bool) -> Likeness:
    """Judge a result (H, W, 3) whose label was drawn from the style photo; `mask` (H, W): what might change."""
    region = pair.content_labels == label
    reference = region_grams(network, pair.style, pair.style_labels == label)
    content = region_grams(network, pair.content, region)
    found = region_grams(network, result, region)
    outside = int(np.count_nonzero((result != pair.content).any(axis=-1) & ~mask))
    to_both = distance(found, reference), distance(found, content)
    return Likeness(pair.name, label, *to_both, distance(content, reference), outside)


def table(rows: Sequence[Likeness]) -> str:
    """A markdown table of the rows and how many hold."""
    lines = [
        "| pair | label | to the reference | to the content | content to reference | changed outside |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = f"{row.to_reference:.3f} | {row.to_content:.3f} | {row.apart:.3f} | {row.outside}"
        lines.append(f"| {row.pair} | {row.label} | {figures} |{'' if row.holds else ' FAILS'}")
    lines.append(f"\n{sum(row.holds for row in rows)} of {len(rows)} regions are nearer to the reference.\n")
    return "\n".join(lines)

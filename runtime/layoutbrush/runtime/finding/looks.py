"""What a photo looks like, label by label: mean and spread of the segmentation trunk's features where the label lies.

The spread is the diagonal of the features' Gram matrix about their mean: texture without its place (Gatys et al.,
2016). Compared label by label, sky with sky, so that a picture is found by what its parts look like and not only by
what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.finding.index import Look

_FEWEST_CELLS = 1.5
"""A label on fewer of the features' cells says nothing about its look."""

_LEAST_SPREAD = 0.1
"""Least standard deviation that a number is divided by, as a share of the mean one: in a folder of a few photos."""

Array = NDArray[np.float32]


def look_of(features: Array, layout: NDArray[np.uint8], labels: Sequence[int]) -> Look:
    """Return the look of a photo.

    `features`: float32 (C, h, w) over the whole photo. `layout`: label ids uint8 (H, W) of the same picture. Labels
    that aren't among `labels` are passed over.
    """
    channels, height, width = features.shape
    flat = features.reshape(channels, -1)
    vectors, shares, seen = [], [], []
    for label in labels:
        weight = _cells(layout == label, height, width).ravel()
        total = float(weight.sum())
        if total < _FEWEST_CELLS:
            continue
        mean = flat @ weight / total
        spread = np.sqrt(np.square(flat - mean[:, None]) @ weight / total)
        vectors.append(np.concatenate([mean, spread]))
        shares.append(total / weight.size)
        seen.append(label)
    return Look(
        np.array(seen, np.uint8),
        np.array(shares, np.float16),
        np.array(vectors, np.float16).reshape(len(seen), 2 * channels),
    )


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks of many photos. Each number is taken relative to its mean and spread over all their labels, so that
    what all photos share tells none from another. `photo`, `label`, `share`: of each row of `vectors` (M, D), which
    have unit length.
    """

    count: int
    photo: NDArray[np.intp]
    label: NDArray[np.uint8]
    share: Array
    vectors: Array
    mean: Array
    spread: Array

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Looks:
        """Put looks together; all of the same length D."""
        length = max((look.vectors.shape[1] for look in looks), default=0)
        rows = [look.vectors for look in looks if len(look.labels)]
        vectors = np.concatenate(rows).astype(np.float32) if rows else np.zeros((0, length), np.float32)
        mean, spread = np.zeros(length, np.float32), np.ones(length, np.float32)
        if len(vectors) > 1:
            mean, spread = vectors.mean(0), vectors.std(0)
            spread = np.maximum(spread, _LEAST_SPREAD * float(spread.mean()) + 1e-6)
        photo = np.repeat(np.arange(len(looks)), [len(look.labels) for look in looks])
        none: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
        label = np.concatenate([look.labels for look in looks] or none)
        share = np.concatenate([look.shares.astype(np.float32) for look in looks] or [np.zeros(0, np.float32)])
        return cls(len(looks), photo, label, share, _units(np.asarray((vectors - mean) / spread)), mean, spread)

    def first(self, count: int) -> Looks:
        """Those of the first `count` photos alone."""
        rows = self.photo < count
        return replace(
            self,
            count=min(count, self.count),
            photo=self.photo[rows],
            label=self.label[rows],
            share=self.share[rows],
            vectors=self.vectors[rows],
        )

    def likeness(self, query: Look) -> Array:
        """Return how like each photo is to a look, float32 (N,) in [0, 1]."""
        total = np.zeros(self.count, np.float32)
        if not self.count or query.vectors.shape[1] != self.vectors.shape[1]:
            return total
        for label, share, vector in zip(query.labels, query.shares, query.vectors, strict=True):
            rows = np.flatnonzero(self.label == label)
            unit = _units(np.asarray((vector - self.mean) / self.spread, np.float32)[None])[0]
            # A photo has a label once, so no photo occurs twice among these rows.
            total[self.photo[rows]] += np.sqrt(np.float32(share) * self.share[rows]) * (self.vectors[rows] @ unit)
        return np.clip(total, 0.0, 1.0)


def _units(rows: Array) -> Array:
    return np.asarray(rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + 1e-6), np.float32)


def _cells(mask: NDArray[np.bool_], height: int, width: int) -> Array:
    """Share of each cell of a grid that a mask covers, float32 (height, width)."""
    rows = np.add.reduceat(mask.astype(np.float32), _starts(mask.shape[0], height), axis=0)
    both = np.add.reduceat(rows, _starts(mask.shape[1], width), axis=1)
    whole = np.outer(_sizes(mask.shape[0], height), _sizes(mask.shape[1], width))
    return np.asarray(both / whole, np.float32)


def _starts(size: int, cells: int) -> NDArray[np.intp]:
    return np.arange(cells) * size // cells


def _sizes(size: int, cells: int) -> NDArray[np.intp]:
    return np.diff(np.append(_starts(size, cells), size))

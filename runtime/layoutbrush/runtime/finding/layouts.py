"""What a layout is like: shares of labels on a coarse grid, compared at several coarsenesses and small displacements.

Histogram intersection over a pyramid of cells (Lazebnik et al., *Beyond bags of features*, 2006), on label maps instead
of quantised features: two layouts are alike where the same labels take the same shares of the same places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRID = 16
"""Cells a side, of any picture whatever its sides."""

_COARSER = ((1, 0.6), (2, 0.25), (4, 0.15))
"""Cells put together a side, and the weight of that level."""

_SHIFTED = 0.94
"""Worth of a layout that agrees one cell away, beside one that agrees in place."""

_RARE = 0.35
"""Weight of the mean over labels beside the mean over pixels: a small thing that was asked for counts too."""

Shares = NDArray[np.uint8]
"""(GRID, GRID, labels): share of each label in each cell, in 255ths; what is missing from 255 is unknown."""


def layout_shares(layout: NDArray[np.uint8], labels: Sequence[int]) -> Shares:
    """Return the shares of `labels` in a label map uint8 (H, W) of any size; ids that aren't among them are unknown."""
    shares = np.empty((GRID, GRID, len(labels)), np.uint8)
    for index, label in enumerate(labels):
        plane = Image.fromarray(np.where(layout == label, np.uint8(255), np.uint8(0)))
        shares[..., index] = np.asarray(plane.resize((GRID, GRID), Image.Resampling.BOX))
    return shares


def layout_likeness(query: Shares, found: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how like each of many layouts is to a query, float32 (N,) in [0, 1].

    `found`: uint8 (N, GRID, GRID, labels). Unknown cells of the query ask for nothing; a query that is unknown
    everywhere is like nothing (0).
    """
    asked = query * np.float32(1 / 255)
    if not len(found) or not asked.any():
        return np.zeros(len(found), np.float32)
    best = np.zeros(len(found), np.float32)
    for part in np.array_split(np.arange(len(found)), max(1, len(found) // 512)):
        have = found[part] * np.float32(1 / 255)
        for down, right in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
            worth = 1.0 if (down, right) == (0, 0) else _SHIFTED
            best[part] = np.maximum(best[part], worth * _pyramid(asked, _moved(have, down, right)))
    return np.clip(best, 0.0, 1.0)


def _pyramid(asked: NDArray[np.float32], have: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersections (N,) at all levels, by pixels and by labels."""
    total = np.zeros(len(have), np.float32)
    for cells, weight in _COARSER:
        wanted, present = _joined(asked[None], cells), _joined(have, cells)
        common = np.minimum(wanted, present).sum((1, 2))  # (N, labels)
        sums = wanted.sum((1, 2))[0]
        named = sums > 0
        by_pixels = common.sum(1) / sums.sum()
        by_labels = (common[:, named] / sums[named]).mean(1)
        total += np.float32(weight) * ((1 - _RARE) * by_pixels + _RARE * by_labels)
    return total


def _joined(shares: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """(N, GRID, GRID, L) with `cells` x `cells` put together."""
    if cells == 1:
        return shares
    count, side = len(shares), GRID // cells
    return np.asarray(shares.reshape(count, side, cells, side, cells, -1).mean((2, 4)), np.float32)


def _moved(shares: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """(N, GRID, GRID, L) moved by whole cells; what comes in from outside goes on as the border is."""
    rows = np.clip(np.arange(GRID) - down, 0, GRID - 1)
    columns = np.clip(np.arange(GRID) - right, 0, GRID - 1)
    return shares if not (down or right) else shares[:, rows][:, :, columns]

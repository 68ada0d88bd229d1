"""Whether a label map holds an id that it must not hold: asked of every map that comes in, however large."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.manifest import UNKNOWN_LABEL

_BLOCK = 1 << 20
"""Pixels looked at at a time: what fits into a processor's cache."""


def first_strange(labels: NDArray[np.uint8], known: Collection[int]) -> tuple[int, int] | None:
    """Return row and column of the first pixel of uint8 (H, W) whose id is neither known nor UNKNOWN_LABEL, or None."""
    height, width = labels.shape
    allowed = np.zeros(256, np.bool_)
    allowed[[*known, UNKNOWN_LABEL]] = True
    # Bundles mostly number their labels from 0 on; with one added, and 255 wrapped to 0, one bound then holds for all.
    count = int(allowed[:UNKNOWN_LABEL].sum())
    gapless = bool(allowed[:count].all())
    rows = max(1, _BLOCK // max(1, width))
    for top in range(0, height, rows):
        block = labels[top : top + rows]
        if gapless and block.size and int((block + np.uint8(1)).max()) <= count:
            continue
        strange = ~allowed[block]
        if strange.any():
            row, column = np.unravel_index(int(strange.argmax()), strange.shape)
            return top + int(row), int(column)
    return None

"""Where a draft changes when its boxes are edited, and that it does so nowhere else.

The networks see a layout as a whole, so that a moved box changes a little of everything even where all looks are kept.
A draft that follows another one is the new picture around the boxes that were edited, and the old one elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.drafts.boxes import Box

MARGIN = 1 / 16
"""Share of the side around an edited box in which the new picture fades into the old one."""


def change_weights(old: Sequence[Box], new: Sequence[Box], size: int) -> NDArray[np.float32]:
    """Return the weight of the new picture, float32 (size, size, 1): 1 inside all edited boxes, 0 beyond the margin."""
    weights = np.zeros((size, size), np.float32)
    for box in edited_boxes(old, new):
        rows = _ramp(box.top, box.bottom, size)
        np.maximum(weights, np.minimum(rows[:, None], _ramp(box.left, box.right, size)[None]), out=weights)
    return weights[..., None]


def blended(old: NDArray[np.uint8], new: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the new picture where the weight is 1, the old one where it is 0, uint8 (S, S, 3)."""
    return np.rint(old + weights * (new.astype(np.float32) - old)).astype(np.uint8)


def edited_boxes(old: Sequence[Box], new: Sequence[Box]) -> list[Box]:
    """Return the boxes of either layout that aren't the same in the other.

    They are those outside the longest common subsequence: a box that changed its place in the list counts too, and as
    few count as can.
    """
    # longest[i][j]: length of the longest common subsequence of old[i:] and new[j:]
    longest = np.zeros((len(old) + 1, len(new) + 1), np.int32)
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            same = old[i] == new[j]
            longest[i, j] = longest[i + 1, j + 1] + 1 if same else max(longest[i + 1, j], longest[i, j + 1])
    i = j = 0
    edited: list[Box] = []
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            i, j = i + 1, j + 1
        elif longest[i + 1, j] >= longest[i, j + 1]:
            edited.append(old[i])
            i += 1
        else:
            edited.append(new[j])
            j += 1
    return [*edited, *old[i:], *new[j:]]


def _ramp(low: float, high: float, size: int) -> NDArray[np.float32]:
    """1 from `low` to `high`, shares, and down to 0 over the margin on either side."""
    middle = (np.arange(size) + 0.5) / size
    outside = np.maximum(np.maximum(low - middle, middle - high), 0.0)
    return np.clip(1.0 - outside / MARGIN, 0.0, 1.0).astype(np.float32)

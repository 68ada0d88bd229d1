"""Labelled boxes, and the label map that they make at any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL


@dataclass(frozen=True)
class Box:
    """One object. `label`: its name. Edges as shares of the picture, 0 <= left < right <= 1 and 0 <= top < bottom <= 1.

    `look`: 0 to 4294967295; with the seed and the number of the draft it decides what the object looks like, wherever
    it stands and whatever stands beside it.
    """

    label: str
    left: float
    top: float
    right: float
    bottom: float
    look: int


@dataclass(frozen=True)
class DraftRequest:
    """`boxes`: in the order in which they are drawn, so that later ones lie over earlier ones. `count`: drafts.

    `before`: layouts whose drafts came before, oldest first; each draft then changes only where they were edited.
    """

    boxes: tuple[Box, ...]
    count: int = 1
    seed: int = 0
    before: tuple[tuple[Box, ...], ...] = ()

    @property
    def layouts(self) -> tuple[tuple[Box, ...], ...]:
        """All layouts, oldest first, `boxes` last; one that is the same as its predecessor is left out."""
        layouts = (*self.before, self.boxes)
        return tuple(layout for layout, next_ in zip(layouts, (*layouts[1:], None), strict=True) if layout != next_)


def label_map(boxes: Sequence[Box], ids: Mapping[str, int], extent: Extent) -> NDArray[np.uint8]:
    """Return the label map of boxes, uint8 (H, W) of `extent`: 255 where there is none, the last one where several are.

    Edges are rounded to whole pixels, so that boxes that share an edge still do at any size; each box keeps a pixel. A
    label that `ids` doesn't have is painted as 255, unknown: it hides what lies behind it.
    """
    labels = np.full(extent.shape, UNKNOWN_LABEL, np.uint8)
    for box in boxes:
        rows = _span(box.top, box.bottom, extent.height)
        labels[rows, _span(box.left, box.right, extent.width)] = ids.get(box.label, UNKNOWN_LABEL)
    return labels


def in_sight(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Return the boxes of which something can be seen: those that later ones hide altogether are left out.

    One so thin that its edges are the same number hides nothing and isn't hidden.
    """
    across = np.unique([edge for box in boxes for edge in (box.left, box.right)])
    down = np.unique([edge for box in boxes for edge in (box.top, box.bottom)])
    front = np.full((len(down), len(across)), -1, np.int32)  # who covers the cell that begins at these edges
    for index, box in enumerate(boxes):
        rows = slice(*np.searchsorted(down, (box.top, box.bottom)))
        front[rows, slice(*np.searchsorted(across, (box.left, box.right)))] = index
    seen = set(np.unique(front).tolist())
    seen |= {index for index, box in enumerate(boxes) if box.left == box.right or box.top == box.bottom}
    return tuple(box for index, box in enumerate(boxes) if index in seen)


def _span(low: float, high: float, size: int) -> slice:
    start = min(round(low * size), size - 1)
    return slice(start, min(max(round(high * size), start + 1), size))

"""Photos whose layouts are of similar content: the same labels, about as much of each, at about the same places.

Unpaired training follows the layout of another photo; one of another content would ask for what the photo can't give.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layoutbrush.training.data.cv import Float, UInt8
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN
from layoutbrush.training.data.lazy import LazyPhotos
from layoutbrush.training.data.photo import Photo

CELLS = 4
"""Layouts are compared on a grid of so many cells a side."""

INDEXED = 4096
"""Photos of a collection that stand for all, spread evenly."""


def layout_feature(labels: UInt8) -> Float:
    """(CELLS * CELLS + 1, LABELS) float32 of a label map (H, W): each label's share of the whole, then of each cell.

    Pixels of UNKNOWN count for no label, so shares of a cell may sum to less than 1.
    """
    count = len(LABEL_NAMES)
    rows = np.arange(labels.shape[0]) * CELLS // labels.shape[0]
    cols = np.arange(labels.shape[1]) * CELLS // labels.shape[1]
    cell = rows[:, None] * CELLS + cols  # (H, W)
    known = labels != UNKNOWN
    code = cell[known] * count + labels[known]
    counts = np.bincount(code, minlength=CELLS * CELLS * count).reshape(CELLS * CELLS, count)
    areas = np.bincount(cell.ravel(), minlength=CELLS * CELLS)[:, None]
    whole = counts.sum(0, keepdims=True) / labels.size
    return np.concatenate([whole, counts / np.maximum(areas, 1)]).astype(np.float32)


def layout_distance(feature: Float, others: Float) -> Float:
    """(N,) distances in [0, 1] of one feature to N others: half for the shares, half for the places."""
    apart = np.abs(others - feature).sum(-1) / 2  # (N, CELLS * CELLS + 1)
    return np.asarray(0.5 * apart[:, 0] + 0.5 * apart[:, 1:].mean(1), np.float32)


@dataclass(frozen=True)
class Neighbour:
    """A photo of the index: of which group, at which place in it, and how far its layout is."""

    group: int
    index: int
    distance: float


class LayoutIndex:
    """The layouts of labelled photos, read once when they are first asked for. Thread safe."""

    def __init__(self, groups: Sequence[Sequence[Photo]], most: int = INDEXED) -> None:
        self._groups, self._most = groups, most
        self._places: list[tuple[int, int]] = []
        self._features: Float | None = None
        self._lock = threading.Lock()

    def nearest(
        self, feature: Float, count: int, apart: float = 0.0, own: tuple[int, int] | None = None
    ) -> list[Neighbour]:
        """The ``count`` nearest of at least ``apart`` (frames of one drive are no other layouts), without ``own``.

        Sorted by distance, then by place: the same for the same photos. Where too few are that far apart, nearer ones
        fill up.
        """
        features = self._all()
        distance = layout_distance(feature, features)
        order = np.lexsort((np.arange(len(distance)), distance, distance < apart))
        chosen = [i for i in order[: count + 1] if self._places[i] != own][:count]
        return [Neighbour(self._places[i][0], self._places[i][1], float(distance[i])) for i in chosen]

    def _all(self) -> Float:
        with self._lock:
            if self._features is None:
                found = []
                for number, photos in enumerate(self._groups):
                    step = max(1.0, len(photos) / self._most)
                    for place in (int(i * step) for i in range(min(len(photos), self._most))):
                        self._places.append((number, place))
                        found.append(layout_feature(_labels(photos, place)))
                self._features = np.stack(found)
            return self._features


def _labels(photos: Sequence[Photo], index: int) -> UInt8:
    return photos.labels(index) if isinstance(photos, LazyPhotos) else photos[index].labels

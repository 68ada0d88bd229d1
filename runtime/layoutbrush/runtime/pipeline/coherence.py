"""Makes neighbouring pixels copy from neighbouring places, before a correspondence is carried to full resolution.

Where the networks blend several keys, the best key alone jumps from pixel to pixel. At the networks' scale that does
not show, but each jump becomes a block of photo pixels at full resolution. So the offsets are smoothed as labels of a
Markov random field: the data term compares small patches of the networks' picture with the photo, the smoothness term
counts neighbours with another offset (shift maps: Pritch, Kav-Venaki, Peleg, ICCV 2009), and iterated conditional modes
tries each neighbour's offset at falling distances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.manifest import UNKNOWN_LABEL

STRIDES = (16, 8, 4, 2, 1, 1)
"""Distances in pixels at which neighbours' offsets are tried, in order."""

SMOOTHNESS = 0.01
"""Cost of each of the four neighbours that copies with another offset, in mean squared difference on a scale of 0 to
1.
"""

_REACH = (-2, 0, 2)
"""Rows and columns of a patch: nine pixels out of 5 x 5."""

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """One network picture and where it may copy from; all maps (h, w).

    `picture`: float32 (3, h, w), what the networks want. `image`: float32 (3, h, w), the photo. `layout`, `edited`:
    int32 label ids. `mask`: bool, True = is copied. `source`: bool, True = may be copied.
    """

    picture: Floats
    image: Floats
    layout: Ints
    edited: Ints
    mask: NDArray[np.bool_]
    source: NDArray[np.bool_]


def coherent(correspondence: Ints, field: Field, step: Callable[[], None] = lambda: None) -> Ints:
    """Return a correspondence, int32 (h, w) packed `y << 16 | x`, of fewer and larger pieces.

    A masked pixel never comes to copy from where `source` is False, nor from a label other than the edited one (any
    label where that is 255, unknown). `step` is called now and then and may raise, to cancel.
    """
    solver = _Solver(correspondence, field)
    for stride in STRIDES:
        step()
        for parity in (0, 1):
            for down, right in ((0, -stride), (0, stride), (-stride, 0), (stride, 0)):
                solver.adopt(parity, down, right)
    return solver.correspondence()


class _Solver:
    """Offsets of the masked pixels, with the cost of each.

    Pixels are flat indices into (h, w); `cells` holds the masked ones.
    """

    def __init__(self, correspondence: Ints, field: Field) -> None:
        self.height, self.width = correspondence.shape
        self.wanted = _patches(field.picture)
        self.offered = _patches(field.image)
        self.source = field.source.reshape(-1)
        self.layout = field.layout.reshape(-1)
        self.edited = field.edited.reshape(-1)
        rows, columns = np.divmod(np.arange(correspondence.size, dtype=np.int32), np.int32(self.width))
        self.rows, self.columns = rows, columns
        packed = correspondence.reshape(-1)
        self.down = (packed >> 16) - rows
        self.right = (packed & 0xFFFF) - columns
        self.mask = field.mask.reshape(-1)
        cells = np.flatnonzero(self.mask)
        self.halves = [cells[(rows[cells] + columns[cells]) % 2 == parity] for parity in (0, 1)]
        self.data = np.zeros(correspondence.size, np.float32)
        self.data[cells] = self._difference(cells, packed_index(packed[cells], self.width))

    def adopt(self, parity: int, down: int, right: int) -> None:
        """Give pixels of one parity (of a chessboard) the offset of the pixel that far away, where that costs less."""
        cells = self.halves[parity]
        rows, columns = self.rows[cells] + down, self.columns[cells] + right
        there = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        cells, rows, columns = cells[there], rows[there], columns[there]
        other = rows.astype(np.intp) * self.width + columns
        news = (self.down[other] != self.down[cells]) | (self.right[other] != self.right[cells])
        cells, other = cells[news], other[news]
        new_down, new_right = self.down[other], self.right[other]
        rows, columns = self.rows[cells] + new_down, self.columns[cells] + new_right
        inside = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        keys = np.where(inside, rows * self.width + columns, 0).astype(np.intp)
        wanted = self.edited[cells]
        usable = inside & self.source[keys] & ((self.layout[keys] == wanted) | (wanted == UNKNOWN_LABEL))
        cells, keys, new_down, new_right = cells[usable], keys[usable], new_down[usable], new_right[usable]
        data = self._difference(cells, keys)
        before = self.data[cells] + self._unlike(cells, self.down[cells], self.right[cells])
        better = data + self._unlike(cells, new_down, new_right) < before
        cells = cells[better]
        self.down[cells], self.right[cells] = new_down[better], new_right[better]
        self.data[cells] = data[better]

    def correspondence(self) -> Ints:
        """Return the packed coordinates."""
        packed: Ints = (self.rows + self.down) << 16 | (self.columns + self.right)
        return packed.reshape(self.height, self.width)

    def _difference(self, cells: NDArray[np.intp], keys: NDArray[np.intp]) -> Floats:
        """Return the mean squared difference of patches, float32 (n,)."""
        apart = self.wanted[cells] - self.offered[keys]
        mean: Floats = np.einsum("nc,nc->n", apart, apart) / np.float32(apart.shape[1])
        return mean

    def _unlike(self, cells: NDArray[np.intp], down: Ints, right: Ints) -> Floats:
        """Return the smoothness cost of offsets, float32 (n,)."""
        count = np.zeros(cells.size, np.float32)
        rows, columns = self.rows[cells], self.columns[cells]
        for step, inside in (
            (-1, columns > 0),
            (1, columns < self.width - 1),
            (-self.width, rows > 0),
            (self.width, rows < self.height - 1),
        ):
            near = np.where(inside, cells + step, cells)
            count += inside & ((self.down[near] != down) | (self.right[near] != right))
        return np.float32(SMOOTHNESS) * count


def packed_index(packed: Ints, width: int) -> NDArray[np.intp]:
    """Return flat indices of packed coordinates."""
    return (packed >> 16).astype(np.intp) * width + (packed & 0xFFFF)


def _patches(picture: Floats) -> Floats:
    """Return the patch around each pixel as a row, float32 (h * w, 27); the border is replicated."""
    border = max(_REACH)
    _, height, width = picture.shape
    wide = np.pad(picture, ((0, 0), (border, border), (border, border)), mode="edge")
    parts = [
        wide[:, border + dy : border + dy + height, border + dx : border + dx + width] for dy in _REACH for dx in _REACH
    ]
    return np.ascontiguousarray(np.concatenate(parts).reshape(-1, height * width).T)

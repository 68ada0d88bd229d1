"""Makes neighbouring pixels copy from neighbouring places, before a correspondence is carried to full resolution.

Where the networks blend several keys, the best key alone jumps from pixel to pixel. At the networks' scale that does
not show, but each jump becomes a seam at full resolution. So the offsets are smoothed as labels of a Markov random
field: the data term compares small patches of the networks' picture with the photo, the smoothness term counts
neighbours with another offset (shift maps: Pritch, Kav-Venaki, Peleg, ICCV 2009), and iterated conditional modes tries
each neighbour's offset at falling distances.

Pictures are compared as bytes, so that the native routine and the NumPy code here agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.manifest import UNKNOWN_LABEL
from layoutbrush.runtime.ops import carrying
from layoutbrush.runtime.ops.library import pointer

STRIDES = (16, 8, 4, 2, 1, 1)
"""Distances in pixels at which neighbours' offsets are tried, in order."""

_REACH = (-2, 0, 2)
"""Rows and columns of a patch: nine pixels out of 5 x 5."""

SMOOTHNESS = round(0.02 * 27 * 255 * 255)
"""Cost of each of the four neighbours that copies with another offset, as much as a mean squared difference of 0.02 (on
a scale of 0 to 1) of the patches' nine pixels in three channels.
"""

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Field:
    """One network picture and where it may copy from: the same picture's place, or another's.

    `picture`: float32 (3, h, w) in [0, 1], what the networks want; `edited`: int32 (h, w), label ids; `mask`: bool
    (h, w), True = is copied. `image`: float32 (3, hk, wk), what is copied from; `layout`: int32 (hk, wk), its label
    ids; `source`: bool (hk, wk), True = may be copied.
    """

    picture: Floats
    image: Floats
    layout: Ints
    edited: Ints
    mask: NDArray[np.bool_]
    source: NDArray[np.bool_]


def coherent(
    correspondence: Ints, field: Field, step: Callable[[], None] = lambda: None, native: bool | None = None
) -> Ints:
    """Return a correspondence, int32 (h, w) packed `y << 16 | x`, of fewer and larger pieces.

    A masked pixel never comes to copy from where `source` is False, nor from a label other than the edited one (any
    label where that is 255, unknown). `step` is called now and then and may raise, to cancel. `native`: None = where
    there is a native library.
    """
    if carrying.available() if native is None else native:
        step()
        return _native(correspondence, field)
    solver = _Solver(correspondence, field)
    for stride in STRIDES:
        step()
        for parity in (0, 1):
            for down, right in ((0, -stride), (0, stride), (-stride, 0), (stride, 0)):
                solver.adopt(parity, down, right)
    return solver.correspondence()


def _native(correspondence: Ints, field: Field) -> Ints:
    keys = np.array(correspondence, np.int32, order="C")
    wanted, offered = _bordered(field.picture), _bordered(field.image)
    edited, layout = (np.ascontiguousarray(ids, np.int32) for ids in (field.edited, field.layout))
    mask, source = (np.ascontiguousarray(values, np.bool_) for values in (field.mask, field.source))
    strides = np.array(STRIDES, np.int32)
    struct = carrying.CoherenceStruct(
        wanted=pointer(wanted), offered=pointer(offered), edited=pointer(edited), layout=pointer(layout),
        mask=pointer(mask), source=pointer(source), keys=pointer(keys), strides=pointer(strides),
        height=keys.shape[0], width=keys.shape[1], key_height=layout.shape[0], key_width=layout.shape[1],
        count=len(STRIDES), smoothness=SMOOTHNESS, unknown=UNKNOWN_LABEL,
    )  # fmt: skip
    carrying.run("lb_coherent", struct)
    return keys


class _Solver:
    """Offsets of the masked pixels, with the cost of each.

    Pixels are flat indices into (h, w); `cells` holds the masked ones.
    """

    def __init__(self, correspondence: Ints, field: Field) -> None:
        self.height, self.width = correspondence.shape
        self.key_height, self.key_width = field.layout.shape
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
        self.data = np.zeros(correspondence.size, np.int32)
        self.data[cells] = self._difference(cells, packed_index(packed[cells], self.key_width))

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
        inside = (rows >= 0) & (rows < self.key_height) & (columns >= 0) & (columns < self.key_width)
        keys = np.where(inside, rows * self.key_width + columns, 0).astype(np.intp)
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

    def _difference(self, cells: NDArray[np.intp], keys: NDArray[np.intp]) -> Ints:
        """Return the sum of squared differences of patches, int32 (n,)."""
        apart = self.wanted[cells].astype(np.int32) - self.offered[keys]
        total: Ints = np.einsum("nc,nc->n", apart, apart)
        return total

    def _unlike(self, cells: NDArray[np.intp], down: Ints, right: Ints) -> Ints:
        """Return the smoothness cost of offsets, int32 (n,)."""
        count = np.zeros(cells.size, np.int32)
        rows, columns = self.rows[cells], self.columns[cells]
        for step, inside in (
            (-1, columns > 0),
            (1, columns < self.width - 1),
            (-self.width, rows > 0),
            (self.width, rows < self.height - 1),
        ):
            near = np.where(inside, cells + step, cells)
            count += inside & ((self.down[near] != down) | (self.right[near] != right))
        cost: Ints = SMOOTHNESS * count
        return cost


def packed_index(packed: Ints, width: int) -> NDArray[np.intp]:
    """Return flat indices of packed coordinates."""
    return (packed >> 16).astype(np.intp) * width + (packed & 0xFFFF)


def _bordered(picture: Floats) -> Bytes:
    """Return float32 (3, h, w) in [0, 1] as uint8 (h + 4, w + 4, 3); the border is replicated."""
    border = max(_REACH)
    levels = np.clip(np.rint(picture * np.float32(255)), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(np.pad(levels, ((border, border), (border, border), (0, 0)), mode="edge"))


def _patches(picture: Floats) -> Bytes:
    """Return the patch around each pixel as a row, uint8 (h * w, 27)."""
    _, height, width = picture.shape
    wide, border = _bordered(picture), max(_REACH)
    parts = [
        wide[border + dy : border + dy + height, border + dx : border + dx + width] for dy in _REACH for dx in _REACH
    ]
    return np.concatenate(parts, axis=-1).reshape(height * width, -1)

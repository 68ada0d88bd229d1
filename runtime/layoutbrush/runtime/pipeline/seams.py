"""Which network pixel's offset each photo pixel follows, so that seams between them run where they don't show.

Neighbouring network pixels ("cells") mostly copy from neighbouring places; where they don't, there is a seam. At first
it runs along the cells' squares. Then pixels take over their neighbours' offsets for some rounds, a straight piece of a
seam at once or one by one, where that costs less: a seam costs what the two sides differ by at the pixels beside it
(Kwatra et al., SIGGRAPH 2003), also against the photo that stays visible, and a pixel that copies from another label
than its own costs extra. Colours are compared as they will be shown, with each cell's tint.

All numbers are integers, so that the native routine and the NumPy code here agree bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.manifest import UNKNOWN_LABEL
from layoutbrush.runtime.ops import carrying
from layoutbrush.runtime.ops.library import pointer

UNITS = 16
"""Colours are compared and tinted in sixteenths of a level."""
OWN_SHARE = 2
"""Of a pixel at a seam, beside one for each neighbour's offset: one pixel of fading, as lenses have it."""
REACH = 2
"""How many cells away a pixel's offset may come from."""
LABEL_COST = 8000
"""Of a pixel that copies from another label: as much as a hard seam around it."""
UNUSABLE_COST = 1 << 22
"""Of a pixel that copies what must not be copied."""

VISIBLE, FILLED, IGNORED = 0, 1, 2

_DIRECTIONS = ((0, -1), (0, 1), (-1, 0), (1, 0))
_AROUND = ((0, 0), *_DIRECTIONS, (-1, -1), (-1, 1), (1, -1), (1, 1))

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Index = NDArray[np.intp]
Pixels = tuple[Index, Index]


@dataclass(frozen=True, eq=False)
class Cells:
    """The network pixels (ch, cw) and what may be copied.

    `key`: uint8 (Hk, Wk, 3), the photo that is copied from; `key_labels` uint8, `key_usable` bool, of its size, or
    None. `window`: (top, left, bottom, right) within which pixels are fetched. `down`, `right`: int32, offsets. `tint`:
    int32 (ch, cw, 3). `labels`: uint8. `there`: bool, False where a cell has no offset.
    """

    key: Bytes
    key_labels: Bytes | None
    key_usable: NDArray[np.bool_] | None
    window: tuple[int, int, int, int]
    down: Ints
    right: Ints
    tint: Ints
    labels: Bytes
    there: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a photo with a border of one pixel, (h, w).

    `visible`: uint8 (h, w, 3), the photo. `labels`: uint8, to follow. `state`: uint8, VISIBLE, FILLED or IGNORED. For
    each row and column the cell that owns it, the lower one of the two cells around its centre, and how far it is on
    the way to the next, 0 to 256: int32. `top`, `left`: place of the arrays in the frame of the offsets.
    """

    visible: Bytes
    labels: Bytes
    state: Bytes
    row_cells: Ints
    column_cells: Ints
    row_low: Ints
    column_low: Ints
    row_part: Ints
    column_part: Ints
    top: int
    left: int


def settle(rows: Rows, cells: Cells, above: Ints | None, passes: int, native: bool | None = None) -> Ints:
    """Return the cell that each pixel to fill follows, int32 (h, w), -1 elsewhere.

    `above`: the first row, from the rows above; None = nothing is filled there. `passes`: rounds. `native`: None =
    where there is a native library.
    """
    choice = np.full(rows.state.shape, -1, np.int32)
    if above is not None:
        choice[0] = above
    if carrying.available() if native is None else native:
        carrying.run("lb_settle", _struct(rows, cells, choice, None, passes))
        return choice
    work = _Work(rows, cells, choice)
    work.begin()
    for _ in range(passes):
        for upright in (True, False):
            for step in (-1, 1):
                for parity in (0, 1):
                    work.shift(upright, step, parity)
        for parity in (0, 1):
            for down, right in _DIRECTIONS:
                work.sweep(parity, down, right)
    return choice


def paint(rows: Rows, cells: Cells, choice: Ints, native: bool | None = None) -> Bytes:
    """Return the rows' pixels without their border, uint8 (h - 2, w - 2, 3), those to fill as `choice` says."""
    if carrying.available() if native is None else native:
        out = np.empty((rows.state.shape[0] - 2, rows.state.shape[1] - 2, 3), np.uint8)
        carrying.run("lb_paint", _struct(rows, cells, choice, out, 0))
        return out
    out = rows.visible.copy()
    y, x = np.nonzero(rows.state[1:-1, 1:-1] == FILLED)
    out[y + 1, x + 1] = _Work(rows, cells, choice).painted(y + 1, x + 1)
    return np.ascontiguousarray(out[1:-1, 1:-1])


class _Work:
    """The same in NumPy: pixels are pairs of index arrays (y, x), cells flat indices."""

    def __init__(self, rows: Rows, cells: Cells, choice: Ints) -> None:
        self.rows, self.cells, self.choice = rows, cells, choice
        self.down, self.right = cells.down.reshape(-1), cells.right.reshape(-1)
        self.tint, self.labels = cells.tint.reshape(-1, 3), cells.labels.reshape(-1)
        self.there = cells.there.reshape(-1)
        self.high, self.wide = cells.down.shape

    def begin(self) -> None:
        """Give each pixel its own cell, or one near by that has its label."""
        y, x = np.nonzero(self.rows.state == FILLED)
        inside = y > 0
        y, x = y[inside], x[inside]
        first = np.full(y.size, -1, np.int32)
        for down, right in _AROUND:
            cy, cx = self.rows.row_cells[y] + down, self.rows.column_cells[x] + right
            there = (cy >= 0) & (cy < self.high) & (cx >= 0) & (cx < self.wide)
            cell = np.where(there, cy * self.wide + cx, 0)
            fits = there & self.there[cell] & (self.labels[cell] == self.rows.labels[y, x])
            first = np.where((first < 0) & fits, cell, first)
        self.choice[y, x] = np.where(first < 0, self.rows.row_cells[y] * self.wide + self.rows.column_cells[x], first)

    def shift(self, upright: bool, step: int, parity: int) -> None:
        """Let strips of pixels, one of a cell's columns (`upright`) or rows, take over the offsets beside them at once:
        a straight seam moves as a whole or not at all.
        """
        height, width = self.choice.shape
        on, across = (1, 0) if upright else (0, 1)
        owners = self.rows.row_cells if upright else self.rows.column_cells
        begins = np.concatenate([[True], np.diff(owners[1:-1]) != 0])
        strip = np.cumsum(begins) - 1
        y, x = np.indices((height - 2, width - 2)) + 1
        number = (strip[:, None] * width + x) if upright else (strip[None] * height + y)
        board = (strip[:, None] + x if upright else strip[None] + y) % 2 == parity
        filled = self.rows.state[1:-1, 1:-1] == FILLED
        ahead = self.choice.copy()
        takers = self._takers(board & filled, step * across, step * on)
        ahead[takers[:2]] = takers[2]
        moved = np.unique(number[(ahead != self.choice)[1:-1, 1:-1]])
        y, x = (index + 1 for index in np.nonzero(board & filled & np.isin(number, moved)))
        pixels, now, then = (y, x), self.choice[y, x], ahead[y, x]
        change = self._alone(y, x, then) - self._alone(y, x, now)
        for side in (-1, 1):
            near = y + side * across, x + side * on
            change += self._seam(pixels, then, near, self.choice[near]) - self._seam(
                pixels, now, near, self.choice[near]
            )
        behind, before = (y - on, x - across), (y + on, x + across)
        first = np.concatenate([begins, [True]])[(y if upright else x) - 1]
        last = np.concatenate([begins, [True]])[y if upright else x]
        old = self._seam(pixels, then, behind, self.choice[behind]) - self._seam(
            pixels, now, behind, self.choice[behind]
        )
        change += old * first
        other = np.where(last, self.choice[before], ahead[before])
        change += self._seam(pixels, then, before, other) - self._seam(pixels, now, before, self.choice[before])
        total = np.zeros(int(number.max()) + 1, np.int64)
        np.add.at(total, number[y - 1, x - 1], change)
        better = total[number[y - 1, x - 1]] < 0
        self.choice[y[better], x[better]] = then[better]

    def sweep(self, parity: int, down: int, right: int) -> None:
        """Let pixels of one colour of a chessboard take over the offset of a neighbour."""
        height, width = self.choice.shape
        board = (np.arange(1, height - 1)[:, None] + np.arange(1, width - 1)) % 2 == parity
        y, x, other = self._takers(board, down, right)
        better = self._energy(y, x, other) < self._energy(y, x, self.choice[y, x])
        self.choice[y[better], x[better]] = other[better]

    def _takers(self, board: NDArray[np.bool_], down: int, right: int) -> tuple[Index, Index, Ints]:
        """Return the pixels of `board` that may take over a neighbour's offset, and the cell that it follows."""
        height, width = self.choice.shape
        inner = self.choice[1:-1, 1:-1]
        near = self.choice[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        y, x = np.nonzero(board & (inner >= 0) & (near >= 0) & (inner != near))
        now, other = inner[y, x], near[y, x]
        y, x = y + 1, x + 1
        may = ~self._same(now, other)
        cy, cx = np.divmod(other, np.int32(self.wide))
        may &= np.abs(cy - self.rows.row_cells[y]) <= REACH
        may &= np.abs(cx - self.rows.column_cells[x]) <= REACH
        label = self.rows.labels[y, x]
        may &= (self.labels[other] == label) | (self.labels[now] != label)
        return y[may], x[may], other[may]

    def painted(self, y: Index, x: Index) -> Bytes:
        """Return the colours of pixels, uint8 (n, 3)."""
        rows, mine = self.rows, self.choice[y, x]
        total, weights = np.zeros((y.size, 3), np.int64), np.zeros(y.size, np.int64)
        for dy in (0, 1):
            for dx in (0, 1):
                cy = np.minimum(rows.row_low[y] + dy, self.high - 1)
                cell = cy * self.wide + np.minimum(rows.column_low[x] + dx, self.wide - 1)
                down = rows.row_part[y] if dy else 256 - rows.row_part[y]
                right = rows.column_part[x] if dx else 256 - rows.column_part[x]
                weight = (down * right * (self.there[cell] & self._same(cell, mine))).astype(np.int64)
                total += weight[:, None] * self.tint[cell]
                weights += weight
        alone = weights == 0
        total[alone], weights[alone] = self.tint[mine[alone]], 1
        added = OWN_SHARE * (UNITS * self._fetched(y, x, mine) + _rounded(total, weights))
        count = np.full(y.size, OWN_SHARE, np.int64)
        for dy, dx in _DIRECTIONS:
            ny, nx = y + dy, x + dx
            other = self.choice[ny, nx]
            beside = (rows.state[ny, nx] == FILLED) & (rows.labels[ny, nx] == rows.labels[y, x]) & (other >= 0)
            other = np.maximum(other, 0)
            beside &= ~self._same(other, mine)
            added += self._shown(y, x, other) * beside[:, None]
            count += beside
        found: Bytes = np.clip(_rounded(added, UNITS * count), 0, 255).astype(np.uint8)
        return found

    def _same(self, one: Ints, other: Ints) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = (self.down[one] == self.down[other]) & (self.right[one] == self.right[other])
        return same

    def _key(self, y: Index, x: Index, cell: Ints) -> tuple[Index, Index]:
        top, left, bottom, right = self.cells.window
        rows = np.clip(y + self.rows.top + self.down[cell], top, bottom - 1)
        return rows, np.clip(x + self.rows.left + self.right[cell], left, right - 1)

    def _fetched(self, y: Index, x: Index, cell: Ints) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.cells.key[self._key(y, x, cell)].astype(np.int64)
        return found

    def _shown(self, y: Index, x: Index, cell: Ints) -> NDArray[np.int64]:
        return UNITS * self._fetched(y, x, cell) + self.tint[cell]

    def _alone(self, y: Index, x: Index, cell: Ints) -> NDArray[np.int64]:
        """Return what pixels cost by themselves, and beside the photo that stays visible, int64 (n,)."""
        rows, cells = self.rows, self.cells
        label, from_ = rows.labels[y, x], self._key(y, x, cell)
        cost = np.zeros(y.size, np.int64)
        if cells.key_usable is not None:
            cost += UNUSABLE_COST * ~cells.key_usable[from_]
        if cells.key_labels is not None:
            cost += LABEL_COST * ((label != UNKNOWN_LABEL) & (cells.key_labels[from_] != label))
        for down, right in _DIRECTIONS:
            ny, nx = y + down, x + right
            beside = np.abs(self._shown(ny, nx, cell) - UNITS * rows.visible[ny, nx].astype(np.int64)).sum(1)
            cost += 2 * beside * ((rows.state[ny, nx] == VISIBLE) & (rows.labels[ny, nx] == label))
        return cost

    def _seam(self, pixels: Pixels, cell: Ints, near: Pixels, other: Ints) -> NDArray[np.int64]:
        """Return what seams cost between pixels that follow `cell` and neighbours that follow `other`, int64 (n,)."""
        counts = (self.rows.state[near] == FILLED) & (self.rows.labels[near] == self.rows.labels[pixels])
        counts &= other >= 0
        counts &= ~self._same(cell, np.maximum(other, 0))
        cost = np.zeros(cell.size, np.int64)
        for y, x in (pixels, near):
            y, x, one, two = y[counts], x[counts], cell[counts], other[counts]
            cost[counts] += np.abs(self._shown(y, x, one) - self._shown(y, x, two)).sum(1)
        return cost

    def _energy(self, y: Index, x: Index, cell: Ints) -> NDArray[np.int64]:
        """Return what it costs that pixels follow a cell, int64 (n,)."""
        cost = self._alone(y, x, cell)
        for down, right in _DIRECTIONS:
            near = y + down, x + right
            cost += self._seam((y, x), cell, near, self.choice[near])
        return cost


def _rounded(values: NDArray[np.int64], by: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return quotients rounded to nearest, halves upwards; (n, 3) by (n,)."""
    quotients: NDArray[np.int64] = (2 * values + by[:, None]) // (2 * by[:, None])
    return quotients


def _struct(rows: Rows, cells: Cells, choice: Ints, out: Bytes | None, passes: int) -> carrying.BandStruct:
    """The call, with pointers to C-contiguous arrays."""
    height, width = rows.state.shape
    return carrying.BandStruct(
        visible=pointer(rows.visible), labels=pointer(rows.labels), state=pointer(rows.state),
        row_cells=pointer(rows.row_cells), column_cells=pointer(rows.column_cells),
        row_low=pointer(rows.row_low), column_low=pointer(rows.column_low),
        row_part=pointer(rows.row_part), column_part=pointer(rows.column_part),
        key=pointer(cells.key), key_labels=pointer(cells.key_labels), key_usable=pointer(cells.key_usable),
        down=pointer(cells.down), right=pointer(cells.right), tint=pointer(cells.tint),
        cell_labels=pointer(cells.labels), cells=pointer(cells.there), choice=pointer(choice), out=pointer(out),
        height=height, width=width, key_height=cells.key.shape[0], key_width=cells.key.shape[1],
        cells_high=cells.down.shape[0], cells_wide=cells.down.shape[1], top=rows.top, left=rows.left,
        low_y=cells.window[0], low_x=cells.window[1], high_y=cells.window[2], high_x=cells.window[3],
        passes=passes, reach=REACH, label_cost=LABEL_COST, unusable_cost=UNUSABLE_COST, unknown=UNKNOWN_LABEL,
    )  # fmt: skip

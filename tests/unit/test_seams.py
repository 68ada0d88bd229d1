"""Seams at full resolution: native and NumPy agree bit for bit; seams run where they show least; tints end at them."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.ops import carrying
from layoutbrush.runtime.pipeline.seams import FILLED, IGNORED, VISIBLE, Cells, Rows, paint, settle
from layoutbrush.runtime.pipeline.tint import tints

needs_native = pytest.mark.skipif(not carrying.available(), reason="the native library isn't installed: a pure wheel")


def random_case(seed: int, labelled: bool = True) -> tuple[Rows, Cells]:
    """Rows of 23 x 37 pixels in cells of about five, of pieces that jump, with every state and two labels."""
    random = np.random.default_rng(seed)
    high, wide, height, width = 7, 9, 23, 37
    key = random.integers(0, 256, (60, 70, 3), dtype=np.uint8)
    pieces = random.integers(0, 4, (high, wide))
    table = random.integers(-9, 30, (4, 2)).astype(np.int32)
    places_y, places_x = np.arange(height), np.arange(width)

    def between(places: np.ndarray, cells: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        exact = np.clip((places + 0.5) * cells / size - 0.5, 0, cells - 1)
        return exact.astype(np.int32), np.rint(256 * (exact - np.floor(exact))).astype(np.int32)

    (row_low, row_part), (column_low, column_part) = between(places_y, high, height), between(places_x, wide, width)
    labels = (random.random((height, width)) < 0.3).astype(np.uint8)
    labels[: height // 2] = 0
    there = random.random((high, wide)) < 0.9
    state = random.choice([VISIBLE, FILLED, FILLED, FILLED, IGNORED], (height, width)).astype(np.uint8)
    state[5:15, 5:30] = FILLED
    cells = Cells(
        key=key,
        key_labels=random.integers(0, 2, key.shape[:2], dtype=np.uint8) if labelled else None,
        key_usable=random.random(key.shape[:2]) < 0.8 if labelled else None,
        window=(3, 2, 55, 66),
        down=np.ascontiguousarray(table[pieces, 0]),
        right=np.ascontiguousarray(table[pieces, 1]),
        tint=random.integers(-500, 500, (high, wide, 3)).astype(np.int32),
        labels=random.integers(0, 2, (high, wide), dtype=np.uint8),
        there=there,
    )
    rows = Rows(
        visible=random.integers(0, 256, (height, width, 3), dtype=np.uint8),
        labels=labels,
        state=state,
        row_cells=(places_y * high // height).astype(np.int32),
        column_cells=(places_x * wide // width).astype(np.int32),
        row_low=row_low,
        column_low=column_low,
        row_part=row_part,
        column_part=column_part,
        top=4,
        left=-3,
    )
    return rows, cells


@needs_native
@pytest.mark.parametrize("seed", range(12))
def test_native_and_numpy_agree_bit_for_bit(seed: int) -> None:
    rows, cells = random_case(seed, labelled=seed % 3 > 0)
    above = None
    if seed % 2:
        above = np.where(rows.state[0] == FILLED, rows.column_cells, -1).astype(np.int32)
    for passes in (0, 1, 4):
        plain = settle(rows, cells, above, passes, native=False)
        np.testing.assert_array_equal(settle(rows, cells, above, passes, native=True), plain)
        np.testing.assert_array_equal(paint(rows, cells, plain, native=True), paint(rows, cells, plain, native=False))


def two_pieces(columns: int = 48) -> tuple[Rows, Cells]:
    """Two cells beside each other that copy from two places of a photo, a grey one and one that is lighter the further
    it is from the pixels 2 and 3 to the right of the middle, where the border between the cells is: there they agree.
    """
    key = np.full((40, 3 * columns, 3), 100, np.uint8)
    key[:, columns : 2 * columns] += (np.abs(2 * np.arange(columns) - columns - 5) // 2 * 3).astype(np.uint8)[:, None]
    down, right = np.zeros((1, 2), np.int32), np.array([[0, columns]], np.int32)
    height = 22
    state = np.full((height, columns + 2), FILLED, np.uint8)
    state[[0, -1]], state[:, [0, -1]] = IGNORED, IGNORED
    shape = (height, columns + 2)
    cells = Cells(
        key, None, None, (0, 0, 40, 3 * columns), down, right, np.zeros((1, 2, 3), np.int32),
        np.zeros((1, 2), np.uint8), np.ones((1, 2), np.bool_),
    )  # fmt: skip
    rows = Rows(
        np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8), state,
        np.zeros(height, np.int32), (np.arange(columns + 2) > columns // 2).astype(np.int32),
        np.zeros(height, np.int32), np.zeros(columns + 2, np.int32), np.zeros(height, np.int32),
        np.where(np.arange(columns + 2) > columns // 2, 256, 0).astype(np.int32), 0, -1,
    )  # fmt: skip
    return rows, cells


def test_a_seam_moves_to_where_both_sides_agree() -> None:
    rows, cells = two_pieces()
    before, after = (settle(rows, cells, None, passes)[1:-1, 1:-1] for passes in (0, 8))
    assert (before[:, :24] == 0).all()
    assert (before[:, 24:] == 1).all()
    assert (after[:, :27] == 0).all()
    assert (after[:, 27:] == 1).all()


def test_a_seam_to_the_photo_that_stays_counts() -> None:
    """Beside visible pixels of the one piece's colour its own cell gives way to the other."""
    rows, cells = two_pieces(4)
    cells.key[:, 8:] = 140
    rows.state[:, -1] = VISIBLE
    rows.visible[:, -1] = 100
    plain = settle(rows, cells, None, 0)[1:-1, 1:-1]
    settled = settle(rows, cells, None, 12)[1:-1, 1:-1]
    assert (plain[:, -1] == 1).all()
    assert (settled == 0).all()


def test_pixels_leave_what_must_not_be_copied() -> None:
    rows, cells = two_pieces()
    usable = np.ones(cells.key.shape[:2], np.bool_)
    usable[:, 48 + 24 : 48 + 30] = False
    barred = Cells(**{**cells.__dict__, "key_usable": usable})
    settled = settle(rows, barred, None, 12)[1:-1, 1:-1]
    assert (settled[:, 24:30] == 0).all()
    assert (settled[:, 40:] == 1).all()


def test_tint_brings_each_piece_to_the_wanted_light() -> None:
    """Two pieces, one too dark and one too light, over a wanted ramp: each is right up to the seam, without a step."""
    wanted = np.broadcast_to(np.linspace(0.4, 0.6, 40, dtype=np.float32), (3, 12, 40))
    copied = wanted + np.where(np.arange(40) < 20, np.float32(-0.1), np.float32(0.15))
    right = np.broadcast_to(np.where(np.arange(40) < 20, 5, 9), (12, 40)).astype(np.int32)
    there = np.ones((12, 40), np.bool_)
    there[:, :3] = False
    found = tints(wanted, np.asarray(copied, np.float32), np.zeros((12, 40), np.int32), right, there)
    assert not found[:, :3].any()
    assert np.abs(found[:, 3:20] - 0.1 * 255 * 16).max() <= 1
    assert np.abs(found[:, 20:] + 0.15 * 255 * 16).max() <= 1


def test_tint_leaves_detail_alone() -> None:
    random = np.random.default_rng(0)
    wanted = np.full((3, 40, 40), 0.5, np.float32)
    copied = np.asarray(wanted + random.normal(0, 0.1, wanted.shape), np.float32)
    none = np.zeros((40, 40), np.int32)
    found = tints(wanted, copied, none, none, np.ones((40, 40), np.bool_))
    assert found.std() / (255 * 16) < 0.03

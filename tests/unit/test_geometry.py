"""Extents and bounds: the arithmetic that every crop relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layoutbrush.runtime.geometry import Bounds, Extent

numbers = st.integers(-200, 200)
sides = st.integers(0, 200)
rectangles = st.builds(Bounds, numbers, numbers, sides, sides)


def pixels(bounds: Bounds) -> set[tuple[int, int]]:
    return {(x, y) for x in range(bounds.x, bounds.right) for y in range(bounds.y, bounds.bottom)}


def test_extent_is_of_an_array() -> None:
    extent = Extent.of_shape(np.zeros((3, 5, 4)).shape)
    assert (extent.width, extent.height, extent.area, extent.longer, extent.shorter) == (5, 3, 15, 5, 3)
    assert extent.shape == (3, 5)


def test_scaling_never_loses_a_side() -> None:
    assert Extent(1000, 2).scaled(0.1) == Extent(100, 1)


@pytest.mark.parametrize("sides", [(-1, 2), (2, -1)])
def test_negative_sides_are_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Extent(*sides)
    with pytest.raises(ValueError, match="negative"):
        Bounds(0, 0, *sides)


small = st.builds(Bounds, st.integers(-6, 6), st.integers(-6, 6), st.integers(0, 6), st.integers(0, 6))


@given(small, small)
def test_intersection_and_union_are_those_of_the_pixels(a: Bounds, b: Bounds) -> None:
    assert pixels(a.intersection(b)) == pixels(a) & pixels(b)
    joined = a.union(b)
    assert joined.contains(a)
    assert joined.contains(b)


@given(rectangles, st.integers(1, 64))
def test_aligned_edges_lie_on_the_grid_and_nothing_is_lost(bounds: Bounds, grid: int) -> None:
    aligned = bounds.align(grid)
    assert aligned.contains(bounds)
    assert all(edge % grid == 0 for edge in (aligned.x, aligned.y, aligned.right, aligned.bottom))
    assert aligned.x > bounds.x - grid
    assert aligned.right < bounds.right + grid


@given(rectangles, st.integers(0, 50))
def test_growing_is_undone_by_shrinking(bounds: Bounds, pixels: int) -> None:
    assert bounds.grow(pixels).grow(-pixels) == bounds


@given(rectangles, st.integers(1, 100), st.integers(1, 100))
def test_clamped_bounds_index_the_picture(bounds: Bounds, width: int, height: int) -> None:
    inside = bounds.clamp(Extent(width, height))
    picture = np.zeros((height, width))
    if not inside.empty:
        assert picture[inside.slices].size == inside.area
    assert Bounds(0, 0, width, height).contains(inside)


def test_bounds_outside_the_picture_are_no_index() -> None:
    with pytest.raises(ValueError, match="outside"):
        _ = Bounds(-1, 0, 4, 4).slices

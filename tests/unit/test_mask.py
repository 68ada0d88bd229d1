"""Masks: grown differences, host masks, feathering, each against the plain definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layoutbrush.runtime.errors import InvalidArgument
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import EditRequest
from layoutbrush.runtime.pipeline.composite import blend, feather_weights
from layoutbrush.runtime.pipeline.mask import (
    Mask,
    changed_bounds,
    edit_mask,
    filled_bounds,
    grow,
    grow_far,
    inner_distance,
)
from layoutbrush.runtime.pipeline.resample import any_owned

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


def grown_plainly(values: np.ndarray, reach: int) -> np.ndarray:
    height, width = values.shape
    rows, columns = np.mgrid[0:height, 0:width]
    found = np.zeros_like(values)
    for y, x in zip(*np.nonzero(values), strict=True):
        found |= (rows - y) ** 2 + (columns - x) ** 2 <= reach * reach
    return found


@given(masks, st.integers(0, 9))
def test_growing_is_a_euclidean_disc(values: np.ndarray, reach: int) -> None:
    np.testing.assert_array_equal(grow(values, reach), grown_plainly(values, reach))


def test_growing_far_is_near_the_disc() -> None:
    values = np.zeros((700, 900), np.bool_)
    values[340:360, 400:500] = True
    reach = 200
    found = grow_far(values, reach)
    assert found[grown_plainly_of_box(reach * 0.93)].all()
    assert not found[~grown_plainly_of_box(reach * 1.07)].any()
    np.testing.assert_array_equal(grow_far(values, 20), grow(values, 20))


def grown_plainly_of_box(reach: float) -> np.ndarray:
    rows, columns = np.mgrid[0:700, 0:900]
    down = np.maximum(np.maximum(340 - rows, rows - 359), 0)
    right = np.maximum(np.maximum(400 - columns, columns - 499), 0)
    return np.asarray(down**2 + right**2 <= reach**2, np.bool_)


@given(masks)
def test_filled_bounds_hold_every_pixel_and_no_empty_rim(values: np.ndarray) -> None:
    bounds = filled_bounds(values)
    assert values.sum() == values[bounds.slices].sum()
    if not bounds.empty:
        inside = values[bounds.slices]
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


@given(masks, st.integers(1, 4))
def test_inner_distance_counts_radii_without_a_hole(values: np.ndarray, reach: int) -> None:
    found = inner_distance(values, reach)
    np.testing.assert_array_equal(found > 0, values)
    deep = ~grown_plainly(~values, reach)
    np.testing.assert_array_equal(found == reach + 1, deep & values)


def layouts() -> tuple[np.ndarray, np.ndarray]:
    layout = np.zeros((100, 120), np.uint8)
    edited = layout.copy()
    edited[30:50, 40:60] = 1
    return layout, edited


def test_difference_grows_by_a_tenth_of_its_size() -> None:
    layout, edited = layouts()
    mask = edit_mask(layout, EditRequest(edited))
    reach = math.ceil(0.10 * math.sqrt(20 * 20))
    assert mask.bounds == Bounds(40, 30, 20, 20).grow(reach)
    np.testing.assert_array_equal(mask.crop(Bounds(0, 0, 120, 100)), grown_plainly(layout != edited, reach))


def test_difference_at_the_edge_stays_inside() -> None:
    layout, edited = layouts()
    edited[:10] = 1
    mask = edit_mask(layout, EditRequest(edited, grow=1.0))
    assert Bounds(0, 0, 120, 100).contains(mask.bounds)


def test_without_growing_the_mask_is_the_difference() -> None:
    layout, edited = layouts()
    mask = edit_mask(layout, EditRequest(edited, grow=0.0))
    np.testing.assert_array_equal(mask.crop(Bounds(0, 0, 120, 100)), layout != edited)


def test_host_mask_replaces_or_bounds() -> None:
    layout, edited = layouts()
    given_mask = np.zeros(layout.shape, np.bool_)
    given_mask[0:40, 0:120] = True
    replaced = edit_mask(layout, EditRequest(edited, mask=given_mask))
    assert replaced.bounds == Bounds(0, 0, 120, 40)
    assert replaced.pixels.all()
    bounded = edit_mask(layout, EditRequest(edited, mask=given_mask, mask_use="bound"))
    whole = edit_mask(layout, EditRequest(edited))
    everything = Bounds(0, 0, 120, 100)
    np.testing.assert_array_equal(bounded.crop(everything), whole.crop(everything) & given_mask)


def test_nothing_to_change_is_said() -> None:
    layout, edited = layouts()
    empty = np.zeros(layout.shape, np.bool_)
    for request, field in (
        (EditRequest(layout), "edited"),
        (EditRequest(edited, mask=empty), "mask"),
        (EditRequest(edited, mask=empty, mask_use="bound"), "mask"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            edit_mask(layout, request)
        assert caught.value.field == field


def test_crop_of_a_mask_elsewhere_is_empty() -> None:
    mask = Mask(Bounds(5, 5, 2, 2), np.ones((2, 2), np.bool_))
    assert not mask.crop(Bounds(0, 0, 5, 5)).any()
    assert mask.crop(Bounds(6, 6, 9, 9)).sum() == 1


def test_feather_stays_inside_and_spares_what_is_replaced() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[10:30, 10:30] = True
    keepable = np.ones((40, 40), np.bool_)
    keepable[10:20] = False
    weights = feather_weights(mask, keepable, 3)
    assert not weights[~mask].any()
    assert (weights[mask & ~keepable] == 255).all()
    assert list(weights[26:31, 20]) == [255, 191, 127, 63, 0]


@given(hnp.arrays(np.uint8, (6, 5, 3)), hnp.arrays(np.uint8, (6, 5, 3)), hnp.arrays(np.uint8, (6, 5)))
def test_blend_is_exact_at_both_ends(photo: np.ndarray, new: np.ndarray, weights: np.ndarray) -> None:
    result = blend(photo, new, weights)
    np.testing.assert_array_equal(result[weights == 0], photo[weights == 0])
    np.testing.assert_array_equal(result[weights == 255], new[weights == 255])
    exact = (new.astype(float) * weights[..., None] + photo * (255.0 - weights[..., None])) / 255
    assert np.abs(result - exact).max() <= 0.5 + 1e-9


@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 35), st.integers(1, 35)),
)
def test_owners_of_a_mask_are_those_of_its_crop(
    pixels: np.ndarray, place: tuple[int, int], region: tuple[int, int, int, int], to: tuple[int, int]
) -> None:
    mask = Mask(Bounds(*place, pixels.shape[1], pixels.shape[0]), pixels)
    bounds, extent = Bounds(*region), Extent(*to)
    np.testing.assert_array_equal(mask.owned(bounds, extent), any_owned(mask.crop(bounds), extent))


@given(hnp.arrays(np.uint8, (9, 11), elements=st.integers(0, 1)), hnp.arrays(np.uint8, (9, 11), elements=st.just(0)))
def test_changed_bounds_are_those_of_the_difference(one: np.ndarray, other: np.ndarray) -> None:
    assert changed_bounds(one, other) == filled_bounds(one != other)
    large = np.zeros((3000, 900), np.uint8)
    large[1500:1509, 40:51] = one
    found = filled_bounds(one != other)
    assert changed_bounds(large, np.zeros_like(large)) == (found if found.empty else found.moved(40, 1500))


def test_masks_are_told_apart_by_their_pixels_and_their_place() -> None:
    pixels = np.ones((4, 6), np.bool_)
    mask = Mask(Bounds(2, 3, 6, 4), pixels)
    other = pixels.copy()
    other[3, 5] = False
    assert mask.digest() == Mask(Bounds(2, 3, 6, 4), pixels.copy()).digest()
    differing = [Mask(Bounds(3, 2, 6, 4), pixels), Mask(Bounds(2, 3, 6, 4), other), Mask(Bounds(2, 3, 4, 6), pixels.T)]
    assert len({mask.digest(), *(one.digest() for one in differing)}) == 4

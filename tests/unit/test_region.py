"""The region of interest: around the mask, inside the picture, on the grid, with the labels that are asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.region import STEP, choose_region, snap


@st.composite
def placed(draw: st.DrawFn, grid: int = 1) -> tuple[Extent, Bounds]:
    extent = Extent(grid * draw(st.integers(1, 900 // grid)), grid * draw(st.integers(1, 900 // grid)))
    x, y = draw(st.integers(0, extent.width - 1)), draw(st.integers(0, extent.height - 1))
    return extent, Bounds(x, y, draw(st.integers(1, extent.width - x)), draw(st.integers(1, extent.height - y)))


@given(placed())
def test_snapped_bounds_hold_the_wanted_ones_and_lie_inside(case: tuple[Extent, Bounds]) -> None:
    extent, wanted = case
    found = snap(wanted, extent)
    assert found.contains(wanted)
    assert Bounds.of(extent).contains(found)
    assert found.x % 16 == 0
    assert found.y % 16 == 0


@given(placed(grid=16))
def test_on_an_aligned_picture_sides_take_few_values(case: tuple[Extent, Bounds]) -> None:
    extent, wanted = case
    found = snap(wanted, extent)
    assert found.width % STEP == 0 or found.width == extent.width
    assert found.height % STEP == 0 or found.height == extent.height


def maps(height: int = 512, width: int = 512) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    layout = np.zeros((height, width), np.uint8)
    return layout, layout.copy(), np.ones((height, width), np.bool_)


def test_small_edit_costs_a_small_region() -> None:
    layout, edited, source = maps()
    region = choose_region(Bounds(240, 240, 32, 32), Extent(512, 512), layout, edited, source)
    assert region.contains(Bounds(240, 240, 32, 32).grow(32))
    assert region.area < 0.2 * 512 * 512


def test_region_grows_until_it_holds_the_wanted_label() -> None:
    layout, edited, source = maps()
    layout[:, 440:] = 4
    edited[240:272, 40:72] = 4
    region = choose_region(Bounds(40, 240, 32, 32), Extent(512, 512), layout, edited, source)
    assert region.right > 440
    source[:, 440:] = False  # where nothing may be copied, the label does not count
    near = choose_region(Bounds(40, 240, 32, 32), Extent(512, 512), layout, edited, source)
    assert near.area < region.area


def test_reduced_maps_serve_a_large_picture() -> None:
    layout, edited, source = maps(300, 400)
    layout[:20] = 4
    edited[200:220, 100:120] = 4
    region = choose_region(Bounds(1000, 2000, 200, 200), Extent(4000, 3000), layout, edited, source)
    assert region.y < 200
    assert region.contains(Bounds(1000, 2000, 200, 200))


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_network_extent_is_bounded_and_keeps_small_regions(width: int, height: int) -> None:
    extent = Extent(width, height)
    found = resample.network_extent(extent, 512, 64)
    assert found.width <= width
    assert found.height <= height
    if extent.longer <= 640:
        assert found == extent
    elif extent.shorter * 512 >= 65 * extent.longer:
        assert found.longer == 512
    assert found.shorter >= min(64, extent.shorter)


@given(st.integers(1, 300), st.integers(1, 300))
def test_padding_reaches_the_grid(width: int, height: int) -> None:
    found = resample.padded_extent(Extent(width, height), 16, 64)
    assert found.width % 16 == found.height % 16 == 0
    assert found.width >= max(64, width)
    assert found.height >= max(64, height)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_reduced_masks_are_true_for_any_owned_pixel(w: int, h: int, width: int, height: int, seed: int) -> None:
    width, height = max(w, width), max(h, height)
    mask = np.random.default_rng(seed).random((height, width)) < 0.05
    found = resample.any_owned(mask, Extent(w, h))
    plain = np.zeros((h, w), np.bool_)
    np.logical_or.at(plain, (resample.owners(height, h)[:, None], resample.owners(width, w)[None]), mask)
    np.testing.assert_array_equal(found, plain)


def test_planes_and_bytes_are_inverse() -> None:
    photo = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    np.testing.assert_array_equal(resample.to_bytes(resample.to_planes(photo)[0]), photo)
    assert resample.to_bytes(np.full((3, 1, 1), np.nan, np.float32)).max() == 0

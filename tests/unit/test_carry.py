"""Carrying correspondences up: real pixels arrive where they should, detail survives, light follows the networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.carry import BAND, Networks, carry
from layoutbrush.runtime.pipeline.mask import Mask
from layoutbrush.runtime.pipeline.resample import owners

FACTOR = 4
REGION = Bounds(40, 20, 256, 320)
EXTENT = Extent(REGION.width // FACTOR, REGION.height // FACTOR)
BOUNDS = Bounds(100, 60, 100, 260)


def photo() -> np.ndarray:
    """Fine noise on a slow gradient, 400 x 400."""
    rows, columns = np.mgrid[0:400, 0:400]
    slow = 80 + rows / 8 + columns / 10
    noise = np.random.default_rng(1).integers(-30, 31, (400, 400, 3))
    return np.asarray(slow[..., None] + noise, np.uint8)


def reduced(picture: np.ndarray) -> np.ndarray:
    """The region at the networks' scale, float32 (3, h, w) in [0, 1]."""
    region = picture[REGION.slices].astype(np.float32) / 255
    cells = region.reshape(EXTENT.height, FACTOR, EXTENT.width, FACTOR, 3)
    return np.ascontiguousarray(cells.mean(axis=(1, 3)).transpose(2, 0, 1))


def shifted_by(down: int, right: int) -> np.ndarray:
    rows, columns = np.mgrid[0 : EXTENT.height, 0 : EXTENT.width]
    y = np.clip(rows + down, 0, EXTENT.height - 1)
    x = np.clip(columns + right, 0, EXTENT.width - 1)
    return np.asarray(y << 16 | x, np.int32)


def carried(
    source: np.ndarray,
    mask: Mask,
    extent: Extent,
    keys: np.ndarray,
    refined: np.ndarray,
    step: Callable[[float], None] = lambda _: None,
) -> np.ndarray:
    everywhere = np.ones(extent.shape, np.bool_)
    labels = np.zeros(extent.shape, np.int32)
    networks = Networks(REGION, extent, keys, everywhere, labels, refined)
    return carry(source, np.zeros(source.shape[:2], np.uint8), mask, networks, step)


def everything() -> Mask:
    return Mask(BOUNDS, np.ones(BOUNDS.extent.shape, np.bool_))


def test_nothing_moves_where_each_pixel_copies_itself() -> None:
    source = photo()
    found = carried(source, everything(), EXTENT, shifted_by(0, 0), reduced(source))
    assert np.abs(found.astype(int) - source[BOUNDS.slices]).max() <= 1


def test_pixels_come_from_where_the_correspondence_says() -> None:
    source = photo()
    moved = np.roll(source, (3 * FACTOR, -2 * FACTOR), axis=(0, 1))  # pixel p shows what was 3 cells up and 2 right
    found = carried(source, everything(), EXTENT, shifted_by(-3, 2), reduced(moved))
    wanted = moved[BOUNDS.slices]
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_light_follows_the_networks_and_detail_stays() -> None:
    source = photo()
    brighter = reduced(source) + np.float32(0.1)
    found = carried(source, everything(), EXTENT, shifted_by(0, 0), brighter)
    change = found.astype(float) - source[BOUNDS.slices]
    assert np.abs(change - 25.5).max() <= 1.0


def test_only_masked_pixels_change() -> None:
    source = photo()
    mask = Mask(BOUNDS, np.random.default_rng(2).random(BOUNDS.extent.shape) < 0.3)
    found = carried(source, mask, EXTENT, shifted_by(5, 5), reduced(source) * np.float32(0.5))
    np.testing.assert_array_equal(found[~mask.pixels], source[BOUNDS.slices][~mask.pixels])
    assert (found[mask.pixels] != source[BOUNDS.slices][mask.pixels]).any()


def test_painted_outlines_stay_sharp() -> None:
    """Left of a line the photo is dark, right of it light; the line is moved by less than a network pixel."""
    source = np.full((400, 400, 3), 40, np.uint8)
    source[:, 150:] = 200
    edited = (np.arange(400)[None] >= 147).astype(np.uint8).repeat(400, axis=0)
    columns = np.arange(EXTENT.width) * FACTOR + REGION.x
    labels = np.broadcast_to((columns >= 147).astype(np.int32), EXTENT.shape)
    keys = shifted_by(0, 0)
    keys[:, columns < 147] = 3 << 16 | 2
    keys[:, columns >= 147] = 3 << 16 | (EXTENT.width - 3)
    refined = np.where(labels, np.float32(200 / 255), np.float32(40 / 255))[None].repeat(3, axis=0)
    networks = Networks(REGION, EXTENT, keys, np.ones(EXTENT.shape, np.bool_), labels, refined)
    found = carry(source, edited, everything(), networks)
    light = found[..., 0] > 120
    np.testing.assert_array_equal(light, edited[BOUNDS.slices] == 1)


def test_unmasked_network_pixels_give_nothing() -> None:
    """What is being thrown away lies beside the mask's own network pixels and must not shine in."""
    source = np.full((400, 400, 3), 250, np.uint8)
    source[REGION.y : REGION.y + 40, REGION.x : REGION.x + 40] = 10
    bounds = Bounds(REGION.x + 100, REGION.y + 100, 8, 8)
    owned = np.zeros(EXTENT.shape, np.bool_)
    owned[25:27, 25:27] = True
    keys = shifted_by(0, 0)
    keys[owned] = 3 << 16 | 3
    flat = np.full((3, *EXTENT.shape), 10 / 255, np.float32)
    networks = Networks(REGION, EXTENT, keys, owned, np.zeros(EXTENT.shape, np.int32), flat)
    found = carry(source, np.zeros((400, 400), np.uint8), Mask(bounds, np.ones((8, 8), np.bool_)), networks)
    assert set(np.unique(found)) == {10}


def test_offsets_never_leave_the_region() -> None:
    source = photo()
    outside = np.ones((400, 400), np.bool_)
    outside[REGION.slices] = False
    source[outside] = 255
    source[~outside] = 100
    flat = np.full((3, *EXTENT.shape), 100 / 255, np.float32)
    for corner in (0, (EXTENT.height - 1) << 16 | (EXTENT.width - 1)):
        keys = np.full(EXTENT.shape, corner, np.int32)
        found = carried(source, everything(), EXTENT, keys, flat)
        assert set(np.unique(found)) == {100}


@pytest.mark.parametrize("extent", [Extent(61, 77), Extent(256, 320), Extent(100, 320)])
def test_any_scale_works(extent: Extent) -> None:
    source = photo()
    rows, columns = np.mgrid[0 : extent.height, 0 : extent.width].astype(np.int32)
    y, x = owners(REGION.height, extent.height), owners(REGION.width, extent.width)
    refined = np.zeros((3, *extent.shape), np.float32)
    counts = np.zeros(extent.shape)
    np.add.at(counts, (y[:, None], x[None]), 1)
    for c in range(3):
        np.add.at(refined[c], (y[:, None], x[None]), source[REGION.slices][..., c] / np.float32(255))
    refined = np.asarray(refined / counts, np.float32)
    found = carried(source, everything(), extent, rows << 16 | columns, refined)
    assert np.abs(found.astype(int) - source[BOUNDS.slices]).mean() < 1.5


def test_cancelling_is_possible_between_bands() -> None:
    source = photo()
    shares: list[float] = []

    def step(done: float) -> None:
        shares.append(done)
        if len(shares) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        carried(source, everything(), EXTENT, shifted_by(0, 0), reduced(source), step)
    assert BOUNDS.height > BAND
    assert shares == sorted(shares)

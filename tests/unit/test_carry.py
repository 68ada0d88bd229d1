"""Carrying correspondences up: real pixels arrive where they should, detail survives, light follows the networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.carry import BAND, Fill, Networks, Side, carry
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


def reduced(picture: np.ndarray, extent: Extent = EXTENT) -> np.ndarray:
    """The region at the networks' scale, float32 (3, h, w) in [0, 1]."""
    region = picture[REGION.slices].astype(np.float32) / 255
    y, x = owners(REGION.height, extent.height), owners(REGION.width, extent.width)
    total, counts = np.zeros((3, *extent.shape), np.float32), np.zeros(extent.shape, np.float32)
    np.add.at(counts, (y[:, None], x[None]), 1)
    for c in range(3):
        np.add.at(total[c], (y[:, None], x[None]), region[..., c])
    return np.asarray(total / counts, np.float32)


def shifted_by(down: int, right: int) -> np.ndarray:
    rows, columns = np.mgrid[0 : EXTENT.height, 0 : EXTENT.width]
    y = np.clip(rows + down, 0, EXTENT.height - 1)
    x = np.clip(columns + right, 0, EXTENT.width - 1)
    return np.asarray(y << 16 | x, np.int32)


def filled(
    source: np.ndarray,
    edited: np.ndarray,
    fills: list[Fill],
    networks: Networks,
    step: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """All bands, put together."""
    bounds = fills[0].mask.bounds
    found = np.zeros((*bounds.extent.shape, 3), np.uint8)
    seen = np.zeros(bounds.extent.shape, np.int64)
    for band, pixels in carry(source, edited, bounds, fills, networks, step):
        place = band.moved(-bounds.x, -bounds.y).slices
        found[place] = pixels
        seen[place] += 1
    assert (seen == 1).all()
    return found


def from_itself(source: np.ndarray, mask: Mask, keys: np.ndarray, cells: np.ndarray, extent: Extent = EXTENT) -> Fill:
    return Fill(Side(source, REGION, extent), reduced(source, extent), keys, cells, mask)


def carried(
    source: np.ndarray,
    mask: Mask,
    extent: Extent,
    keys: np.ndarray,
    refined: np.ndarray,
    step: Callable[[], None] = lambda: None,
) -> np.ndarray:
    fill = from_itself(source, mask, keys, np.ones(extent.shape, np.bool_), extent)
    networks = Networks(REGION, extent, np.zeros(extent.shape, np.int32), refined)
    return filled(source, np.zeros(source.shape[:2], np.uint8), [fill], networks, step)


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
    fill = from_itself(source, everything(), keys, np.ones(EXTENT.shape, np.bool_))
    found = filled(source, edited, [fill], Networks(REGION, EXTENT, labels, refined))
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
    fill = from_itself(source, Mask(bounds, np.ones((8, 8), np.bool_)), keys, owned)
    networks = Networks(REGION, EXTENT, np.zeros(EXTENT.shape, np.int32), flat)
    found = filled(source, np.zeros((400, 400), np.uint8), [fill], networks)
    assert set(np.unique(found)) == {10}


def test_what_must_not_be_copied_is_not_where_a_neighbour_knows_better() -> None:
    """At full resolution a few pixels of a piece would copy what is excluded: they follow the piece beside them."""
    source = photo()
    usable = np.ones((400, 400), np.bool_)
    keys = shifted_by(0, 0)
    half = REGION.x + REGION.width // 2
    keys[:, EXTENT.width // 2 :] = shifted_by(2, 2)[:, EXTENT.width // 2 :]
    usable[:, half : half + 10] = False  # what pixels just left of the middle would copy, were they of the right piece
    usable[:, half : half + 3] = True
    source[~usable] = 255
    fill = from_itself(source, everything(), keys, np.ones(EXTENT.shape, np.bool_))
    fill = replace(fill, side=replace(fill.side, usable=usable))
    networks = Networks(REGION, EXTENT, np.zeros(EXTENT.shape, np.int32), reduced(source))
    state = filled(source, np.zeros((400, 400), np.uint8), [fill], networks)
    without = filled(
        source,
        np.zeros((400, 400), np.uint8),
        [replace(fill, side=replace(fill.side, usable=None))],
        networks,
    )
    column = half - BOUNDS.x
    assert (state[:, : column + 12] == 255).all(-1).sum() < (without[:, : column + 12] == 255).all(-1).sum()


def test_another_photo_fills_its_part_at_its_own_scale() -> None:
    """A reference twice as fine as the photo is brought to the photo's scale; each side fills its own pixels."""
    source, other = photo(), np.full((600, 500, 3), 90, np.uint8)
    left = np.zeros(BOUNDS.extent.shape, np.bool_)
    left[:, :40] = True
    extent = Extent(30, 40)
    region = Bounds(10, 20, extent.width * 2 * FACTOR, extent.height * 2 * FACTOR)
    other[region.slices] = np.indices((region.height, region.width)).sum(0)[..., None] % 4 // 2 * 80 + 60
    flat = np.full((3, *extent.shape), 100 / 255, np.float32)
    middle = np.full(EXTENT.shape, 20 << 16 | 15, np.int32)
    split = (BOUNDS.x + 40 - REGION.x) // FACTOR
    cells = np.zeros(EXTENT.shape, np.bool_)
    cells[:, :split] = True
    fills = [
        Fill(Side(other, region, extent), flat, middle, cells, Mask(BOUNDS, left)),
        from_itself(source, Mask(BOUNDS, ~left), shifted_by(0, 0), ~cells),
    ]
    refined = reduced(source)
    refined[:, :, :split] = 100 / 255
    found = filled(source, np.zeros((400, 400), np.uint8), fills, Networks(REGION, EXTENT, ~cells * 1, refined))
    assert np.abs(found[:, 40:].astype(int) - source[BOUNDS.slices][:, 40:]).max() <= 1
    assert np.abs(found[:, :40].astype(float).mean() - 100) < 3
    assert found[:, :40].min() < 90


def test_sides_of_one_scale_are_left_alone() -> None:
    source = photo()
    side = Side(source, REGION, EXTENT)
    assert side.at_scale(FACTOR, FACTOR) is side
    half = side.at_scale(FACTOR / 2, FACTOR / 2)
    assert half.photo.shape == (REGION.height // 2, REGION.width // 2, 3)
    assert half.region == Bounds(0, 0, REGION.width // 2, REGION.height // 2)


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
    found = carried(source, everything(), extent, rows << 16 | columns, reduced(source, extent))
    assert np.abs(found.astype(int) - source[BOUNDS.slices]).max() <= 1


def test_cancelling_is_possible_between_bands() -> None:
    source = photo()
    asked: list[int] = []

    def step() -> None:
        asked.append(len(asked))
        if len(asked) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        carried(source, everything(), EXTENT, shifted_by(0, 0), reduced(source), step)
    assert BOUNDS.height > BAND
    assert len(asked) == 2


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the seams run is hardly different in one band and in many: only rows at a band's edge decide earlier."""
    source = photo()
    random = np.random.default_rng(4)
    keys = np.kron(random.integers(-6, 7, (10, 8)), np.ones((8, 8), np.int32)).astype(np.int32)
    rows, columns = np.mgrid[0 : EXTENT.height, 0 : EXTENT.width]
    keys = np.clip(rows + keys, 0, EXTENT.height - 1) << 16 | np.clip(columns - keys, 0, EXTENT.width - 1)
    whole = carried(source, everything(), EXTENT, keys.astype(np.int32), reduced(source))
    monkeypatch.setattr("layoutbrush.runtime.pipeline.carry.BAND", 16)
    bands = carried(source, everything(), EXTENT, keys.astype(np.int32), reduced(source))
    assert (whole != bands).any(-1).mean() < 0.05

"""Where a photo lies that is drawn from: scale, place, and the part of it that is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.placing import Overlay, key_region, overlay

FRAME = Extent(600, 400)


def region(bounds: Bounds, extent: Extent = FRAME) -> np.ndarray:
    found = np.zeros(extent.shape, np.bool_)
    found[bounds.slices] = True
    return found


def there(lie: Overlay, row: float, column: float) -> tuple[float, float]:
    return lie.down * row + lie.top, lie.right * column + lie.left


def test_a_place_that_is_said_is_kept() -> None:
    lie = overlay(Bounds(10, 10, 50, 50), FRAME, region(Bounds(0, 0, 600, 400)), Bounds(100, 50, 300, 100))
    assert lie.whole
    assert lie.scale == (0.25, 0.5)
    assert there(lie, 50, 100) == (0, 0)
    assert there(lie, 150, 400) == (400, 600)


def test_regions_that_reach_the_edge_lie_over_each_other_at_their_own_scale() -> None:
    sky, target = Bounds(0, 0, 600, 100), Bounds(0, 0, 600, 300)
    lie = overlay(target, FRAME, region(sky), None)
    assert not lie.whole
    assert lie.scale == (1.0, 1.0)
    assert there(lie, 300, 600) == (100, 600)


def test_larger_photos_are_reduced_to_the_frame_and_smaller_ones_stay() -> None:
    for size, scale in ((Extent(1200, 800), 0.5), (Extent(300, 200), 1.0)):
        lie = overlay(Bounds(0, 0, 600, 100), FRAME, region(Bounds(0, 0, size.width, 50), size), None)
        assert lie.scale == (scale, scale)


@pytest.mark.parametrize(
    ("target", "scale"),
    [
        (Bounds(300, 200, 80, 40), (1.0, 1.0)),
        (Bounds(300, 200, 40, 20), (0.5, 0.5)),
        (Bounds(20, 20, 400, 200), (2.0, 2.0)),  # no more than that
        (Bounds(300, 100, 40, 200), (np.sqrt(2.5 * 1.5), np.sqrt(2.5 / 1.5))),  # nor stretched more than by 1.5
    ],
)
def test_things_are_brought_to_size(target: Bounds, scale: tuple[float, float]) -> None:
    thing = Bounds(100, 60, 80, 40)
    lie = overlay(target, FRAME, region(thing), None)
    assert lie.whole
    assert lie.scale == pytest.approx(scale)
    middle = there(lie, target.y + target.height / 2, target.x + target.width / 2)
    assert middle == pytest.approx((80, 140))


def test_the_photo_itself_lies_over_itself() -> None:
    lie = overlay(Bounds(10, 10, 50, 50), FRAME, region(Bounds(200, 200, 50, 50)), None, same=True)
    assert there(lie, 17, 23) == (17, 23)
    assert not lie.whole


def test_small_photos_are_looked_at_whole_and_of_large_ones_what_is_drawn() -> None:
    assert key_region(region(Bounds(0, 0, 9, 9)), (1, 1), 640, (0, 0)) == Bounds.of(FRAME)
    large = Extent(4000, 3000)
    thing = Bounds(2000, 1500, 200, 100)
    found = key_region(region(thing, large), (1, 1), 640, (0, 0))
    assert found.contains(thing)
    assert found.width <= 384
    assert key_region(region(Bounds(0, 0, 4000, 3000), large), (0.1, 0.1), 640, (0, 0)) == Bounds.of(large)


def test_the_window_of_a_large_region_lies_near_where_it_is_wanted_and_holds_much_of_it() -> None:
    large = Extent(4000, 3000)
    everywhere = key_region(region(Bounds(0, 0, 4000, 3000), large), (1, 1), 640, (2000, 3000))
    assert everywhere.contains(Bounds(3000, 2000, 1, 1))
    assert max(everywhere.width, everywhere.height) <= 704
    strip = region(Bounds(0, 0, 4000, 40), large)
    strip[1000:2000, 0:1000] = True
    dense = key_region(strip, (1, 1), 640, (20, 3500))
    assert strip[dense.slices].mean() > 0.8

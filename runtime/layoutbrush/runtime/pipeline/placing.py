"""Where a photo that is drawn from lies in relation to the one that is edited: at which scale, and what is over what.

A photo is never enlarged to be drawn from, and reduced to the edited photo's frame where it is larger. What is drawn
and what is filled lie over each other by their bounding boxes, so that the top of a sky fills the top of a sky; the
networks start from there. A thing that stands free in both photos (neither touches its picture's edge) is brought to
the size that it is to have and put in as it is, and so is what a host says the place of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import BoolMap
from layoutbrush.runtime.pipeline.mask import filled_bounds
from layoutbrush.runtime.pipeline.region import snap
from layoutbrush.runtime.pipeline.resample import any_owned, window_sums

ENLARGED = 2.0
"""No thing is enlarged further of our own accord."""
STRETCHED = 1.5
"""Nor is one side of it stretched further against the other."""
EDGE = 0.01
"""What comes so near to a picture's edge, as a share of its side, touches it."""
MARGIN = 24
"""Network pixels around what is drawn, at least."""
OVERVIEW = 512
"""Longest side of the reduced map in which the best window of a large photo is looked for."""


@dataclass(frozen=True)
class Overlay:
    """An axis-parallel map of the edited photo's pixels to those of the photo that is drawn from: for rows and for
    columns, `down * y + top` and `right * x + left`. `scale`: pixels of the edited photo that one drawn pixel fills,
    vertically and horizontally. `whole`: what lies over what is filled is put in as it is.
    """

    down: float
    top: float
    right: float
    left: float
    scale: tuple[float, float]
    whole: bool = False


def overlay(target: Bounds, extent: Extent, usable: BoolMap, place: Bounds | None, same: bool = False) -> Overlay:
    """Return how a photo lies over the edited one.

    `target`: what is filled, in the edited photo of `extent`. `usable`: bool (H, W) of the other photo, what is drawn
    from. `place`: where the other photo lies, if the host says so. `same`: both are one photo.
    """
    own = Extent.of_shape(usable.shape)
    if same:
        return Overlay(1.0, 0.0, 1.0, 0.0, (1.0, 1.0))
    if place is not None:
        down, right = own.height / place.height, own.width / place.width
        return Overlay(down, -place.y * down, right, -place.x * right, (1 / down, 1 / right), whole=True)
    drawn = filled_bounds(usable)
    if _is_free(target, extent) and _is_free(drawn, own):
        return _thing(target, drawn)
    scale = min(1.0, extent.longer / own.longer)
    down, right = drawn.height / target.height, drawn.width / target.width
    return Overlay(down, drawn.y - target.y * down, right, drawn.x - target.x * right, (scale, scale))


def _thing(target: Bounds, drawn: Bounds) -> Overlay:
    """Middle over middle, of about the target's size."""
    tall, wide = target.height / drawn.height, target.width / drawn.width
    mean, stretch = math.sqrt(tall * wide), math.sqrt(min(STRETCHED, max(1 / STRETCHED, tall / wide)))
    scale = min(ENLARGED, mean * stretch), min(ENLARGED, mean / stretch)
    down, right = 1 / scale[0], 1 / scale[1]
    top = drawn.y + drawn.height / 2 - down * (target.y + target.height / 2)
    left = drawn.x + drawn.width / 2 - right * (target.x + target.width / 2)
    return Overlay(down, top, right, left, scale, whole=True)


def _is_free(bounds: Bounds, extent: Extent) -> bool:
    across, down = EDGE * extent.width, EDGE * extent.height
    return (
        bounds.x > across
        and bounds.y > down
        and bounds.right < extent.width - across
        and bounds.bottom < extent.height - down
    )


def key_region(usable: BoolMap, scale: tuple[float, float], limit: int, near: tuple[float, float]) -> Bounds:
    """Return what of a photo is looked at to draw from it.

    `usable`: bool (H, W), what may be drawn. `scale`: network pixels that one pixel becomes, vertically and
    horizontally. `limit`: longest side in network pixels. `near`: row and column that a window should lie around, where
    what is drawn is larger than the limit; where something else holds more of it, that is taken.
    """
    extent = Extent.of_shape(usable.shape)
    if extent.height * scale[0] <= limit and extent.width * scale[1] <= limit:
        return Bounds.of(extent)
    drawn = filled_bounds(usable)
    tall, wide = (min(limit, 2 * MARGIN + side * s) for side, s in zip(drawn.extent.shape, scale, strict=True))
    height, width = min(extent.height, math.ceil(tall / scale[0])), min(extent.width, math.ceil(wide / scale[1]))
    small = extent.scaled(min(1.0, OVERVIEW / extent.longer))
    rows, columns = small.height / extent.height, small.width / extent.width
    high, wide = max(1, round(height * rows)), max(1, round(width * columns))
    counts = window_sums(any_owned(usable, small), high, wide).astype(np.float32)
    down, right = np.indices(counts.shape, np.float32)
    away = np.hypot(down / rows + height / 2 - near[0], right / columns + width / 2 - near[1]) / extent.longer
    y, x = np.unravel_index(int(np.argmax(counts / counts.max() - 0.1 * away)), counts.shape)
    return snap(Bounds(round(int(x) / columns), round(int(y) / rows), width, height).clamp(extent), extent)

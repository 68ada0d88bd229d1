"""Cutting what is done of a result into tiles that travel in one message each."""

from __future__ import annotations

from collections.abc import Iterator

from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.pipeline.events import BoolMap, Layer, Photo, Tile

SIDE = 512
"""Sides of a tile in pixels, at most: with alpha, raw, a tile has 1 MiB."""


def tiles(bounds: Bounds, pixels: Photo, mask: BoolMap) -> Iterator[Tile]:
    """Yield the tiles of a finished part of the result, row by row.

    `bounds`: where it lies in the photo; `pixels`: uint8 (h, w, 3); `mask`: bool (h, w). Tiles share their memory.
    """
    for top in range(0, bounds.height, SIDE):
        for left in range(0, bounds.width, SIDE):
            part = Bounds(left, top, min(SIDE, bounds.width - left), min(SIDE, bounds.height - top))
            yield Tile(Layer(part.moved(bounds.x, bounds.y), pixels[part.slices]), mask[part.slices])

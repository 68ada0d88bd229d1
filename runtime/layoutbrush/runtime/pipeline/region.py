"""The region of interest: the mask with enough context around it, on the grid, in a few sizes.

A region is chosen so that it holds pixels of every label that the edit asks for: a lake can't be grown from a region
without water.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL

STEP = 64
"""Sides of a region are multiples of this many pixels where the picture is large enough: few sizes, few plans."""


def choose_region(
    mask: Bounds,
    extent: Extent,
    layout: NDArray[np.integer],
    edited: NDArray[np.integer],
    source: NDArray[np.bool_],
    margin: float = 0.5,
    least: int = 48,
) -> Bounds:
    """Return the bounds to work on, inside `extent`.

    `mask`: what changes. `layout`, `edited`, `source`: maps (h, w) of the whole picture, at any scale up to its own;
    where `source` is False nothing may be copied. `margin`: context on each side as a share of the mask's longer side.
    `least`: context in pixels at least.
    """
    pixels = max(least, round(margin * mask.extent.longer))
    whole = Bounds.of(extent)
    while True:
        region = snap(mask.grow(pixels), extent)
        if region == whole or region.area > 0.8 * whole.area:
            return whole
        if _has_sources(mask, region, extent, layout, edited, source):
            return region
        pixels = round(1.5 * pixels)


def snap(wanted: Bounds, extent: Extent, step: int = STEP) -> Bounds:
    """Return bounds around `wanted` with sides that are multiples of `step`, moved to lie inside `extent`.

    A side that does not fit becomes the picture's own.
    """
    x, width = _snap_side(wanted.x, wanted.right, extent.width, step)
    y, height = _snap_side(wanted.y, wanted.bottom, extent.height, step)
    return Bounds(x, y, width, height)


def _snap_side(low: int, high: int, limit: int, step: int) -> tuple[int, int]:
    low, high = max(0, low), min(limit, high)
    # The left edge on a coarse grid as well, so that the next stroke near by finds the same region's features.
    low = low // 16 * 16
    size = -(-(high - low) // step) * step
    if size >= limit:
        return 0, limit
    if low + size <= limit:
        return low, size
    low = -(-(limit - size) // 16) * 16  # from the right edge inwards, still on the grid of 16
    return low, limit - low


def _has_sources(
    mask: Bounds,
    region: Bounds,
    extent: Extent,
    layout: NDArray[np.integer],
    edited: NDArray[np.integer],
    source: NDArray[np.bool_],
) -> bool:
    """True where the region holds as many pixels of each wanted label as are wanted, or half of all there are."""
    small = Extent.of_shape(layout.shape)
    inside = region.scaled(extent, small).slices
    wanted = _counts(edited[mask.scaled(extent, small).slices])
    near = _counts(layout[inside][source[inside]])
    everywhere = _counts(layout[source])
    wanted[UNKNOWN_LABEL] = 0
    return bool(np.all(near >= np.minimum(wanted, everywhere / 2)))


def _counts(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=256)[:256].astype(np.int64)

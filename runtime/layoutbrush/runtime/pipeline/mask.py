"""Masks: where the layout changed, grown; what may be copied; how a result blends in.

A full-size mask of a large photo is never worked on as a whole: a `Mask` holds the rectangle that matters.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import InvalidArgument
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import BoolMap, EditRequest, LabelMap
from layoutbrush.runtime.pipeline.resample import any_owned, owners, scale_labels

EXCLUDE_RIM = 2
"""Pixels by which excluded regions are grown: label maps are loose by two or three pixels."""

SOURCE_RIM = 3
"""The same for what is drawn from another photo: a rim of the old texture would stay around it."""


_BLOCK = 1 << 20
"""Pixels compared at a time: what fits into a processor's cache."""

COARSE_REACH = 32
"""Radius in pixels beyond which a mask is grown on a coarser grid."""


FEW = 12
"""Rows up to which a distance is counted over the whole map at once, and not row by row."""


@dataclass(frozen=True, eq=False)
class Mask:
    """`pixels`: bool (bounds.height, bounds.width); outside `bounds` everything is False. `changed`: what the mask was
    grown from, of the same shape, by `reach` pixels; None = it was not grown around changed labels alone.
    """

    bounds: Bounds
    pixels: BoolMap
    changed: BoolMap | None = None
    reach: int = 0

    def crop(self, bounds: Bounds) -> BoolMap:
        """Return the mask over other bounds, bool (bounds.height, bounds.width)."""
        found = np.zeros(bounds.extent.shape, np.bool_)
        common = self.bounds.intersection(bounds)
        if not common.empty:
            found[common.moved(-bounds.x, -bounds.y).slices] = self.pixels[
                common.moved(-self.bounds.x, -self.bounds.y).slices
            ]
        return found

    def digest(self) -> bytes:
        """Return what tells this mask from others."""
        place = np.array([self.bounds.x, self.bounds.y, self.bounds.width, self.bounds.height], np.int64)
        return hashlib.blake2b(place.tobytes() + np.packbits(self.pixels).tobytes(), digest_size=16).digest()

    def owned(self, region: Bounds, to: Extent) -> BoolMap:
        """Return which network pixels of a region own a pixel of the mask, bool `to.shape`; as `any_owned` of `crop`,
        but nothing of the region's size is made.
        """
        common = self.bounds.intersection(region)
        if common.empty or to.width > region.width or to.height > region.height:
            return any_owned(self.crop(region), to)
        near = common.moved(-region.x, -region.y)
        rows = owners(region.height, to.height)[near.y : near.bottom]
        columns = owners(region.width, to.width)[near.x : near.right]
        found = np.zeros(to.shape, np.bool_)
        tops, lefts = (np.flatnonzero(np.diff(cells, prepend=-1)) for cells in (rows, columns))
        part = self.pixels[common.moved(-self.bounds.x, -self.bounds.y).slices]
        cells = np.logical_or.reduceat(np.logical_or.reduceat(part, tops, axis=0), lefts, axis=1)
        found[np.ix_(rows[tops], columns[lefts])] = cells
        return found


def edit_mask(layout: LabelMap, request: EditRequest) -> Mask:
    """Return where an edit may change the photo.

    The host's mask where it replaces; otherwise where `request.edited` differs from `layout`, grown by `request.grow`
    times the square root of the changed area (US 11,636,570, FIG. 7), and what its sources fill, grown by SOURCE_RIM;
    bounded by the host's mask where there is one.

    Raises:
        InvalidArgument: nothing may change: the mask is empty, or the label maps are equal and there are no sources.
    """
    if request.mask is not None and request.mask_use == "replace":
        bounds = filled_bounds(request.mask)
        if bounds.empty:
            raise InvalidArgument("The mask is empty: nothing may change.", "mask")
        return Mask(bounds, request.mask[bounds.slices])
    parts = [_changed(layout, request), _sourced(request)]
    found = [part for part in parts if part is not None]
    if not found:
        raise InvalidArgument("The edited label map equals the layout: there is nothing to change.", "edited")
    grown = found[0] if len(found) == 1 else _union(*found)
    if request.mask is not None:
        pixels = grown.pixels & request.mask[grown.bounds.slices]
        inner = filled_bounds(pixels)
        if inner.empty:
            raise InvalidArgument("The mask leaves nothing of what the label maps change.", "mask")
        changed = None if grown.changed is None else grown.changed[inner.slices]
        return Mask(inner.moved(grown.bounds.x, grown.bounds.y), pixels[inner.slices], changed, grown.reach)
    return grown


def _changed(layout: LabelMap, request: EditRequest) -> Mask | None:
    """Where the label maps differ, grown; None where they don't."""
    bounds = changed_bounds(layout, request.edited)
    if bounds.empty:
        return None
    area = int(np.count_nonzero(layout[bounds.slices] != request.edited[bounds.slices]))
    reach = math.ceil(request.grow * math.sqrt(area))
    wide = bounds.grow(reach).clamp(Extent.of_shape(layout.shape))
    changed = layout[wide.slices] != request.edited[wide.slices]
    return Mask(wide, grow_far(changed, reach), changed, reach)


def _sourced(request: EditRequest) -> Mask | None:
    """What the sources fill, with a rim; None where they fill nothing."""
    if not request.sources:
        return None
    filled = np.zeros(request.edited.shape, np.bool_)
    for source in request.sources:
        filled |= source.region if source.region is not None else request.edited == source.label
    bounds = filled_bounds(filled)
    if bounds.empty:
        return None
    wide = bounds.grow(SOURCE_RIM).clamp(Extent.of_shape(filled.shape))
    return Mask(wide, grow(filled[wide.slices], SOURCE_RIM))


def _union(one: Mask, other: Mask) -> Mask:
    bounds = one.bounds.union(other.bounds)
    return Mask(bounds, one.crop(bounds) | other.crop(bounds))


def changed_bounds(one: LabelMap, other: LabelMap) -> Bounds:
    """Return the smallest bounds around all pixels in which two maps (H, W) differ; empty where they don't.

    Looks at blocks of rows, so that nothing of the maps' size is made.
    """
    height, width = one.shape
    block = max(1, _BLOCK // max(1, width))
    found = Bounds(0, 0, 0, 0)
    for top in range(0, height, block):
        rows = slice(top, top + block)
        part = filled_bounds(one[rows] != other[rows])
        if not part.empty:
            found = found.union(part.moved(0, top))
    return found


def filled_bounds(values: BoolMap) -> Bounds:
    """Return the smallest bounds around all True pixels of bool (H, W); empty where there is none."""
    rows = np.flatnonzero(values.any(axis=1))
    if rows.size == 0:
        return Bounds(0, 0, 0, 0)
    columns = np.flatnonzero(values[rows[0] : rows[-1] + 1].any(axis=0))
    return Bounds.between(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def grow(values: BoolMap, reach: int) -> BoolMap:
    """Return bool (H, W), True within `reach` pixels (Euclidean) of a True pixel.

    Two passes: the distance to the nearest True pixel of the same column, then for each horizontal step a comparison
    with what that step leaves of the radius. The cost is proportional to reach times area.
    """
    if reach <= 0 or values.size == 0:
        return values.copy()
    vertical = _column_distance(values, reach + 1)
    grown: BoolMap = vertical <= reach
    width = values.shape[1]
    for step in range(1, min(reach, width - 1) + 1):
        near = vertical <= math.isqrt(reach * reach - step * step)
        grown[:, step:] |= near[:, : width - step]
        grown[:, : width - step] |= near[:, step:]
    return grown


def grow_far(values: BoolMap, reach: int) -> BoolMap:
    """Return bool (H, W), as `grow`; a large reach is taken on a coarser grid, within 7 % of the radius."""
    coarse = Extent.of_shape(values.shape).scaled(min(1.0, COARSE_REACH / max(1, reach)))
    if coarse.shape == values.shape or coarse.shorter < COARSE_REACH:
        return grow(values, reach)
    near = grow(any_owned(values, coarse), COARSE_REACH)
    return scale_labels(near.astype(np.uint8), Extent.of_shape(values.shape)).astype(np.bool_)


def _column_distance(values: BoolMap, limit: int) -> NDArray[np.uint16]:
    """Return the distance in rows to the nearest True pixel of the same column, at most `limit`; uint16 (H, W)."""
    height = values.shape[0]
    limit = min(limit, 65535)
    if limit <= FEW:
        distance, near = np.full(values.shape, limit, np.uint16), values
        for step in range(limit):  # each row beyond the last is one less for whatever it reaches
            distance -= near
            if step < limit - 1:
                wider = near.copy()
                wider[1:] |= near[:-1]
                wider[:-1] |= near[1:]
                near = wider
        return distance
    distance = np.where(values, 0, limit).astype(np.uint16)
    for y in range(1, height):
        np.minimum(distance[y], distance[y - 1] + np.uint16(1), out=distance[y])
    for y in range(height - 2, -1, -1):
        np.minimum(distance[y], distance[y + 1] + np.uint16(1), out=distance[y])
    return distance


def inner_distance(mask: BoolMap, reach: int) -> NDArray[np.uint8]:
    """Return for each True pixel how many of the radii 1 .. `reach` hold no False pixel, plus 1; 0 where False.

    uint8 (H, W). The border of the array counts as True: a mask that ends at the photo's edge has no rim there.
    """
    distance = mask.astype(np.uint8)
    for step in range(1, reach + 1):
        distance += ~grow(~mask, step)
    return distance

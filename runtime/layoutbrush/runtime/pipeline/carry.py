"""From the networks' scale up to the photo's: fetch real pixels by the correspondence, add the low-frequency
correction.

At the networks' scale every masked pixel knows the pixel that it resembles. Its offset holds for all photo pixels
around it, so each of those fetches its own counterpart: detail of full resolution at the cost of one look-up. Where
neighbouring network pixels have different offsets, the seam between them is laid at full resolution, pixel by pixel
(`seams`); but for its own pixels nothing is faded, as that would cost sharpness. What the refinement changed (light,
colour) is low-frequency and added as a tint (`tint`).

Everything here runs over the masked pixels in bands of rows, and each band is handed out when it is done: memory
follows the region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import BoolMap, LabelMap, Photo
from layoutbrush.runtime.pipeline.mask import Mask
from layoutbrush.runtime.pipeline.resample import any_owned, owners, scale_labels, scale_photo
from layoutbrush.runtime.pipeline.seams import FILLED, IGNORED, VISIBLE, Cells, Rows, paint, settle
from layoutbrush.runtime.pipeline.tint import tints

BAND = 256
"""Rows at a time."""

SAME_SCALE = 0.005
"""Sides whose scales differ by no more than this share count as of one scale."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Side:
    """A photo to copy from: `region` of `photo` is what the networks saw at `extent` pixels.

    `photo`: uint8 (H, W, 3), whole. `layout`: uint8 (H, W), so that pixels are copied within their label, or None.
    `usable`: bool (H, W), False = must not be copied, or None.
    """

    photo: Photo
    region: Bounds
    extent: Extent
    layout: LabelMap | None = None
    usable: BoolMap | None = None

    def at_scale(self, wide: float, high: float) -> Side:
        """Return the same side with so many photo pixels to a network pixel; resampled only where it has others."""
        width, height = round(self.extent.width * wide), round(self.extent.height * high)
        near = abs(self.region.width - width) <= SAME_SCALE * width + 1
        if near and abs(self.region.height - height) <= SAME_SCALE * height + 1:
            return self
        to, rows = Extent(width, height), self.region.slices
        return Side(
            scale_photo(self.photo, self.region, to),
            Bounds.of(to),
            self.extent,
            None if self.layout is None else scale_labels(self.layout[rows], to),
            None if self.usable is None else ~any_owned(~self.usable[rows], to),
        )


@dataclass(frozen=True, eq=False)
class Fill:
    """Pixels of an edit that one side fills.

    `image`: float32 (3, hk, wk) in [0, 1], the side's region as the networks saw it. `correspondence`: int32 (h, w),
    `y << 16 | x` of the pixel copied from, in the side's network pixels. `cells`: bool (h, w), where it counts; True
    for every network pixel that owns one of `mask`. `mask`: in the edited photo's coordinates.
    """

    side: Side
    image: Floats
    correspondence: Ints
    cells: BoolMap
    mask: Mask


@dataclass(frozen=True, eq=False)
class Networks:
    """What the networks made of a region: `region` of the edited photo at `extent` pixels.

    `edited`: int32 (h, w), label ids. `refined`: float32 (3, h, w) in [0, 1].
    """

    region: Bounds
    extent: Extent
    edited: Ints
    refined: Floats


def carry(
    photo: Photo,
    edited: LabelMap,
    bounds: Bounds,
    fills: Sequence[Fill],
    networks: Networks,
    step: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Bounds, Photo]]:
    """Yield bands of `bounds` from the top, each with its pixels at full resolution, uint8 (h, w, 3); outside the
    fills' masks they are the photo's own.

    `photo`: uint8 (H, W, 3), whole. `edited`: uint8 (H, W), the label map to follow. `bounds`: around the masks of all
    fills, inside `networks.region`. `step` is called between bands and may raise, to cancel.
    """
    carriers = [_Carrier(fill, networks) for fill in fills]
    for y in range(bounds.y, bounds.bottom, BAND):
        step()
        band = Bounds(bounds.x, y, bounds.width, min(BAND, bounds.bottom - y))
        wide = band.grow(1)
        visible, labels = _window(photo, wide), _window(edited, wide)
        others = np.zeros(wide.extent.shape, np.bool_)
        for carrier in carriers:
            others |= carrier.mask.crop(wide)
        inside = np.zeros(wide.extent.shape, np.bool_)
        inside[wide.clamp(Extent.of_shape(photo.shape)).moved(-wide.x, -wide.y).slices] = True
        free = np.where(others | ~inside, np.uint8(IGNORED), np.uint8(VISIBLE))
        for carrier in carriers:
            pixels = carrier.fill(wide, visible, labels, free)
            if pixels is not None:
                visible[1:-1, 1:-1] = pixels
        yield band, np.ascontiguousarray(visible[1:-1, 1:-1])


class _Carrier:
    """Fills its pixels band by band."""

    def __init__(self, fill: Fill, networks: Networks) -> None:
        self.mask, self.region, self.extent = fill.mask, networks.region, networks.extent
        wide, high = self.region.width / self.extent.width, self.region.height / self.extent.height
        side = fill.side.at_scale(wide, high)
        rows, columns = np.mgrid[0 : self.extent.height, 0 : self.extent.width].astype(np.int32)
        key_rows, key_columns = fill.correspondence >> 16, fill.correspondence & 0xFFFF
        down = _offsets(key_rows, rows, side.region.height / side.extent.height, high) + side.region.y - self.region.y
        right = _offsets(key_columns, columns, side.region.width / side.extent.width, wide)
        right += side.region.x - self.region.x
        copied = fill.image[:, np.where(fill.cells, key_rows, 0), np.where(fill.cells, key_columns, 0)]
        self.cells = Cells(
            key=np.ascontiguousarray(side.photo),
            key_labels=None if side.layout is None else np.ascontiguousarray(side.layout),
            key_usable=None if side.usable is None else np.ascontiguousarray(side.usable),
            window=(side.region.y, side.region.x, side.region.bottom, side.region.right),
            down=np.ascontiguousarray(down),
            right=np.ascontiguousarray(right),
            tint=tints(networks.refined, copied, down, right, fill.cells),
            labels=np.ascontiguousarray(networks.edited, np.uint8),
            there=np.ascontiguousarray(fill.cells),
        )
        self.passes = int(np.clip(round(max(wide, high) / 4) + 1, 3, 4))
        self.above: Ints | None = None

    def fill(self, wide: Bounds, visible: Photo, labels: LabelMap, free: NDArray[np.uint8]) -> Photo | None:
        """Return the pixels of a band, uint8, without its border; None where there are none.

        `wide`: the band with its border; the arrays are of its size. `free`: states of pixels that others
        fill, or nobody.
        """
        mine = self.mask.crop(wide)
        if not mine[1:-1].any():
            self.above = None
            return None
        height, width = self.extent.shape
        y = np.clip(np.arange(wide.y, wide.bottom) - self.region.y, 0, self.region.height - 1)
        x = np.clip(np.arange(wide.x, wide.right) - self.region.x, 0, self.region.width - 1)
        (row_low, row_part), (column_low, column_part) = (
            _between(y, self.region.height, height),
            _between(x, self.region.width, width),
        )
        rows = Rows(
            visible=visible,
            labels=labels,
            state=np.where(mine, np.uint8(FILLED), free),
            row_cells=owners(self.region.height, height)[y].astype(np.int32),
            column_cells=owners(self.region.width, width)[x].astype(np.int32),
            row_low=row_low,
            column_low=column_low,
            row_part=row_part,
            column_part=column_part,
            top=wide.y,
            left=wide.x,
        )
        choice = settle(rows, self.cells, self.above, self.passes)
        self.above = choice[-2].copy()
        return paint(rows, self.cells, choice)


def _offsets(keys: Ints, cells: Ints, key_pixels: float, pixels: float) -> Ints:
    """Return how far away, in photo pixels, cells copy from: between their centres."""
    if abs(key_pixels - pixels) * keys.shape[0] < 0.5:  # of one scale: whole pieces keep one offset
        exact = (keys - cells) * pixels
    else:
        exact = (keys + 0.5) * key_pixels - (cells + 0.5) * pixels
    return np.asarray(np.rint(exact), np.int32)


def _between(places: NDArray[np.intp], size: int, cells: int) -> tuple[Ints, Ints]:
    """Return for pixels of `size` the lower one of the `cells` around each, and how far it is to the next, 0 to 256."""
    exact = (places + 0.5) * (cells / size) - 0.5
    lower = np.clip(np.floor(exact), 0, cells - 1)
    return lower.astype(np.int32), np.rint(256 * np.clip(exact - lower, 0, 1)).astype(np.int32)


def _window(values: NDArray[np.uint8], bounds: Bounds) -> NDArray[np.uint8]:
    """Return a copy of a part of a picture, the border replicated where it reaches beyond."""
    whole = Extent.of_shape(values.shape)
    inside = bounds.clamp(whole)
    spare = [(inside.y - bounds.y, bounds.bottom - inside.bottom), (inside.x - bounds.x, bounds.right - inside.right)]
    padded: NDArray[np.uint8] = np.pad(values[inside.slices], spare + [(0, 0)] * (values.ndim - 2), mode="edge")
    return padded

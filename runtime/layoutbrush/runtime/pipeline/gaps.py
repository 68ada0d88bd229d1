"""Labels that nobody gave: those of a photo without labels, and those of what an edit is to show there.

A photo of which the layout says mostly nothing is segmented, and what the segmenter finds stands where nothing was
said. Under the mask the photo shows what goes away; there the graph `complete` continues the labels around it. A
bundle without that graph leaves unknown what is unknown: the networks then work without labels, as well as they can.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import BoolMap, LabelMap, Photo
from layoutbrush.runtime.pipeline.mask import Mask, filled_bounds

MOSTLY = 0.5
"""Share of a layout that is unknown from which on the photo is segmented."""

SIDE = 304
"""Longer side in pixels at which labels are completed: layouts are coarse, and so the networks stay in their budget."""

AROUND = 1.5
"""What is looked at around a gap, as a share of its longer side."""

LEAST = 0.3
"""The same, at least, as a share of the photo's longer side."""

Completer = Callable[[NDArray[np.float32], NDArray[np.int32], BoolMap], NDArray[np.int32]]
"""image (1, 3, h, w) float32 in [0, 1], edited (1, h, w) int32 with 255 = to be found, mask (1, h, w) bool, True = the
photo there doesn't count -> labels (1, h, w)."""


def mostly_unknown(layout: LabelMap) -> bool:
    """Return whether a layout, uint8 (H, W), says too little to work with."""
    return int(np.count_nonzero(layout == UNKNOWN_LABEL)) > MOSTLY * layout.size


def filled_from(labels: LabelMap, found: LabelMap) -> LabelMap:
    """Return a label map with `found` where it is unknown."""
    return np.where(labels == UNKNOWN_LABEL, found, labels)


def filled_outside(edited: LabelMap, layout: LabelMap, mask: Mask) -> LabelMap:
    """Return the edited layout with those of `layout` where it is unknown outside the mask, all uint8 (H, W)."""
    filled = filled_from(edited, layout)
    where = mask.bounds.slices
    filled[where][mask.pixels] = edited[where][mask.pixels]
    return filled


def gap_of(layout: LabelMap, edited: LabelMap, mask: Mask, exclude: BoolMap | None) -> BoolMap | None:
    """Return the masked pixels whose label is to be found, bool (mask's height, width); None where there are none.

    None too where half as much of the photo outside them has no label either and may be copied: what has no label of
    its own, a cart among cars, is unknown on purpose and moved as unknown.
    """
    where = mask.bounds.slices
    gap: BoolMap = (edited[where] == UNKNOWN_LABEL) & mask.pixels
    hidden = int(np.count_nonzero(gap))
    if hidden == 0:
        return None
    unlabelled = layout == UNKNOWN_LABEL
    if exclude is not None:
        unlabelled &= ~exclude
    return gap if 2 * int(np.count_nonzero(unlabelled)) < hidden else None


def completed(
    photo: Photo, edited: LabelMap, mask: Mask, gap: BoolMap, run: Completer, alignment: int, smallest: int
) -> LabelMap:
    """Return the edited layout, uint8 (H, W), with labels in the gap.

    `photo`: uint8 (H, W, 3). `gap`: bool of the mask's bounds, as `gap_of` gives it. `alignment`, `smallest`: what
    sides the graph takes.
    """
    window = _window(filled_bounds(gap).moved(mask.bounds.x, mask.bounds.y), Extent.of_shape(edited.shape))
    small = window.extent.scaled(min(1.0, SIDE / window.extent.longer))
    padded = resample.padded_extent(small, alignment, smallest)
    image = resample.pad(resample.scale_photo(photo, window, small), padded, edge=True)
    labels = resample.pad(resample.scale_labels(edited[window.slices], small), padded, edge=True)
    hidden = resample.pad(resample.any_owned(mask.crop(window), small), padded, edge=True)
    found = run(resample.to_planes(image), labels.astype(np.int32)[None], hidden[None])[0]
    large = resample.scale_labels(found[: small.height, : small.width].astype(np.uint8), window.extent)
    result = edited.copy()
    to_fill = Mask(mask.bounds, gap).crop(window)
    result[window.slices][to_fill] = large[to_fill]
    return result


def _window(gap: Bounds, extent: Extent) -> Bounds:
    """Return what is looked at: the gap and enough around it, inside the photo."""
    margin = round(max(AROUND * gap.extent.longer, LEAST * extent.longer))
    return gap.grow(margin).clamp(extent)

"""Between the photo's pixels and the networks' pixels.

A network pixel owns the photo's pixels whose centre falls into it: pixel x of W belongs to floor(x * w / W) of w.
Labels are taken at the centre; a mask is True where any owned pixel is; a source is True only where all owned pixels
are.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import BoolMap, LabelMap, Photo

_BAND = 512
"""Rows of a photo that are reduced at a time."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


def owners(size: int, cells: int) -> NDArray[np.intp]:
    """Return for each of `size` pixels the cell, 0 to cells - 1, that owns it; intp (size,)."""
    return np.arange(size, dtype=np.intp) * cells // size


def scale_photo(photo: Photo, region: Bounds, to: Extent) -> Photo:
    """Return `region` of the photo at the size `to`, uint8 (h, w, 3); smooth when reduced, the pixels themselves at
    1:1.
    """
    rows, columns = region.slices
    crop = photo[rows, columns]
    if region.extent == to:
        return crop
    if to.width >= region.width or to.height >= region.height:
        image = Image.fromarray(np.ascontiguousarray(crop))
        kind = Image.Resampling.BOX if to.width < region.width else Image.Resampling.BICUBIC
        return np.asarray(image.resize((to.width, to.height), kind))
    return _reduced(crop, to)


def _reduced(crop: Photo, to: Extent) -> Photo:
    """Return a smaller picture, band by band: Pillow holds four bytes a pixel of its own."""
    found = np.empty((to.height, to.width, 3), np.uint8)
    scale = crop.shape[0] / to.height
    step = max(1, round(_BAND / scale))
    for top in range(0, to.height, step):
        bottom = min(to.height, top + step)
        first, last = math.floor(top * scale), min(crop.shape[0], math.ceil(bottom * scale))
        image = Image.fromarray(np.ascontiguousarray(crop[first:last]))
        box = (0.0, top * scale - first, float(crop.shape[1]), min(bottom * scale - first, float(last - first)))
        # Reducing by whole numbers first costs a fifth of one long filter and is not told apart.
        band = image.resize((to.width, bottom - top), Image.Resampling.BOX, box, reducing_gap=3.0)
        found[top:bottom] = np.asarray(band)
    return found


def scale_labels(labels: LabelMap, to: Extent) -> LabelMap:
    """Return a label map at another size: each pixel the label at its centre."""
    have = Extent.of_shape(labels.shape)
    if have == to:
        return labels
    rows = (2 * np.arange(to.height) + 1) * have.height // (2 * to.height)
    columns = (2 * np.arange(to.width) + 1) * have.width // (2 * to.width)
    return labels[rows[:, None], columns]


def any_owned(mask: BoolMap, to: Extent) -> BoolMap:
    """Return bool `to.shape`, True where any owned pixel of `mask` is (reduced), or the owner's value (enlarged)."""
    have = Extent.of_shape(mask.shape)
    if have == to:
        return mask
    if to.height > have.height or to.width > have.width:
        return scale_labels(mask.astype(np.uint8), to).astype(np.bool_)
    rows = -(-np.arange(to.height) * have.height // to.height)
    columns = -(-np.arange(to.width) * have.width // to.width)
    return np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1)


def scale_planes(planes: NDArray[np.float32], to: Extent) -> NDArray[np.float32]:
    """Return float32 (c, h, w) at another size, bilinear."""
    size = (to.width, to.height)
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR)) for plane in planes])


def window_sums(values: BoolMap, height: int, width: int) -> NDArray[np.int32]:
    """Return how many True pixels each window of that size holds, int32 (H - height + 1, W - width + 1), by the
    window's upper left corner.
    """
    total = np.pad(values.astype(np.int32).cumsum(0, np.int32).cumsum(1, np.int32), ((1, 0), (1, 0)))
    lower, upper = total[height:], total[:-height]
    sums: NDArray[np.int32] = lower[:, width:] - lower[:, :-width] - upper[:, width:] + upper[:, :-width]
    return sums


def network_extent(region: Extent, scale: int, smallest: int, slack: float = 1.25) -> Extent:
    """Return the size at which the networks work on a region.

    Its own where its longer side is at most `slack * scale`; otherwise its longer side becomes `scale`, but the shorter
    one is not pushed below `smallest` (a panorama keeps a longer longer side).
    """
    if region.longer <= slack * scale:
        return region
    factor = max(scale / region.longer, min(1.0, smallest / region.shorter))
    return region.scaled(factor)


def padded_extent(extent: Extent, alignment: int, smallest: int) -> Extent:
    """Return `extent` rounded up to multiples of `alignment`, no side below `smallest`."""
    return Extent(
        max(smallest, -(-extent.width // alignment) * alignment),
        max(smallest, -(-extent.height // alignment) * alignment),
    )


def pad(values: NDArray[_Scalar], to: Extent, edge: bool) -> NDArray[_Scalar]:
    """Return (h, w, ...) padded at the right and the bottom to `to`: with the edge's values, or with zeros."""
    have = Extent.of_shape(values.shape)
    if have == to:
        return values
    widths = [(0, to.height - have.height), (0, to.width - have.width)] + [(0, 0)] * (values.ndim - 2)
    return np.pad(values, widths, mode="edge") if edge else np.pad(values, widths)


def to_planes(photo: Photo) -> NDArray[np.float32]:
    """Return uint8 (h, w, 3) as float32 (1, 3, h, w) in [0, 1]."""
    planes = np.ascontiguousarray(photo.transpose(2, 0, 1))[None]
    return planes.astype(np.float32) * np.float32(1 / 255)


def to_bytes(planes: NDArray[np.float32]) -> Photo:
    """Return float32 (3, h, w) in [0, 1] as uint8 (h, w, 3), rounded to nearest; NaN becomes 0."""
    values = np.nan_to_num(planes, nan=0.0) * np.float32(255)
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8).transpose(1, 2, 0))

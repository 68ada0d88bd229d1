"""From the networks' scale up to the photo's: fetch real pixels by the correspondence, add the low-frequency
correction.

At the networks' scale every masked pixel knows the pixel that it resembles. Its offset holds for all photo pixels that
it owns, so each of those fetches its own counterpart: detail of full resolution at the cost of one look-up. What the
refinement changed (light, colour, seams) is low-frequency, so the difference between the refined picture and the
fetched one, smoothed at the networks' scale, is enlarged and added.

Everything here runs over the masked pixels in bands of rows: memory follows the region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import Photo
from layoutbrush.runtime.pipeline.mask import Mask
from layoutbrush.runtime.pipeline.resample import owners

BAND = 256
"""Rows at a time."""

SMOOTHING = 2.0
"""Standard deviation, in network pixels, of the Gaussian that makes the correction low-frequency."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Networks:
    """What the networks made of a region: `region` of the photo at `extent` pixels.

    `correspondence`: int32 (h, w), `y << 16 | x` of the pixel copied from, in network pixels of the region; itself
    where nothing was searched. `refined`: float32 (3, h, w) in [0, 1].
    """

    region: Bounds
    extent: Extent
    correspondence: NDArray[np.int32]
    refined: Floats


def carry(photo: Photo, mask: Mask, networks: Networks, step: Callable[[float], None] = lambda _: None) -> Photo:
    """Return the mask's bounds at full resolution, uint8 (h, w, 3); outside the mask the photo's own pixels.

    `photo`: uint8 (H, W, 3), whole. `mask`: in the photo's coordinates, inside `networks.region`. `step` is called with
    the share done between bands and may raise, to cancel.
    """
    bounds = mask.bounds
    picture = photo[bounds.slices].copy()
    total = np.zeros((3, networks.extent.area), np.float64)
    count = np.zeros(networks.extent.area, np.float64)
    for k, band in enumerate(_bands(bounds)):
        step(0.6 * k * BAND / bounds.height)
        inside = mask.crop(band)
        rows, columns, owner = _masked(inside, band, networks)
        fetched = _fetch(photo, rows + band.y, columns + band.x, owner, networks)
        local = band.moved(-bounds.x, -bounds.y)
        picture[local.slices][rows, columns] = fetched
        count += np.bincount(owner, minlength=count.size)
        for c in range(3):
            total[c] += np.bincount(owner, weights=fetched[:, c], minlength=count.size)
    correction = _correction(networks, total, count)
    for k, band in enumerate(_bands(bounds)):
        step(0.6 + 0.4 * k * BAND / bounds.height)
        inside = mask.crop(band)
        view = picture[band.moved(-bounds.x, -bounds.y).slices]
        added = view + _enlarge(correction, band, networks)
        np.copyto(view, np.clip(np.rint(added), 0, 255).astype(np.uint8), where=inside[..., None])
    return picture


def _bands(bounds: Bounds) -> Iterator[Bounds]:
    for y in range(bounds.y, bounds.bottom, BAND):
        yield Bounds(bounds.x, y, bounds.width, min(BAND, bounds.bottom - y))


def _masked(
    inside: NDArray[np.bool_], band: Bounds, networks: Networks
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the masked pixels within `band`, and the network pixel (flat) that owns each."""
    rows, columns = np.nonzero(inside)
    region, extent = networks.region, networks.extent
    y = owners(region.height, extent.height)[rows + band.y - region.y]
    x = owners(region.width, extent.width)[columns + band.x - region.x]
    return rows, columns, y * extent.width + x


def _fetch(
    photo: Photo, rows: NDArray[np.intp], columns: NDArray[np.intp], owner: NDArray[np.intp], networks: Networks
) -> Photo:
    """Return for photo pixels (n,) the pixels that their owners' offsets lead to, uint8 (n, 3)."""
    region, extent = networks.region, networks.extent
    index = np.arange(extent.area, dtype=np.int64)
    packed = networks.correspondence.reshape(-1)
    # The offset of a network pixel, in photo pixels: the sub-position inside the owner is kept.
    down = np.rint(((packed >> 16) - index // extent.width) * (region.height / extent.height)).astype(np.intp)
    right = np.rint(((packed & 0xFFFF) - index % extent.width) * (region.width / extent.width)).astype(np.intp)
    y = np.clip(rows + down[owner], region.y, region.bottom - 1)
    x = np.clip(columns + right[owner], region.x, region.right - 1)
    found: Photo = photo[y, x]
    return found


def _correction(networks: Networks, total: NDArray[np.float64], count: NDArray[np.float64]) -> Floats:
    """Return the smoothed difference, refined minus fetched, in 0 .. 255, float32 (3, h, w).

    Smoothed over the masked pixels alone (normalised convolution), so that it stays right up to the mask's rim.
    """
    shape = networks.extent.shape
    weight = count.reshape(shape) > 0
    mean = (total / np.maximum(count, 1)).reshape(3, *shape)
    difference = np.where(weight, networks.refined * 255 - mean, 0).astype(np.float32)
    spread = _smooth(weight.astype(np.float32)) + np.float32(1e-6)
    return np.stack([_smooth(plane) / spread for plane in difference])


def _smooth(plane: Floats) -> Floats:
    """Return float32 (h, w) convolved with a Gaussian of SMOOTHING pixels, zero outside."""
    reach = int(3 * SMOOTHING)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        widths = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(plane, widths)
        size = plane.shape[axis]
        plane = sum(
            (tap * (padded[k : k + size] if axis == 0 else padded[:, k : k + size]) for k, tap in enumerate(taps)),
            start=np.zeros_like(plane),
        )
    return plane


def _enlarge(correction: Floats, band: Bounds, networks: Networks) -> Floats:
    """Return the part of the correction over `band` at full resolution, bilinear, float32 (h, w, 3)."""
    region, extent = networks.region, networks.extent
    across, down = extent.width / region.width, extent.height / region.height
    box = (
        (band.x - region.x) * across,
        (band.y - region.y) * down,
        (band.right - region.x) * across,
        (band.bottom - region.y) * down,
    )
    planes = [
        np.asarray(Image.fromarray(plane).resize((band.width, band.height), Image.Resampling.BILINEAR, box=box))
        for plane in correction
    ]
    return np.stack(planes, axis=-1)

"""From the networks' scale up to the photo's: fetch real pixels by the correspondence, add the low-frequency
correction.

At the networks' scale every masked pixel knows the pixel that it resembles. Its offset holds for all photo pixels
around it, so each of those fetches its own counterpart: detail of full resolution at the cost of one look-up. Where
neighbouring network pixels have different offsets, what they fetch is faded into each other, and only those whose label
is the photo pixel's own count, so that a painted outline stays as sharp as it was painted. What the refinement changed
(light, colour, seams) is low-frequency, so the difference between the refined picture and the fetched one, smoothed at
the networks' scale, is enlarged and added.

Everything here runs over the masked pixels in bands of rows: memory follows the region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline.events import LabelMap, Photo
from layoutbrush.runtime.pipeline.mask import Mask
from layoutbrush.runtime.pipeline.resample import owners

BAND = 256
"""Rows at a time."""

SMOOTHING = 2.0
"""Standard deviation, in network pixels, of the Gaussian that makes the correction low-frequency."""

Floats = NDArray[np.float32]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Networks:
    """What the networks made of a region: `region` of the photo at `extent` pixels.

    `correspondence`: int32 (h, w), `y << 16 | x` of the pixel copied from, in network pixels of the region. `mask`:
    bool (h, w), where it counts; True for every network pixel that owns a masked one. `edited`: int32 (h, w), label
    ids. `refined`: float32 (3, h, w) in [0, 1].
    """

    region: Bounds
    extent: Extent
    correspondence: NDArray[np.int32]
    mask: NDArray[np.bool_]
    edited: NDArray[np.int32]
    refined: Floats


def carry(
    photo: Photo, edited: LabelMap, mask: Mask, networks: Networks, step: Callable[[float], None] = lambda _: None
) -> Photo:
    """Return the mask's bounds at full resolution, uint8 (h, w, 3); outside the mask the photo's own pixels.

    `photo`: uint8 (H, W, 3), whole. `edited`: uint8 (H, W), the label map to follow. `mask`: in the photo's
    coordinates, inside `networks.region`. `step` is called with the share done between bands and may raise, to cancel.
    """
    bounds = mask.bounds
    picture = photo[bounds.slices].copy()
    total = np.zeros((3, networks.extent.area), np.float64)
    count = np.zeros(networks.extent.area, np.float64)
    fetcher = _Fetcher(photo, edited, networks)
    for k, band in enumerate(_bands(bounds)):
        step(0.6 * k * BAND / bounds.height)
        rows, columns = np.nonzero(mask.crop(band))
        fetched = fetcher.fetch(rows + band.y, columns + band.x)
        picture[band.moved(-bounds.x, -bounds.y).slices][rows, columns] = fetched
        owner = fetcher.owner(rows + band.y, columns + band.x)
        count += np.bincount(owner, minlength=count.size)
        for c in range(3):
            total[c] += np.bincount(owner, weights=fetched[:, c], minlength=count.size)
    correction = _correction(networks, total, count)
    for k, band in enumerate(_bands(bounds)):
        step(0.6 + 0.4 * k * BAND / bounds.height)
        view = picture[band.moved(-bounds.x, -bounds.y).slices]
        added = np.clip(np.rint(view + _enlarge(correction, band, networks)), 0, 255).astype(np.uint8)
        np.copyto(view, added, where=mask.crop(band)[..., None])
    return picture


def _bands(bounds: Bounds) -> Iterator[Bounds]:
    for y in range(bounds.y, bounds.bottom, BAND):
        yield Bounds(bounds.x, y, bounds.width, min(BAND, bounds.bottom - y))


class _Fetcher:
    """Fetches what photo pixels copy, by the offsets of the network pixels around them."""

    def __init__(self, photo: Photo, edited: LabelMap, networks: Networks) -> None:
        self.photo, self.edited = photo, edited
        self.region, self.extent = networks.region, networks.extent
        height, width = self.extent.shape
        rows, columns = np.mgrid[0:height, 0:width]
        packed = networks.correspondence
        # The offset of a network pixel, in photo pixels: the place inside the pixel is kept.
        down = np.rint(((packed >> 16) - rows) * (self.region.height / height)).astype(np.int32)
        right = np.rint(((packed & 0xFFFF) - columns) * (self.region.width / width)).astype(np.int32)
        same = networks.mask.copy()
        for values in (down, right, networks.edited):
            same[:-1, :-1] &= (values[:-1, :-1] == values[1:, :-1]) & (values[:-1, :-1] == values[1:, 1:])
            same[:-1, :-1] &= values[:-1, :-1] == values[:-1, 1:]
        same[:-1, :-1] &= networks.mask[1:, :-1] & networks.mask[:-1, 1:] & networks.mask[1:, 1:]
        self.down, self.right, self.same = (values.reshape(-1) for values in (down, right, same))
        self.mask, self.labels = networks.mask.reshape(-1), networks.edited.reshape(-1)
        self.row_owner, self.column_owner = owners(self.region.height, height), owners(self.region.width, width)

    def owner(self, rows: Index, columns: Index) -> Index:
        """Return the network pixel (flat) that owns each photo pixel."""
        y, x = self.row_owner[rows - self.region.y], self.column_owner[columns - self.region.x]
        return y * self.extent.width + x

    def fetch(self, rows: Index, columns: Index) -> Photo:
        """Return for photo pixels (n,) what is copied to them, uint8 (n, 3)."""
        top, low = _neighbours(rows - self.region.y, self.region.height, self.extent.height)
        left, across = _neighbours(columns - self.region.x, self.region.width, self.extent.width)
        first = top * self.extent.width + left
        found = self._copy(rows, columns, first)
        mixed = np.flatnonzero(~self.same[first])
        if mixed.size:
            found[mixed] = self._mix(rows[mixed], columns[mixed], top[mixed], left[mixed], low[mixed], across[mixed])
        return found

    def _copy(self, rows: Index, columns: Index, cell: Index) -> Photo:
        y = np.clip(rows + self.down[cell], self.region.y, self.region.bottom - 1)
        x = np.clip(columns + self.right[cell], self.region.x, self.region.right - 1)
        copied: Photo = self.photo[y, x]
        return copied

    def _mix(self, rows: Index, columns: Index, top: Index, left: Index, low: Floats, across: Floats) -> Photo:
        """Return the weighted mean of what the four network pixels around each photo pixel fetch, uint8 (n, 3)."""
        total = np.zeros((rows.size, 3), np.float32)
        weights = np.full(rows.size, 1e-12, np.float32)
        label = self.edited[rows, columns]
        for dy in (0, 1):
            for dx in (0, 1):
                y = np.minimum(top + dy, self.extent.height - 1)
                x = np.minimum(left + dx, self.extent.width - 1)
                cell = y * self.extent.width + x
                weight = (low if dy else 1 - low) * (across if dx else 1 - across)
                weight = (weight * weight + np.float32(1e-6)) * self.mask[cell]
                weight *= np.where(self.labels[cell] == label, np.float32(1), np.float32(1e-4))
                total += weight[:, None] * self._copy(rows, columns, cell)
                weights += weight
        mean: Photo = np.clip(np.rint(total / weights[:, None]), 0, 255).astype(np.uint8)
        return mean


def _neighbours(places: Index, size: int, cells: int) -> tuple[Index, Floats]:
    """Return for pixels of `size` the nearer lower one of `cells`, and how far the pixel is on the way to the next."""
    exact = (places + 0.5) * (cells / size) - 0.5
    lower = np.clip(np.floor(exact), 0, cells - 1).astype(np.intp)
    return lower, np.clip(exact - lower, 0, 1).astype(np.float32)


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

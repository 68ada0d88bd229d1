"""How sharp a filled region is: its power spectrum beside that of the same label elsewhere in the photo.

Luma (Rec. 601) on a scale of 0 to 255 is cut into windows of 64 x 64 pixels at every 32nd row and column; those count
whose pixels all belong to the region. From each its mean is taken, a Hann window is laid over it, and the squared
magnitude of its Fourier transform is averaged over all windows (Welch's method) and over rings of radial frequency,
octaves up to Nyquist: 1/64 to 1/32, 1/32 to 1/16, 1/16 to 1/8, 1/8 to 1/4 and 1/4 to 1/2 cycles a pixel, each without
its upper end. Two regions are compared in decibels, ten times the logarithm of the quotient of their powers, in each
band.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Of a window, in pixels."""
BANDS = ((1 / 64, 1 / 32), (1 / 32, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2))
"""In cycles a pixel."""
FEWEST = 4
"""Windows without which a region is too small to be measured."""
FLOOR = 1 / 12
"""Variance of the rounding to whole levels: power below it is no detail."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_BATCH = 256


def band_powers(photo: NDArray[np.uint8], region: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """Return the mean power in each of `BANDS`, float64, and in how many windows it was measured.

    `photo`: uint8 (H, W, 3). `region`: bool (H, W). The powers mean nothing where there are no windows.
    """
    places = _windows(region)
    hann = np.hanning(SIDE + 2)[1:-1].astype(np.float32)
    taper = hann[:, None] * hann
    total = np.zeros((SIDE, SIDE // 2 + 1), np.float64)
    for start in range(0, len(places), _BATCH):
        cut = [photo[y : y + SIDE, x : x + SIDE] for y, x in places[start : start + _BATCH]]
        luma = np.stack(cut).astype(np.float32) @ _LUMA
        mean = (luma * taper).sum((1, 2), keepdims=True) / taper.sum()
        total += np.square(np.abs(np.fft.rfft2((luma - mean) * taper))).sum(0)
    power = total / max(1, len(places)) / np.square(taper, dtype=np.float64).sum()
    # Of a real signal's transform one half is kept: its inner columns stand for two.
    weights = np.full(power.shape, 2.0)
    weights[:, [0, -1]] = 1.0
    radius: NDArray[np.float64] = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    rings = [np.nonzero((radius >= low) & (radius < high)) for low, high in BANDS]
    found = np.array([(power * weights)[ring].sum() / weights[ring].sum() for ring in rings])
    return found, len(places)


def decibels(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the powers of one region exceed those of another, in each band."""
    ratio: NDArray[np.float64] = 10 * np.log10(np.maximum(one, FLOOR) / np.maximum(other, FLOOR))
    return ratio


def _windows(region: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the upper left corners of the windows that lie in a region."""
    step = SIDE // 2
    height, width = region.shape[0] // step, region.shape[1] // step
    cells = region[: height * step, : width * step].reshape(height, step, width, step)
    tiles = np.asarray(cells.all(axis=(1, 3)), np.bool_)
    whole = tiles[:-1, :-1] & tiles[1:, :-1] & tiles[:-1, 1:] & tiles[1:, 1:]
    return [(int(y) * step, int(x) * step) for y, x in zip(*np.nonzero(whole), strict=True)]

"""Pixel metrics on 8-bit pictures: l1, PSNR, SSIM."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from layoutbrush.training.data.cv import box_mean

UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]

PSNR_CAP = 60.0
"""PSNR of equal pictures, in dB."""


def mean_absolute(a: UInt8, b: UInt8, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Mean |a - b| on the scale [0, 1], over the mask (H, W) when given; 0 where that is empty."""
    difference = np.abs(a.astype(np.float64) - b) / 255
    chosen = difference if mask is None else difference[mask]
    return float(chosen.mean()) if chosen.size else 0.0


def psnr(a: UInt8, b: UInt8, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """10 log10(1 / MSE) in dB on the scale [0, 1], at most PSNR_CAP."""
    square = np.square((a.astype(np.float64) - b) / 255)
    chosen = square if mask is None else square[mask]
    error = float(chosen.mean()) if chosen.size else 0.0
    return PSNR_CAP if error < 1e-6 else min(PSNR_CAP, -10 * math.log10(error))


def ssim_map(a: UInt8, b: UInt8, window: int = 7) -> Float64:
    """(H, W, 3) SSIM map (Wang et al. 2004) with a uniform window and unbiased covariances, as scikit-image's
    default.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    count = window * window
    mean_x, mean_y = box_mean(x, window), box_mean(y, window)
    unbias = count / (count - 1)
    variance_x = unbias * (box_mean(x * x, window) - mean_x * mean_x)
    variance_y = unbias * (box_mean(y * y, window) - mean_y * mean_y)
    covariance = unbias * (box_mean(x * y, window) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    result: Float64 = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return result


def ssim(a: UInt8, b: UInt8, mask: npt.NDArray[np.bool_] | None = None, window: int = 7) -> float:
    """Mean of the SSIM map: of its inner part (where the window fits) for the whole, or over the mask."""
    values = ssim_map(a, b, window)
    if mask is not None:
        return float(values[mask].mean()) if mask.any() else 1.0
    border = (window - 1) // 2
    return float(values[border:-border, border:-border].mean())

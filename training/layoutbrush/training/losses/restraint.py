"""Leave well alone: what a refiner changes costs where the warp was right already.

Equation 13 counts the error of the result alone. A pixel whose warp is a true copy of the photo and one whose warp is
a guess look alike in it, so the network repaints both. This term charges for the change, weighted by how small the
warp's own error is around the pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean

WINDOW = 9
"""Side in pixels of the window whose mean error says whether the warp is right."""


def restraint(refined: Tensor, warped: Tensor, truth: Tensor, mask: Tensor, scale: float = 0.05) -> Tensor:
    """Mean |refined - warped| times exp(-error / scale) inside the mask.

    Pictures (B, 3, H, W) in [0, 1]; mask (B, 1, H, W) in [0, 1]; error: mean |warped - truth| of the window around the
    pixel, in the same units.
    """
    with torch.no_grad():
        error = (warped.float() - truth.float()).abs().mean(1, keepdim=True) * mask
        share = F.avg_pool2d(mask.float(), WINDOW, 1, WINDOW // 2)
        around = F.avg_pool2d(error, WINDOW, 1, WINDOW // 2) / share.clamp_min(1e-3)
        right = torch.exp(-around / scale)
    return weighted_mean((refined.float() - warped.float()).abs() * right, mask)

"""l1 between pictures (first terms of equation 13); squared errors: of tasks in decibels, and of blurred pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean


def l1(picture: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of two pictures (B, 3, H, W), within ``weight`` (B, 1, H, W) when given."""
    return weighted_mean((picture.float() - truth.float()).abs(), weight)


def log_l2(picture: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tasks of the logarithm of each one's mean squared error inside the mask: PSNR as it is averaged.

    A plain mean is led by the few tasks that nobody could guess; here a tenth less error counts the same in each.
    picture, truth (B, 3, H, W); mask (B, 1, H, W) in [0, 1]. One unit is 4.3 dB; errors below 40 dB count no further.
    """
    error = ((picture.float() - truth.float()).square() * mask.float()).sum((1, 2, 3))
    mean = error / (picture.shape[1] * mask.float().sum((1, 2, 3))).clamp_min(1)
    return (mean + 1e-4).log().mean()


def blurred_l2(picture: Tensor, truth: Tensor, mask: Tensor, sides: tuple[int, ...] = (4, 8, 16)) -> Tensor:
    """Mean squared difference of the mean colours of squares of each side, over the masked pixels of each square.

    Texture that is right but elsewhere costs nothing here, light and colour that are wrong do: the squared error's
    mean is the colour to expect, without the blur that it makes of pixels. picture, truth (B, 3, H, W); mask
    (B, 1, H, W) in [0, 1]; H and W multiples of the sides.
    """
    difference = (picture.float() - truth.float()) * mask.float()
    terms = []
    for side in sides:
        share = F.avg_pool2d(mask.float(), side)
        mean = F.avg_pool2d(difference, side) / share.clamp_min(1e-3)
        terms.append(weighted_mean(mean.square(), share))
    return torch.stack(terms).mean()

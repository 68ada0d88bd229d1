"""Colours and labels from what is known around: the first guess where no label tells what belongs there."""

from __future__ import annotations

import torch
import torch.nn.functional as F

RADII = (24, 8, 3, 1)
"""Of the windows, in pixels of the scale at which it is used."""


def diffuse(planes: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Means over windows of the known pixels, each as small as holds some: near the rim its colours, far away the mean.

    Args:
        planes: (B, C, h, w) float32, colours or shares of labels.
        weight: (B, 1, h, w) float32 in [0, 1], 0 = unknown.

    Returns:
        (B, C, h, w) float32; 0 where nothing at all is known.
    """
    stack = torch.cat([planes * weight, weight], 1)
    whole = stack.mean((2, 3), keepdim=True)
    filled = (whole[:, :-1] / whole[:, -1:].clamp_min(1e-6)).expand_as(planes)
    for radius in RADII:
        side = 2 * radius + 1
        rows = F.avg_pool2d(stack, (side, 1), 1, (radius, 0))
        window = F.avg_pool2d(rows, (1, side), 1, (0, radius))
        share = window[:, -1:]
        sure = (share * 8.0).clamp_max(1.0)
        filled = filled + sure * (window[:, :-1] / share.clamp_min(1e-6) - filled)
    return filled

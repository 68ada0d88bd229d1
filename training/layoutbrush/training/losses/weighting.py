"""Means over the part of a map that the mask covers."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def fit(weight: Tensor, size: tuple[int, int]) -> Tensor:
    """Weights (B, 1, H, W) averaged down to (B, 1, h, w)."""
    return weight if weight.shape[-2:] == size else F.adaptive_avg_pool2d(weight, size)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of (B, C, h, w) with weights (B, 1, H, W) of any size; 0 where all are 0. Without weights the plain mean."""
    values = values.float()
    if weight is None:
        return values.mean()
    share = fit(weight.float(), (values.shape[-2], values.shape[-1]))
    return (values * share).sum() / (share.sum() * values.shape[1]).clamp_min(1e-6)

"""l1 between pictures (first terms of equation 13)."""

from __future__ import annotations

from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean


def l1(picture: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of two pictures (B, 3, H, W), within ``weight`` (B, 1, H, W) when given."""
    return weighted_mean((picture.float() - truth.float()).abs(), weight)

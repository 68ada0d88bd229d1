"""Domain alignment (equation 7): layout features and image features of the same picture lie in one space."""

from __future__ import annotations

from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean


def domain_alignment(layout_features: Tensor, image_features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the layout's features and those of the true picture, both (B, C, H, W).

    The gradient stops on the image's side: pulled from both sides the features collapse. Ramp it in late and small.
    """
    return weighted_mean((layout_features.float() - image_features.detach().float()).abs(), mask)


def ramp(progress: float, start: float, end: float, weight: float) -> float:
    """Weight of a loss that comes in late: 0 before ``start``, ``weight`` from ``end``, linear between."""
    if end <= start:
        return weight if progress >= start else 0.0
    return weight * min(1.0, max(0.0, (progress - start) / (end - start)))

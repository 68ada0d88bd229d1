"""Losses on the features of a fixed network: feature matching (equation 6), perceptual (equation 8, also in 13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean

Features = Callable[[Tensor], Sequence[Tensor]]
"""Pictures (B, 3, H, W) in [0, 1] -> feature maps, shallow to deep."""


def feature_matching(
    found: Sequence[Tensor],
    truth: Sequence[Tensor],
    weights: Sequence[float],
    mask: Tensor | None = None,
) -> Tensor:
    """Eq. 6: weighted sum over the layers of the mean absolute difference of features.

    Layers are counted in units of the truth's own magnitude, so that no layer speaks louder for its scale. For the
    warp: features of the warped picture against those of the picture that it should be.
    """
    total = found[0].new_zeros((), dtype=torch.float32)
    for mine, theirs, weight in zip(found, truth, weights, strict=True):
        if weight > 0:
            theirs = theirs.detach().float()
            scale = theirs.square().mean(1, keepdim=True).sqrt().mean((2, 3), keepdim=True) + 1e-3  # (B, 1, 1, 1)
            total = total + weight * weighted_mean((mine.float() - theirs).abs() / scale, mask)
    return total


def perceptual(found: Sequence[Tensor], truth: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
    """Eq. 8: mean squared distance of unit feature vectors, averaged over the layers.

    Unit vectors (Zhang et al., CVPR 2018) make it blind to contrast; pair it with feature matching or l1.
    """
    total = found[0].new_zeros((), dtype=torch.float32)
    for mine, theirs in zip(found, truth, strict=True):
        a = _unit(mine.float())
        b = _unit(theirs.detach().float())
        total = total + weighted_mean((a - b).square().sum(1, keepdim=True), mask)
    return total / len(found)


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()

"""Cycle consistency (equation 10): warping the warped picture back returns the photo."""

from __future__ import annotations

from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean


def cycle(returned: Tensor, photo: Tensor, reached: Tensor | None = None) -> Tensor:
    """l1 between the photo and what came back, both (B, 3, H, W).

    ``reached`` (B, 1, H, W): only pixels that the forward warp took can come back; weight of each, or None for all.
    """
    return weighted_mean((returned.float() - photo.float()).abs(), reached)

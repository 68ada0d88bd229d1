"""Style distance: relative difference of Gram matrices (Gatys, Ecker, Bethge 2016), averaged over layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def gram(features: Tensor, weight: Tensor | None = None) -> Tensor:
    """(B, C, h, w) features, optional (B, 1, h, w) weights -> (B, C, C) F diag(w) F^T, not normalised."""
    flat = features.float().flatten(2)  # (B, C, h*w)
    weighted = flat if weight is None else flat * weight.flatten(2)
    return weighted @ flat.transpose(1, 2)


def style_distance(found: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
    """Mean over layers of sum |G(found) - G(wanted)| / sum |G(wanted)|, (B,).

    A mask (B, H, W) bool weights the positions, area-averaged to each layer's grid.
    """
    terms = []
    for a, b in zip(found, wanted, strict=True):
        weight = None if mask is None else F.interpolate(mask[:, None].float(), size=a.shape[-2:], mode="area")
        theirs = gram(b, weight)
        difference = (gram(a, weight) - theirs).abs().sum((1, 2))
        terms.append(difference / theirs.abs().sum((1, 2)).clamp_min(1e-12))
    return torch.stack(terms).mean(0)

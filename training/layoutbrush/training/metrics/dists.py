"""Structure and texture similarity of features, after DISTS (Ding et al., TPAMI 2020), over any features.

Of every channel the means of both pictures are compared (texture) and their covariance (structure). Here all channels
weigh the same: nothing is fitted to people's answers, and nothing needs other weights than the features' own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6


def structure_texture(found: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
    """1 - mean over layers and channels of (texture + structure) / 2, (B,), 0 for equal features and at most 2.

    found, wanted: (B, C, h, w) a layer. A mask (B, H, W) bool weights the positions, area-averaged to each layer's
    grid; 0 where it is empty.
    """
    terms = []
    for a, b in zip(found, wanted, strict=True):
        x, y = a.float().flatten(2), b.float().flatten(2)  # (B, C, P)
        if mask is None:
            weight = torch.full_like(x[:, :1], 1 / x.shape[2])
        else:
            share = F.interpolate(mask[:, None].float(), size=a.shape[-2:], mode="area").flatten(2)
            weight = share / share.sum(2, keepdim=True).clamp_min(1e-9)
        mean_x, mean_y = (x * weight).sum(2), (y * weight).sum(2)  # (B, C)
        dx, dy = x - mean_x[..., None], y - mean_y[..., None]
        spread_x, spread_y = (dx.square() * weight).sum(2), (dy.square() * weight).sum(2)
        shared = (dx * dy * weight).sum(2)
        texture = (2 * mean_x * mean_y + EPSILON) / (mean_x.square() + mean_y.square() + EPSILON)
        structure = (2 * shared + EPSILON) / (spread_x + spread_y + EPSILON)
        terms.append(1 - (0.5 * (texture + structure)).mean(1))
    return torch.stack(terms).mean(0)

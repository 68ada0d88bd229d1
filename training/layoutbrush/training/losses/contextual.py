"""Contextual loss (equation 9; Mechrez et al., ECCV 2018): every feature finds a like one, wherever it is."""

from __future__ import annotations

import torch
from torch import Tensor


def contextual(found: Tensor, truth: Tensor, bandwidth: float = 0.5, positions: int = 1024) -> Tensor:
    """-log of the mean, over the truth's features, of their best contextual similarity to a found feature.

    found, truth (B, C, h, w). Cosine distance to the truth's mean, relative to each found feature's nearest neighbour.
    Maps of more than ``positions`` places are thinned evenly to bound the (P, Q) table. 0 for equal maps of distinct
    features, large when nothing matches.
    """
    with torch.autocast(found.device.type, enabled=False):
        x, y = _thin(found.float(), positions), _thin(truth.detach().float(), positions)
        centre = y.mean(2, keepdim=True)
        x, y = _unit(x - centre), _unit(y - centre)
        distance = (1 - x.transpose(1, 2) @ y).clamp_min(0)  # (B, P, Q)
        relative = distance / (distance.amin(2, keepdim=True) + 1e-3)
        similarity = ((1 - relative) / bandwidth).softmax(2)  # each found feature spreads 1 over the truth
        best = similarity.amax(1).mean(1)  # (B,)
        return -(best + 1e-6).log().mean()


def _thin(x: Tensor, positions: int) -> Tensor:
    flat = x.flatten(2)  # (B, C, P)
    step = -(-flat.shape[2] // positions)
    return flat[:, :, ::step]


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()

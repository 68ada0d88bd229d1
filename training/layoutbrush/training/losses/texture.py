"""Energy of texture: how much of each small pattern a neighbourhood holds, whatever its place.

A feature loss asks for texture but not for which: a weave with the period of the networks' strides earns as much as
grass. Here the picture passes a bank of eight 3 x 3 patterns without a mean (products of the three-point discrete
cosine transform) at full, half and quarter size. The magnitudes of their answers, averaged over neighbourhoods, must be
the truth's: too little is blur, too much of one pattern is a weave.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.losses.weighting import fit, weighted_mean

NEIGHBOURHOOD = 16
"""Side in pixels over which magnitudes are averaged."""
FLOOR = 0.01
"""Magnitude that counts as nothing, in units of the picture."""


def patterns() -> Tensor:
    """(8, 1, 3, 3): the products of the three-point cosine transform but the constant one, each of norm 1."""
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    rows = rows / rows.norm(dim=1, keepdim=True)
    bank = torch.einsum("ai,bj->abij", rows, rows).reshape(9, 1, 3, 3)
    return bank[1:]


def texture_energy(found: Tensor, truth: Tensor, mask: Tensor, scales: int = 3) -> Tensor:
    """Mean over patterns and scales of |log found - log truth| of the energies inside the mask.

    found, truth (B, 3, H, W) in [0, 1]; mask (B, 1, H, W) in [0, 1].
    """
    bank = patterns().to(found.device)
    grey = torch.cat([found.float(), truth.detach().float()]).mean(1, keepdim=True)
    side = NEIGHBOURHOOD
    terms = []
    for scale in range(scales):
        if scale:
            grey, side = F.avg_pool2d(grey, 2), side // 2
        answers = F.conv2d(grey, bank, padding=1).square()
        inside = fit(mask.float(), (answers.shape[-2], answers.shape[-1]))
        share = F.avg_pool2d(inside, side, side // 2).clamp_min(1e-3)
        energy = F.avg_pool2d(answers * inside.repeat(2, 1, 1, 1), side, side // 2) / share.repeat(2, 1, 1, 1)
        mine, theirs = (0.5 * (energy + FLOOR**2).log()).chunk(2)
        terms.append(weighted_mean((mine - theirs).abs(), share))
    return torch.stack(terms).mean()

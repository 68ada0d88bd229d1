"""A query should find the place it stands for: the domain alignment as a contrast (InfoNCE, van den Oord et al. 2018).

Plain alignment (equation 7) from the first step pulls all features together. Here the features of the true picture at
the same pixel are the right answer among many others, so that being alike everywhere does not help.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def correspondence(query: Tensor, answer: Tensor, where: Tensor, count: int = 256, temperature: float = 0.05) -> Tensor:
    """Mean cross-entropy of finding each query's own pixel in `answer` among `count` drawn ones.

    query, answer: (B, h, w, C) unit vectors; the gradient stops at `answer`. where: (B, h, w) bool, pixels to draw
    from. Returns a scalar >= 0; 0 where `where` is empty. Draws from torch's generator.
    """
    total, used = query.new_zeros(()), 0
    for features, answers, mask in zip(query, answer.detach(), where, strict=True):
        places = mask.flatten().nonzero()[:, 0]
        if len(places) < 2:
            continue
        places = places[torch.randperm(len(places), device=places.device)[:count]]
        drawn = features.flatten(0, 1)[places].float()
        logits = drawn @ answers.flatten(0, 1)[places].float().T / temperature
        total = total + F.cross_entropy(logits, torch.arange(len(places), device=places.device))
        used += 1
    return total / max(used, 1)

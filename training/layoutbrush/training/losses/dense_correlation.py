"""Distillation of a dense correlation at low resolution into the queries (US 11,636,570 B2, the staged training).

A few keys a query give a gradient to those keys alone, and at first they are mostly wrong. At low resolution all
keys can be looked at: the features of the true picture tell which part of the photo each pixel resembles, and the
query, which has not seen the truth, learns to spread its likeness in the same way.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dense_distillation(
    query: Tensor,
    teacher: Tensor,
    key: Tensor,
    where: Tensor,
    valid: Tensor,
    count: int = 256,
    temperature: float = 0.02,
) -> Tensor:
    """Mean cross-entropy of the query's distribution over all keys against the teacher's, less the teacher's entropy.

    Args:
        query: (B, h, w, C) unit vectors that learn.
        teacher: (B, h, w, C) unit vectors of the true picture at the same pixels.
        key: (B, hk, wk, C) unit vectors of the photo. No gradient reaches the keys or the teacher.
        where: (B, h, w) bool, pixels to draw from.
        valid: (B, hk, wk) bool, keys that may be copied.
        count: how many pixels are drawn, from torch's generator.
        temperature: of both distributions (> 0).

    Returns:
        A scalar >= 0 (Kullback-Leibler divergence); 0 where there is nothing to draw or nothing to copy.
    """
    total, used = query.new_zeros(()), 0
    for student, answer, keys, mask, copied in zip(query, teacher.detach(), key.detach(), where, valid, strict=True):
        places = mask.flatten().nonzero()[:, 0]
        table = keys.flatten(0, 1)[copied.flatten()].float()  # (K, C)
        if not len(places) or not len(table):
            continue
        places = places[torch.randperm(len(places), device=places.device)[:count]]
        wanted = F.log_softmax(answer.flatten(0, 1)[places].float() @ table.T / temperature, -1)
        found = F.log_softmax(student.flatten(0, 1)[places].float() @ table.T / temperature, -1)
        total = total + F.kl_div(found, wanted, reduction="batchmean", log_target=True)
        used += 1
    return total / max(used, 1)

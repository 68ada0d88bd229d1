"""The figures of Layout2Im's table, over whatever networks they are given.

Inception score (Salimans et al., NIPS 2016) from class probabilities; accuracy of a classifier on generated objects;
diversity (Zhu et al., NIPS 2017): the mean distance between drafts of one layout, usually LPIPS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TypeAlias

import torch
from torch import Tensor

Classes: TypeAlias = Callable[[Tensor], Tensor]
"""Pictures (B, 3, H, W) in [0, 1] -> probabilities (B, C)."""
Distance: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Two (B, 3, H, W) in [0, 1] -> (B,)."""


def inception_score(probabilities: Tensor, splits: int = 1) -> tuple[float, float]:
    """Mean and standard deviation over ``splits`` of exp(mean KL of p(y|x) from p(y)); (N, C), N >= splits.

    1 at least, C at most. Raises ValueError for fewer pictures than splits.
    """
    if len(probabilities) < splits or splits < 1:
        raise ValueError(f"an inception score of {splits} parts needs as many pictures, not {len(probabilities)}")
    parts = []
    for part in probabilities.double().tensor_split(splits):
        marginal = part.mean(0, keepdim=True)
        tiny = torch.finfo(torch.float64).tiny
        divergence = (part * (part.clamp_min(tiny).log() - marginal.clamp_min(tiny).log())).sum(1)
        parts.append(float(divergence.mean().exp()))
    values = torch.tensor(parts)
    return float(values.mean()), float(values.std(correction=0))


def accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of objects whose likeliest class, (N, C), is their label, (N,). Raises ValueError for none."""
    if not len(labels):
        raise ValueError("no objects to classify")
    return float((probabilities.argmax(1) == labels).double().mean())


def chance(labels: Tensor) -> float:
    """Accuracy of always naming the most frequent label: what a classifier that sees nothing reaches."""
    return float(torch.bincount(labels).max() / len(labels))


def shuffled_chance(labels: Tensor) -> float:
    """Expected accuracy of the right labels in random order: the sum of the squared shares of the labels."""
    shares = torch.bincount(labels).double() / len(labels)
    return float(shares.square().sum())


def diversity(samples: Sequence[Tensor], distance: Distance) -> Tensor:
    """(B,) mean distance over all pairs of ``samples``, each (B, 3, H, W): one draft of each layout. Two samples at
    least, else ValueError.
    """
    if len(samples) < 2:
        raise ValueError("diversity needs two drafts of each layout")
    return torch.stack([distance(a, b) for a, b in combinations(samples, 2)]).mean(0)

"""Exponential moving averages of modules."""

from __future__ import annotations

import copy

import torch
from torch import nn


def make_average(module: nn.Module) -> nn.Module:
    """A copy that takes no gradients and stays in eval mode."""
    average = copy.deepcopy(module)
    average.requires_grad_(False)
    return average.eval()


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``module``; early steps count more: decay <= (1 + step) / (10 + step).

    Buffers are copied. Integers cannot be averaged and are copied too.
    """
    weight = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    for mine, theirs in zip(average.parameters(), module.parameters(), strict=True):
        mine.lerp_(theirs.detach(), weight)
    for kept, given in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(given)

"""Processes of one run share their gradients once, just before the optimizer steps.

Not during backward, as DistributedDataParallel does: a training step here may run a module several times, call it past
its wrapper, take a gradient of a gradient (R1), or leave parts of it alone in one process and not in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def share_gradients(fabric: Any, parameters: Sequence[nn.Parameter]) -> None:
    """Makes each gradient the mean over the processes; one that only some of them have counts as 0 in the others."""
    if fabric.world_size == 1 or not parameters:
        return
    device = parameters[0].device
    present = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32, device=device)
    present = fabric.all_reduce(present, reduce_op="max")
    shared = [p for p, there in zip(parameters, present.tolist(), strict=True) if there]
    if not shared:
        return
    flat = torch.cat([_gradient(p).flatten() for p in shared])
    flat = fabric.all_reduce(flat, reduce_op="mean")
    for parameter, mean in zip(shared, flat.split([p.numel() for p in shared]), strict=True):
        parameter.grad = mean.view_as(parameter).to(parameter.dtype)


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter).float() if parameter.grad is None else parameter.grad.float()

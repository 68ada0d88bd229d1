"""SparseAttentionWarp in plain torch: the slow twin that tests hold the op and its gradients against.

Written for reading: it holds every vote of every query in memory at once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from layoutbrush.training.ops.coordinates import unpack

FILLER_BOUND = -9999.0
"""A slot whose score is at or below this holds no key."""


def sparse_attention_warp_twin(
    values: Tensor,
    keys: Tensor,
    scores: Tensor,
    query_mask: Tensor | None = None,
    *,
    gamma: float,
    reach: int = 0,
) -> Tensor:
    """What `sparse_attention_warp` computes, differentiable by torch alone; same arguments and result."""
    batch, rows, columns, depth = values.shape
    height, width = keys.shape[2:4]
    index, logits = _votes(keys, scores, query_mask, rows, columns, gamma, reach)  # (B, H, W, T) both
    weights = torch.softmax(logits, dim=-1)
    flat = values.reshape(batch, rows * columns, depth)
    picked = torch.gather(flat, 1, index.reshape(batch, -1, 1).expand(-1, -1, depth))
    picked = picked.reshape(batch, height, width, -1, depth)
    return (weights.unsqueeze(-1) * picked).sum(dim=3)


def _votes(
    keys: Tensor, scores: Tensor, query_mask: Tensor | None, rows: int, columns: int, gamma: float, reach: int
) -> tuple[Tensor, Tensor]:
    """Every vote of every query, T = N M (2 reach + 1)^2: flat key index int64, logit float; (B, H, W, T)."""
    batch, iterations, height, width, particles = keys.shape
    own = iterations * particles
    keys = keys.permute(0, 2, 3, 1, 4).reshape(batch, height, width, own)
    scores = scores.permute(0, 2, 3, 1, 4).reshape(batch, height, width, own)
    found = scores > FILLER_BOUND
    span = range(-reach, reach + 1)
    offsets = sorted(((dy, dx) for dy in span for dx in span), key=lambda offset: offset != (0, 0))  # own keys first
    index, valid, logits = [], [], []
    for dy, dx in offsets:
        near_rows, near_columns = unpack(_shifted(keys, dy, dx))
        near_rows = (near_rows - dy).clamp(0, rows - 1)
        near_columns = (near_columns - dx).clamp(0, columns - 1)
        index.append(near_rows * columns + near_columns)
        votes = _shifted(found, dy, dx)
        if query_mask is not None and (dy, dx) != (0, 0):  # neighbours vote within the mask only
            mask = query_mask.unsqueeze(-1)
            votes = votes & mask & _shifted(mask, dy, dx)
        valid.append(votes)
        logits.append(gamma * _shifted(scores, dy, dx))
    all_valid = torch.cat(valid, dim=-1)
    all_logits = torch.cat(logits, dim=-1).masked_fill(~all_valid, float("-inf"))
    # a query for which nothing is valid: its own keys, all alike
    uniform = torch.full_like(all_logits, float("-inf"))
    uniform[..., :own] = 0.0
    all_logits = torch.where(all_valid.any(dim=-1, keepdim=True), all_logits, uniform)
    return torch.cat(index, dim=-1), all_logits


def _shifted(grid: Tensor, dy: int, dx: int) -> Tensor:
    """The grid (B, H, W, S) read at (y + dy, x + dx); zero (False) outside."""
    height, width = grid.shape[1:3]
    margin = max(abs(dy), abs(dx))
    whole = grid.to(torch.uint8) if grid.dtype == torch.bool else grid
    padded = functional.pad(whole, (0, 0, margin, margin, margin, margin))
    part = padded[:, margin + dy : margin + dy + height, margin + dx : margin + dx + width]
    return part.to(grid.dtype)

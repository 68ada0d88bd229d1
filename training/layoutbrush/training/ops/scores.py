"""Float scores of keys that the search has found, with gradients to the features of both sides.

The search itself is integer work without a gradient. Recomputing the scores of what it found, and
weighing the warp by them, lets the loss reach both feature pyramids.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from layoutbrush.training.ops.coordinates import flat_index
from layoutbrush.training.ops.twin import FILLER_BOUND

FILLER_SCORE = -1e4
"""Score of a slot that holds no key."""


class _GatherDot(torch.autograd.Function):
    """dot(query[p], key[index[p, t]]) for every query p and slot t.

    The three sums (the scores, and the gradients of either side) are those of an embedding bag, whose
    kernels gather row by row: nothing of size P * T * C is ever held, and a loop of gathers is slower.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, index: Tensor) -> Tensor:
        """query (P, C), key (Q, C), index (P, T) int64 rows of key -> (P, T)."""
        ctx.save_for_backward(query, key, index)
        with torch.enable_grad():
            # the gradient of sum_t w_t key[t] with respect to w_t, along the query, is their dot product
            weights = query.new_zeros(index.shape, requires_grad=True)
            bags = functional.embedding_bag(index, key.detach(), per_sample_weights=weights, mode="sum")
            (dots,) = torch.autograd.grad(bags, weights, query.detach())
        return dots

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Sums of rows weighed by the incoming gradient (P, T), either way."""
        query, key, index = ctx.saved_tensors
        grad = grads[0].contiguous()
        with torch.enable_grad():
            table = key.detach().requires_grad_(ctx.needs_input_grad[1])
            bags = functional.embedding_bag(index, table, per_sample_weights=grad, mode="sum")
        grad_key = torch.autograd.grad(bags, table, query)[0] if ctx.needs_input_grad[1] else None
        return (bags.detach() if ctx.needs_input_grad[0] else None), grad_key, None


def gather_dot(query: Tensor, key: Tensor, index: Tensor) -> Tensor:
    """query (P, C), key (Q, C), index (P, T) int64 -> (P, T), dot(query[p], key[index[p, t]]); differentiable."""
    dots: Tensor = _GatherDot.apply(query, key, index)  # type: ignore[no-untyped-call]
    return dots


def key_scores(
    query: Tensor,
    key: Tensor,
    query_labels: Tensor,
    key_labels: Tensor,
    keys: Tensor,
    scores: Tensor | None = None,
    *,
    label_penalty: float,
    ignore_label: int = 255,
) -> Tensor:
    """Scores of found keys in float32, q . k - label_penalty * [labels differ].

    Args:
        query: (B, H, W, C) float features.
        key: (B, Hk, Wk, C) float features.
        query_labels: (B, H, W) int32.
        key_labels: (B, Hk, Wk) int32.
        keys: (B, K, H, W, M) int32 packed, from `key_index_sampling`.
        scores: (B, K, H, W, M) float32 as the search returned them: its slots without a key keep -1e4
            here. None where every slot is known to hold a key.
        label_penalty: as given to the search.
        ignore_label: as given to the search.

    Returns:
        (B, K, H, W, M) float32 with gradients to `query` and `key`. It differs from the search's scores
        by the rounding of the features alone.
    """
    batch, iterations, height, width, particles = keys.shape
    rows, columns, depth = key.shape[1:]
    index = flat_index(keys, columns).permute(0, 2, 3, 1, 4).reshape(batch, height * width, -1)  # (B, HW, KM)
    first_row = torch.arange(batch, device=keys.device).reshape(-1, 1, 1) * (rows * columns)
    index = (index + first_row).reshape(batch * height * width, -1)  # rows of all images' keys in one table
    found = gather_dot(
        query.float().reshape(-1, depth).contiguous(), key.float().reshape(-1, depth).contiguous(), index
    )
    own_labels = query_labels.reshape(-1, 1)
    differs = (key_labels.reshape(-1)[index] != own_labels) & (own_labels != ignore_label)
    found = found - label_penalty * differs.to(found.dtype)
    found = found.reshape(batch, height, width, iterations, particles).permute(0, 3, 1, 2, 4)
    if scores is not None:
        found = found.masked_fill(scores <= FILLER_BOUND, FILLER_SCORE)
    return found.contiguous()

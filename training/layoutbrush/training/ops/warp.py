"""SparseAttentionWarp as a torch op, differentiable in values and scores (US 11,636,570 B2, Equation 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from layoutbrush.training.ops import backend, on_cuda

FORWARD_SCHEMA = "(Tensor values, Tensor keys, Tensor scores, Tensor? query_mask, float gamma, int reach) -> Tensor"
BACKWARD_SCHEMA = (
    "(Tensor grad, Tensor values, Tensor keys, Tensor scores, Tensor? query_mask, float gamma, int reach)"
    " -> (Tensor, Tensor)"
)


@torch.library.custom_op("layoutbrush::sparse_attention_warp", mutates_args=(), schema=FORWARD_SCHEMA)
def sparse_attention_warp_op(
    values: Tensor, keys: Tensor, scores: Tensor, query_mask: Tensor | None, gamma: float, reach: int
) -> Tensor:
    """The bare op; `sparse_attention_warp` is the function to call."""
    if values.is_cuda and on_cuda.usable():
        return on_cuda.sparse_attention_warp(values, keys, scores, query_mask, gamma, reach)
    module, how = backend.implementation()
    warped = module.sparse_attention_warp(
        backend.view(values),
        backend.view(keys),
        backend.view(scores),
        query_mask=backend.optional_view(query_mask),
        gamma=gamma,
        reach=reach,
        **how,
    )
    return backend.tensor_of(warped, values)


@sparse_attention_warp_op.register_fake
def _(values: Tensor, keys: Tensor, scores: Tensor, query_mask: Tensor | None, gamma: float, reach: int) -> Tensor:
    batch, _, height, width, _ = keys.shape
    return values.new_empty((batch, height, width, values.shape[3]))


@torch.library.custom_op("layoutbrush::sparse_attention_warp_backward", mutates_args=(), schema=BACKWARD_SCHEMA)
def sparse_attention_warp_backward_op(
    grad: Tensor,
    values: Tensor,
    keys: Tensor,
    scores: Tensor,
    query_mask: Tensor | None,
    gamma: float,
    reach: int,
) -> tuple[Tensor, Tensor]:
    """Gradients of the warp with respect to values and scores, given `grad` (B, H, W, V)."""
    if values.is_cuda and on_cuda.usable():
        return on_cuda.sparse_attention_warp_backward(grad, values, keys, scores, query_mask, gamma, reach)
    module, how = backend.implementation()
    grad_values, grad_scores = module.sparse_attention_warp_backward(
        backend.view(grad),
        backend.view(values),
        backend.view(keys),
        backend.view(scores),
        query_mask=backend.optional_view(query_mask),
        gamma=gamma,
        reach=reach,
        **how,
    )
    return backend.tensor_of(grad_values, values), backend.tensor_of(grad_scores, scores)


@sparse_attention_warp_backward_op.register_fake
def _(
    grad: Tensor,
    values: Tensor,
    keys: Tensor,
    scores: Tensor,
    query_mask: Tensor | None,
    gamma: float,
    reach: int,
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(values), torch.empty_like(scores)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, keys, scores, query_mask, gamma, reach = inputs
    ctx.save_for_backward(values, keys, scores, query_mask)
    ctx.gamma, ctx.reach = gamma, reach


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    values, keys, scores, query_mask = ctx.saved_tensors
    grad_values, grad_scores = sparse_attention_warp_backward_op(
        grad.contiguous(), values, keys, scores, query_mask, ctx.gamma, ctx.reach
    )
    return (
        grad_values if ctx.needs_input_grad[0] else None,
        None,
        grad_scores if ctx.needs_input_grad[2] else None,
        None,
        None,
        None,
    )


sparse_attention_warp_op.register_autograd(_backward, setup_context=_setup_context)


def sparse_attention_warp(
    values: Tensor,
    keys: Tensor,
    scores: Tensor,
    query_mask: Tensor | None = None,
    *,
    gamma: float,
    reach: int = 0,
) -> Tensor:
    """Fetches values at the keys of every query, weighed by a softmax of their scores.

    Args:
        values: (B, Hk, Wk, V) float, what is fetched: pixels or features; computed in float32.
        keys: (B, N, H, W, M) int32 packed coordinates `y << 16 | x` into the grid of `values`.
        scores: (B, N, H, W, M) float; at or below -9999 the slot holds no key.
        query_mask: (B, H, W) bool, False where a query votes for no other and none votes for it.
        gamma: sharpness of the softmax (> 0).
        reach: 0 is Equation 4: softmax(gamma * scores) over the N * M keys of the query. Above 0 the keys
            of every query p + d with |d| <= reach vote too, each moved by -d (Wexler, Shechtman, Irani 2007).

    Returns:
        warped (B, H, W, V) float32, with gradients to `values` and `scores`.
    """
    warped: Tensor = sparse_attention_warp_op(values.float(), keys, scores.float(), query_mask, gamma, reach)
    return warped

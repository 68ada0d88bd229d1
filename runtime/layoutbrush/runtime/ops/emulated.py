"""The code of the CUDA kernels, run on the CPU: what tests hold against the reference where there is no GPU.

One thread, one query after the other; schedule "jump_flood" only. Shapes, rules and errors as in `reference`;
NativeUnavailable where the library is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layoutbrush.runtime.ops import library
from layoutbrush.runtime.ops.arguments import F32, I32, Mask, check_sampling, check_warp
from layoutbrush.runtime.ops.errors import OpError


def key_index_sampling(**arguments: Any) -> tuple[I32, F32]:
    """KeyIndexSampling; keyword arguments as of `reference.key_index_sampling`."""
    given = {"query_mask": None, "key_mask": None, "init": None, "seed": 0, "propagations": 1, "ignore_label": 255}
    call = check_sampling(**{**given, "keep": 1, "schedule": "jump_flood", **arguments})
    batch, height, width, _ = call.query.shape
    keys = np.empty((batch, call.keep, height, width, call.particles), np.int32)
    scores = np.empty(keys.shape, np.float32)
    windows, strides = np.array(call.windows, np.int32), np.array(call.strides, np.int32)
    library.call("lb_emulated_key_index_sampling", library.sampling_struct(call, keys, scores, windows, strides))
    return keys, scores


def sparse_attention_warp(
    values: F32, keys: I32, scores: F32, *, query_mask: Mask | None = None, gamma: float, reach: int = 0
) -> F32:
    """SparseAttentionWarp."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    batch, _, height, width, _ = call.keys.shape
    warped = np.empty((batch, height, width, call.values.shape[3]), np.float32)
    struct = library.warp_struct(call)
    struct.warped = library.pointer(warped)
    library.call("lb_emulated_sparse_attention_warp", struct)
    return warped


def sparse_attention_warp_backward(
    grad: F32,
    values: F32,
    keys: I32,
    scores: F32,
    *,
    query_mask: Mask | None = None,
    gamma: float,
    reach: int = 0,
) -> tuple[F32, F32]:
    """Gradients for values and scores."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    expected = (*call.keys.shape[:1], *call.keys.shape[2:4], call.values.shape[3])
    if grad.dtype != np.float32 or grad.shape != expected:
        raise OpError("grad", f"must be float32 of shape {expected}")
    grad = np.ascontiguousarray(grad)
    grad_values, grad_scores = np.empty_like(call.values), np.empty_like(call.scores)
    struct = library.warp_struct(call)
    struct.grad, struct.grad_values = library.pointer(grad), library.pointer(grad_values)
    struct.grad_scores = library.pointer(grad_scores)
    library.call("lb_emulated_sparse_attention_warp_backward", struct)
    return grad_values, grad_scores

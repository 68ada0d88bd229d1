"""The code of the CUDA kernels, run on the CPU: what tests hold against the reference where there is no GPU.

One thread, one query after the other; schedule "jump_flood" only. Shapes, rules and errors as in `reference`;
NativeUnavailable where the library is missing.
"""

from __future__ import annotations

from typing import Any

from layoutbrush.runtime.ops import library
from layoutbrush.runtime.ops.arguments import F32, I32, Mask, check_sampling, check_warp


def key_index_sampling(**arguments: Any) -> tuple[I32, F32]:
    """KeyIndexSampling; keyword arguments as of `reference.key_index_sampling`."""
    given = {"query_mask": None, "key_mask": None, "init": None, "seed": 0, "propagations": 1, "ignore_label": 255}
    call = check_sampling(**{**given, "keep": 1, "schedule": "jump_flood", **arguments})
    return library.sample("lb_emulated_key_index_sampling", call)


def sparse_attention_warp(
    values: F32, keys: I32, scores: F32, *, query_mask: Mask | None = None, gamma: float, reach: int = 0
) -> F32:
    """SparseAttentionWarp."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    return library.warp("lb_emulated_sparse_attention_warp", call)


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
    return library.warp_backward("lb_emulated_sparse_attention_warp_backward", call, grad)

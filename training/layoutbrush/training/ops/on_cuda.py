"""The ops on CUDA tensors: the kernels of layoutbrush.runtime.ops.cuda on the current stream of torch, no detour.

Memory comes from torch. The arguments are not checked on the device: they are the networks' own.
"""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor

from layoutbrush.runtime.ops.cuda import sampling, warp
from layoutbrush.runtime.ops.cuda.compiling import source_folder
from layoutbrush.runtime.ops.cuda.driver import bindings
from layoutbrush.runtime.ops.cuda.sampling import Attributes as SamplingAttributes
from layoutbrush.runtime.ops.errors import CudaUnavailable

__all__ = [
    "SamplingAttributes", "key_index_sampling", "sparse_attention_warp", "sparse_attention_warp_backward", "usable",
]  # fmt: skip


@cache
def usable() -> bool:
    """Whether the kernels can be compiled and launched here; where not, says why once."""
    try:
        source_folder()
        bindings()
        from cuda.bindings import nvrtc  # noqa: F401
    except (CudaUnavailable, ImportError) as error:
        logging.getLogger(__name__).warning("CUDA tensors take the detour through the host: %s", error)
        return False
    return True


def key_index_sampling(
    query: Tensor,
    key: Tensor,
    query_labels: Tensor,
    key_labels: Tensor,
    query_mask: Tensor | None,
    key_mask: Tensor | None,
    init: Tensor | None,
    seed: Tensor | None,
    attributes: SamplingAttributes,
) -> tuple[Tensor, Tensor]:
    """KeyIndexSampling by jump flood; shapes and dtypes as of `sampling.key_index_sampling`."""
    batch, height, width, channels = query.shape
    initial = 0 if init is None else init.shape[3]
    sizes = sampling.Sizes(batch, height, width, key.shape[1], key.shape[2], channels, initial)
    keys = query.new_empty((batch, attributes.keep, height, width, attributes.particles), dtype=torch.int32)
    scores = torch.empty_like(keys, dtype=torch.float32)
    with torch.cuda.device(query.device):
        workspace = query.new_empty(sampling.workspace_bytes(sizes, attributes.particles), dtype=torch.uint8)
        inputs = [
            None if tensor is None else tensor.to(query.device).contiguous()
            for tensor in (query, key, query_labels, key_labels, query_mask, key_mask, init, seed)
        ]
        at = [0 if tensor is None else tensor.data_ptr() for tensor in inputs]
        pointers = sampling.Pointers(
            query=at[0], key=at[1], query_labels=at[2], key_labels=at[3], query_mask=at[4], key_mask=at[5],
            init=at[6] if initial else 0, seed=at[7], keys=keys.data_ptr(), scores=scores.data_ptr(),
            workspace=workspace.data_ptr(),
        )  # fmt: skip
        sampling.launch(sizes, attributes, pointers, torch.cuda.current_stream().cuda_stream)
    return keys, scores


def sparse_attention_warp(
    values: Tensor, keys: Tensor, scores: Tensor, query_mask: Tensor | None, gamma: float, reach: int
) -> Tensor:
    """SparseAttentionWarp; shapes and dtypes as of `warp.sparse_attention_warp`."""
    values, keys, scores = values.contiguous(), keys.contiguous(), scores.contiguous()
    query_mask = None if query_mask is None else query_mask.contiguous()
    batch, _, height, width, _ = keys.shape
    warped = values.new_empty((batch, height, width, values.shape[3]))
    with torch.cuda.device(values.device):
        stream = torch.cuda.current_stream().cuda_stream
        at = _inputs(values, keys, scores, query_mask)
        warp.launch(_sizes(values, keys), at, warped.data_ptr(), gamma, reach, stream)
    return warped


def sparse_attention_warp_backward(
    grad: Tensor,
    values: Tensor,
    keys: Tensor,
    scores: Tensor,
    query_mask: Tensor | None,
    gamma: float,
    reach: int,
) -> tuple[Tensor, Tensor]:
    """Gradients for values and scores, given `grad` (B, H, W, V)."""
    grad, values, keys, scores = grad.contiguous(), values.contiguous(), keys.contiguous(), scores.contiguous()
    query_mask = None if query_mask is None else query_mask.contiguous()
    grad_values, grad_scores = torch.empty_like(values), torch.empty_like(scores)
    with torch.cuda.device(values.device):
        stream = torch.cuda.current_stream().cuda_stream
        at = _inputs(values, keys, scores, query_mask)
        sums = grad.data_ptr(), grad_values.data_ptr(), grad_scores.data_ptr()
        warp.launch_backward(_sizes(values, keys), at, *sums, gamma, reach, stream)
    return grad_values, grad_scores


def _sizes(values: Tensor, keys: Tensor) -> warp.Sizes:
    batch, sets, height, width, particles = keys.shape
    return warp.Sizes(batch, height, width, values.shape[1], values.shape[2], values.shape[3], sets, particles)


def _inputs(values: Tensor, keys: Tensor, scores: Tensor, query_mask: Tensor | None) -> warp.Inputs:
    mask = 0 if query_mask is None else query_mask.data_ptr()
    return warp.Inputs(values.data_ptr(), keys.data_ptr(), scores.data_ptr(), mask)

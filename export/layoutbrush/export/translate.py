"""From the torch ops to ONNX nodes: the translation table of `torch.onnx.export`.

A translator emits the custom node alone and never its body: the optimiser inlines every model-local function that it
meets. `schemas.attach_functions` adds the bodies to the finished model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import opset18, values

import layoutbrush.training.ops  # noqa: F401  (defines torch.ops.layoutbrush)
from layoutbrush.export.schemas import plugin_attributes, register_schemas
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP

op: Any = opset18  # its signatures are those of eager numpy, not of traced values


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What to give `torch.onnx.export` as `custom_translation_table`."""
    register_schemas()
    domain = values.Opset(KEY_INDEX_SAMPLING.domain, KEY_INDEX_SAMPLING.version)

    def key_index_sampling(
        query: Any,
        key: Any,
        query_labels: Any,
        key_labels: Any,
        query_mask: Any = None,
        key_mask: Any = None,
        init: Any = None,
        seed: Any = None,
        particles: int = 1,
        windows: Sequence[int] = (0,),
        samples: int = 0,
        strides: Sequence[int] = (1,),
        propagations: int = 1,
        label_penalty: float = 0.0,
        scale: float = 1.0,
        ignore_label: int = 255,
        keep: int = 1,
        schedule: str = "fast",
    ) -> Any:
        return domain.KeyIndexSampling(
            query,
            key,
            query_labels,
            key_labels,
            _filled(query_labels, True) if query_mask is None else query_mask,
            _filled(key_labels, True) if key_mask is None else key_mask,
            _no_keys(query_labels) if init is None else init,
            _integers([0]) if seed is None else seed,
            particles=particles,
            windows=list(windows),
            samples=samples,
            strides=list(strides),
            propagations=propagations,
            label_penalty=label_penalty,
            scale=scale,
            ignore_label=ignore_label,
            keep=keep,
            schedule=schedule,
            **plugin_attributes(KEY_INDEX_SAMPLING),
        )

    def sparse_attention_warp(
        values: Any, keys: Any, scores: Any, query_mask: Any = None, gamma: float = 1.0, reach: int = 0
    ) -> Any:
        if query_mask is None:  # the mask has the shape of one slot of one set of keys
            query_mask = _filled(op.ReduceMax(keys, op.Constant(value_ints=[1, 4]), keepdims=0), True)
        return domain.SparseAttentionWarp(
            values,
            keys,
            scores,
            query_mask,
            gamma=gamma,
            reach=reach,
            **plugin_attributes(SPARSE_ATTENTION_WARP),
        )

    return {
        torch.ops.layoutbrush.key_index_sampling.default: key_index_sampling,
        torch.ops.layoutbrush.sparse_attention_warp.default: sparse_attention_warp,
    }


def _filled(grid: Any, value: bool) -> Any:
    """A mask of the shape of `grid`."""
    return op.Expand(op.Constant(value=ir.tensor([value])), op.Shape(grid))


def _no_keys(grid: Any) -> Any:
    """An `init` (B, H, W, 0): no keys to start from."""
    shape = op.Concat(op.Shape(grid), op.Constant(value_ints=[0]), axis=0)
    return op.Expand(_integers([0]), shape)


def _integers(numbers: Sequence[int]) -> Any:
    return op.Constant(value=ir.tensor(numbers, dtype=ir.DataType.INT32))

"""KeyIndexSampling on a CUDA stream: sizes, working memory, launches."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass

from layoutbrush.runtime.ops.arguments import integer_penalty, score_unit
from layoutbrush.runtime.ops.cuda import driver
from layoutbrush.runtime.ops.cuda.compiling import compile_kernels, quads_for

_ALIGNMENT = 256
_QUAD_BYTES, _RANKED_BYTES = 16, 8


@dataclass(frozen=True)
class Sizes:
    """Sizes of one call; `initial` is L, the initial keys a query."""

    batch: int
    height: int
    width: int
    key_height: int
    key_width: int
    channels: int
    initial: int = 0

    @property
    def queries(self) -> int:
        """Queries of one batch element."""
        return self.height * self.width

    @property
    def keys(self) -> int:
        """Keys of one batch element."""
        return self.key_height * self.key_width


@dataclass(frozen=True)
class Attributes:
    """Attributes of the contract (key_index_sampling.toml). The schedule is always the jump flood."""

    particles: int
    windows: Sequence[int]
    samples: int
    strides: Sequence[int]
    propagations: int
    label_penalty: float
    scale: float
    ignore_label: int
    keep: int


@dataclass(frozen=True)
class Pointers:
    """Addresses in device memory; 0 stands for an optional input that is absent."""

    query: int
    key: int
    query_labels: int
    key_labels: int
    keys: int
    scores: int
    workspace: int
    query_mask: int = 0
    key_mask: int = 0
    init: int = 0
    seed: int = 0


class _Sampling(ctypes.Structure):  # layoutbrush::cuda::Sampling of search.h
    _fields_ = [
        *[(name, c_void_p) for name in ("queries", "keys", "query_labels", "key_labels", "query_mask", "key_mask")],
        ("init", c_void_p),
        *[(name, c_int32) for name in ("height", "width", "key_height", "key_width", "init_count", "penalty")],
        *[(name, c_int32) for name in ("ignore_label", "samples")],
    ]


def workspace_bytes(sizes: Sizes, particles: int) -> int:
    """Device memory that a call needs besides its inputs and outputs."""
    return sum(_parts(sizes, particles))


def launch(sizes: Sizes, attributes: Attributes, at: Pointers, stream: int) -> None:
    """Put the whole search on `stream`. Raises CudaUnavailable."""
    quads = quads_for(sizes.channels)
    kernels = driver.functions(compile_kernels(driver.architecture(), attributes.particles, quads))
    query_bytes, key_bytes, state_bytes, _ = _parts(sizes, attributes.particles)
    query_rows, key_rows = at.workspace, at.workspace + query_bytes
    states, spare = key_rows + key_bytes, key_rows + key_bytes + state_bytes
    for source, count, rows in ((at.query, sizes.queries, query_rows), (at.key, sizes.keys, key_rows)):
        vectors = sizes.batch * count
        arguments = (
            c_void_p(source), c_int64(vectors), c_int32(sizes.channels), c_int32(quads), c_float(attributes.scale),
            c_void_p(rows),
        )  # fmt: skip
        driver.launch(kernels["quantise"], vectors * quads, 1, 1, arguments, stream)
    call = _Sampling(
        query_rows, key_rows, at.query_labels, at.key_labels, at.query_mask or None, at.key_mask or None,
        at.init or None, sizes.height, sizes.width, sizes.key_height, sizes.key_width, sizes.initial if at.init else 0,
        integer_penalty(attributes.label_penalty, attributes.scale), attributes.ignore_label, attributes.samples,
    )  # fmt: skip
    unit, seed = c_float(float(score_unit(attributes.scale))), c_void_p(at.seed or None)
    iterations = len(attributes.windows)
    for iteration in range(iterations):
        if iteration == 0:
            driver.launch(kernels["start"], sizes.queries, sizes.batch, 1, (call, seed, c_void_p(states)), stream)
        for number in range(attributes.propagations if iteration else 0):
            stride = attributes.strides[iteration * attributes.propagations + number]
            window = attributes.windows[iteration] if number == 0 else 0
            step = (call, seed, c_int32(iteration), c_int32(window), c_int32(stride), c_void_p(states), c_void_p(spare))
            driver.launch(kernels["pass"], sizes.queries, sizes.batch, 1, step, stream)
            states, spare = spare, states
        slot = iteration - (iterations - attributes.keep)
        if slot >= 0:
            out = (call, unit, c_void_p(states), c_int32(slot), c_int32(attributes.keep), c_void_p(at.keys))
            driver.launch(kernels["write"], sizes.queries, sizes.batch, 1, (*out, c_void_p(at.scores)), stream)


def _parts(sizes: Sizes, particles: int) -> tuple[int, int, int, int]:
    """Bytes of the quantised queries, the quantised keys, and the two states that the passes take turns with."""
    row = quads_for(sizes.channels) * _QUAD_BYTES
    state = _aligned(sizes.batch * sizes.queries * particles * _RANKED_BYTES)
    return _aligned(sizes.batch * sizes.queries * row), _aligned(sizes.batch * sizes.keys * row), state, state


def _aligned(size: int) -> int:
    return (size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT

"""SparseAttentionWarp on a CUDA stream, forward and backward."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int32, c_void_p
from dataclasses import dataclass

from layoutbrush.runtime.ops.cuda import driver
from layoutbrush.runtime.ops.cuda.compiling import compile_kernels

_CHANNELS_AT_ONCE = 4  # kChannelsAtOnce of votes.h


@dataclass(frozen=True)
class Sizes:
    """Sizes of one call: V channels, N sets of M particles."""

    batch: int
    height: int
    width: int
    key_height: int
    key_width: int
    channels: int
    sets: int
    particles: int


@dataclass(frozen=True)
class Inputs:
    """Addresses in device memory; 0 for an absent mask."""

    values: int
    keys: int
    scores: int
    query_mask: int = 0


class _Votes(ctypes.Structure):  # layoutbrush::cuda::Votes of votes.h
    _fields_ = [
        *[(name, c_void_p) for name in ("values", "keys", "scores", "query_mask")],
        *[(name, c_int32) for name in ("height", "width", "key_height", "key_width", "channels", "sets", "particles")],
        ("reach", c_int32),
        ("gamma", c_float),
    ]


def launch(sizes: Sizes, at: Inputs, warped: int, gamma: float, reach: int, stream: int) -> None:
    """Put the warp on `stream`; `warped` is the address of the output. Raises CudaUnavailable."""
    groups = (sizes.channels + _CHANNELS_AT_ONCE - 1) // _CHANNELS_AT_ONCE
    arguments = (_votes(sizes, at, gamma, reach), c_void_p(warped))
    driver.launch(_kernel("warp_forward"), sizes.height * sizes.width, sizes.batch, groups, arguments, stream)


def launch_backward(
    sizes: Sizes, at: Inputs, grad: int, grad_values: int, grad_scores: int, gamma: float, reach: int, stream: int
) -> None:
    """Put the gradients for values and scores on `stream`. Raises CudaUnavailable.

    The sums over queries come in any order, so the last bits may differ from run to run.
    """
    driver.clear(grad_values, 4 * sizes.batch * sizes.key_height * sizes.key_width * sizes.channels, stream)
    driver.clear(grad_scores, 4 * sizes.batch * sizes.sets * sizes.height * sizes.width * sizes.particles, stream)
    arguments = (_votes(sizes, at, gamma, reach), c_void_p(grad), c_void_p(grad_values), c_void_p(grad_scores))
    driver.launch(_kernel("warp_backward"), sizes.height * sizes.width, sizes.batch, 1, arguments, stream)


def _kernel(name: str) -> object:
    # Any sizes of the search do: the warp's kernels are in every cubin.
    return driver.functions(compile_kernels(driver.architecture(), 1, 1))[name]


def _votes(sizes: Sizes, at: Inputs, gamma: float, reach: int) -> _Votes:
    return _Votes(
        at.values, at.keys, at.scores, at.query_mask or None, sizes.height, sizes.width, sizes.key_height,
        sizes.key_width, sizes.channels, sizes.sets, sizes.particles, reach, gamma,
    )  # fmt: skip

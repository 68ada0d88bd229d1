"""Where the torch ops compute: the native library when it is built, the NumPy reference when it is not.

Tensors cross as NumPy views of their own memory: contiguous CPU tensors are never copied. Tensors on another
device make the detour through the host, which is right but slow; CUDA tensors need not (`on_cuda`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@cache
def native_available() -> bool:
    """Whether the library of native kernels is built and loads."""
    from layoutbrush.runtime.ops import native

    return native.available()


def implementation() -> tuple[Any, dict[str, int]]:
    """The module that computes, `native` or `reference` (their functions have one signature), and how to call it.

    The native kernels get as many threads as torch itself may use.
    """
    from layoutbrush.runtime.ops import native, reference

    return (native, {"threads": torch.get_num_threads()}) if native_available() else (reference, {})


_forced_schedule: ContextVar[str | None] = ContextVar("layoutbrush_forced_schedule", default=None)


@contextmanager
def forced_schedule(schedule: str) -> Iterator[None]:
    """While it is open, KeyIndexSampling takes this schedule whatever its attribute says: for comparing backends."""
    token = _forced_schedule.set(schedule)
    try:
        yield
    finally:
        _forced_schedule.reset(token)


def schedule_in_force(schedule: str) -> str:
    """The schedule to take where the attribute says `schedule`."""
    return _forced_schedule.get() or schedule


def view(tensor: Tensor) -> npt.NDArray[np.generic]:
    """The tensor's memory as an array, without a copy where it is contiguous and on the CPU."""
    array: npt.NDArray[np.generic] = tensor.detach().to("cpu").contiguous().numpy()
    return array


def optional_view(tensor: Tensor | None) -> npt.NDArray[np.generic] | None:
    """`view`, or None for None."""
    return None if tensor is None else view(tensor)


def tensor_of(array: npt.NDArray[np.generic], like: Tensor) -> Tensor:
    """The array as a tensor on the device of `like`, sharing its memory on the CPU."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device)

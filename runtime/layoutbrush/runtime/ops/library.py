"""Finds and loads the library of native kernels; its C structs (abi.h) as ctypes.

The library is looked for in the folder LAYOUTBRUSH_NATIVE_DIR, then beside this file.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_float, c_int, c_int32, c_int64, c_uint64, c_void_p
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from layoutbrush.runtime.ops.arguments import F32, I32, Sampling, Warp
from layoutbrush.runtime.ops.errors import NativeUnavailable, OpError

LIBRARY_NAME = "liblayoutbrush_ops.so"
_ABI = 2
_ERROR_BYTES = 256


class SamplingStruct(ctypes.Structure):  # LbSampling of abi.h
    _fields_ = [
        *[(name, c_void_p) for name in ("query", "key", "query_labels", "key_labels", "query_mask", "key_mask")],
        *[(name, c_void_p) for name in ("init", "keys", "scores")],
        *[(name, c_int64) for name in ("batch", "height", "width", "key_height", "key_width", "channels")],
        ("init_count", c_int64),
        ("windows", c_void_p),
        ("strides", c_void_p),
        *[(name, c_int32) for name in ("iterations", "particles", "samples", "propagations", "keep")],
        *[(name, c_int32) for name in ("ignore_label", "seed", "fast")],
        ("label_penalty", c_float),
        ("scale", c_float),
        ("threads", c_int32),
        ("isa", c_int32),
    ]


class WarpStruct(ctypes.Structure):  # LbWarp of abi.h
    _fields_ = [
        *[(name, c_void_p) for name in ("values", "keys", "scores", "query_mask", "warped", "grad")],
        *[(name, c_void_p) for name in ("grad_values", "grad_scores")],
        *[(name, c_int64) for name in ("batch", "height", "width", "key_height", "key_width", "channels")],
        *[(name, c_int64) for name in ("iterations", "particles")],
        ("reach", c_int32),
        ("gamma", c_float),
        ("threads", c_int32),
        ("isa", c_int32),
    ]


def library_path() -> Path | None:
    """Where the native library is, or None."""
    given = os.environ.get("LAYOUTBRUSH_NATIVE_DIR")
    if given and (path := Path(given) / LIBRARY_NAME).is_file():
        return path
    trace = _build_trace()
    if trace is not None and trace.origin and (path := Path(trace.origin).with_name(LIBRARY_NAME)).is_file():
        return path
    return None


def _build_trace() -> ModuleSpec | None:
    """The module that is installed beside the library; an editable install rebuilds both at this look-up."""
    name = "layoutbrush.runtime.ops.native_build"
    try:
        return find_spec(name)
    except FileNotFoundError:  # no CMake on PATH to rebuild with: what was built last serves, without a second try
        return find_spec(name)


@cache
def load() -> ctypes.CDLL:
    """The library; raises NativeUnavailable."""
    path = library_path()
    if path is None:
        raise NativeUnavailable(f"{LIBRARY_NAME} is not installed: reinstall with g++ present")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailable(f"{LIBRARY_NAME} does not load on this machine: reinstall") from error
    if library.lb_abi() != _ABI:
        raise NativeUnavailable(f"{LIBRARY_NAME} is of another version: reinstall")
    library.lb_isa_name.restype = c_char_p
    for name in ("key_index_sampling", "sparse_attention_warp", "sparse_attention_warp_backward"):
        for prefix in ("lb_", "lb_emulated_"):
            getattr(library, prefix + name).argtypes = [c_void_p, c_char_p, c_uint64]
    for name in ("lb_isa_name", "lb_isa_supported"):
        getattr(library, name).argtypes = [c_int]
    return library


def sampling_struct(call: Sampling, keys: I32, scores: F32, windows: I32, strides: I32) -> SamplingStruct:
    """The call with its outputs; the arrays must outlive it."""
    batch, height, width, channels = call.query.shape
    return SamplingStruct(
        query=pointer(call.query), key=pointer(call.key), query_labels=pointer(call.query_labels),
        key_labels=pointer(call.key_labels), query_mask=pointer(call.query_mask), key_mask=pointer(call.key_mask),
        init=pointer(call.init), keys=pointer(keys), scores=pointer(scores),
        batch=batch, height=height, width=width, key_height=call.key.shape[1], key_width=call.key.shape[2],
        channels=channels, init_count=0 if call.init is None else call.init.shape[3],
        windows=pointer(windows), strides=pointer(strides), iterations=len(call.windows),
        particles=call.particles, samples=call.samples, propagations=call.propagations, keep=call.keep,
        ignore_label=call.ignore_label, seed=call.seed, fast=int(call.schedule == "fast"),
        label_penalty=call.label_penalty, scale=call.scale,
    )  # fmt: skip


def warp_struct(call: Warp) -> WarpStruct:
    """The call, without its outputs."""
    batch, iterations, height, width, particles = call.keys.shape
    return WarpStruct(
        values=pointer(call.values), keys=pointer(call.keys), scores=pointer(call.scores),
        query_mask=pointer(call.query_mask), batch=batch, height=height, width=width,
        key_height=call.values.shape[1], key_width=call.values.shape[2], channels=call.values.shape[3],
        iterations=iterations, particles=particles, reach=call.reach, gamma=call.gamma,
    )  # fmt: skip


def pointer(array: np.ndarray | None) -> int | None:
    """Address of the first element; None for None."""
    return None if array is None else array.ctypes.data


def sample(function: str, called: Sampling, threads: int = 0, isa: int = -1) -> tuple[I32, F32]:
    """Runs a search; gives keys (B, K, H, W, M) and scores. Raises OpError, NativeUnavailable."""
    batch, height, width, _ = called.query.shape
    keys = np.empty((batch, called.keep, height, width, called.particles), np.int32)
    scores = np.empty(keys.shape, np.float32)
    windows, strides = np.array(called.windows, np.int32), np.array(called.strides, np.int32)
    struct = sampling_struct(called, keys, scores, windows, strides)
    struct.threads, struct.isa = threads, isa
    call(function, struct)
    return keys, scores


def warp(function: str, called: Warp, threads: int = 0, isa: int = -1) -> F32:
    """Runs a warp; gives (B, H, W, V). Raises OpError, NativeUnavailable."""
    batch, _, height, width, _ = called.keys.shape
    warped = np.empty((batch, height, width, called.values.shape[3]), np.float32)
    struct = warp_struct(called)
    struct.threads, struct.isa, struct.warped = threads, isa, pointer(warped)
    call(function, struct)
    return warped


def warp_backward(function: str, called: Warp, grad: F32, threads: int = 0) -> tuple[F32, F32]:
    """Runs a warp's backward pass; gives the gradients of values and scores. Raises OpError, NativeUnavailable."""
    expected = (*called.keys.shape[:1], *called.keys.shape[2:4], called.values.shape[3])
    if grad.dtype != np.float32 or grad.shape != expected:
        raise OpError("grad", f"must be float32 of shape {expected}")
    grad = np.ascontiguousarray(grad)
    grad_values, grad_scores = np.empty_like(called.values), np.empty_like(called.scores)
    struct = warp_struct(called)
    struct.threads, struct.isa, struct.grad = threads, -1, pointer(grad)
    struct.grad_values, struct.grad_scores = pointer(grad_values), pointer(grad_scores)
    call(function, struct)
    return grad_values, grad_scores


def call(function: str, struct: ctypes.Structure) -> None:
    """Runs a function of the library; raises OpError for arguments that it refuses."""
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    if getattr(load(), function)(ctypes.byref(struct), error, _ERROR_BYTES):
        argument, _, reason = error.value.decode(errors="replace").partition(": ")
        if not reason:
            raise MemoryError(argument)
        raise OpError(argument, reason)

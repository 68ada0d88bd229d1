"""The native kernels, through ctypes; arrays in, arrays out, the GIL released while they run.

The library is looked for in the folder LAYOUTBRUSH_NATIVE_DIR, then beside this file. Every function raises
NativeUnavailable when there is none, and OpError for arguments it refuses. `threads` = 0 takes LAYOUTBRUSH_NUM_THREADS,
else the number of cores; results never depend on it. `isa` forces a variant: "portable", "avx2" or "avx512".
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import c_char_p, c_float, c_int, c_int32, c_int64, c_uint64, c_void_p
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from layoutbrush.runtime.ops.arguments import F32, I32, Mask, Sampling, Warp, check_sampling, check_warp
from layoutbrush.runtime.ops.errors import NativeUnavailable, OpError

LIBRARY_NAME = "liblayoutbrush_ops.so"
_ABI = 1
_ERROR_BYTES = 256


class _Sampling(ctypes.Structure):  # LbSampling of abi.h
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


class _Warp(ctypes.Structure):  # LbWarp of abi.h
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
def _library() -> ctypes.CDLL:
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
    for name in ("lb_key_index_sampling", "lb_sparse_attention_warp", "lb_sparse_attention_warp_backward"):
        getattr(library, name).argtypes = [c_void_p, c_char_p, c_uint64]
    for name in ("lb_isa_name", "lb_isa_supported"):
        getattr(library, name).argtypes = [c_int]
    return library


def available() -> bool:
    """Whether the native library is there and loads."""
    try:
        _library()
    except NativeUnavailable:
        return False
    return True


def supported_isas() -> tuple[str, ...]:
    """The variants that this machine can run, slowest first."""
    library = _library()
    found = range(library.lb_isa_count())
    return tuple(library.lb_isa_name(i).decode() for i in found if library.lb_isa_supported(i))


def best_isa() -> str:
    """The variant used when none is forced."""
    library = _library()
    name: bytes = library.lb_isa_name(library.lb_isa_best())
    return name.decode()


def key_index_sampling(
    query: F32,
    key: F32,
    query_labels: I32,
    key_labels: I32,
    *,
    query_mask: Mask | None = None,
    key_mask: Mask | None = None,
    init: I32 | None = None,
    seed: int = 0,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int = 1,
    label_penalty: float,
    scale: float,
    ignore_label: int = 255,
    keep: int = 1,
    schedule: str = "fast",
    threads: int = 0,
    isa: str | None = None,
) -> tuple[I32, F32]:
    """KeyIndexSampling; shapes and rules as in `reference.key_index_sampling`."""
    call = check_sampling(
        query, key, query_labels, key_labels, query_mask=query_mask, key_mask=key_mask, init=init, seed=seed,
        particles=particles, windows=windows, samples=samples, strides=strides, propagations=propagations,
        label_penalty=label_penalty, scale=scale, ignore_label=ignore_label, keep=keep, schedule=schedule,
    )  # fmt: skip
    batch, height, width, _ = call.query.shape
    keys = np.empty((batch, call.keep, height, width, call.particles), np.int32)
    scores = np.empty(keys.shape, np.float32)
    windows_array, strides_array = np.array(call.windows, np.int32), np.array(call.strides, np.int32)
    struct = _sampling_struct(call, keys, scores, windows_array, strides_array)
    struct.threads, struct.isa = threads, _isa_index(isa)
    _call("lb_key_index_sampling", struct)
    return keys, scores


def sparse_attention_warp(
    values: F32,
    keys: I32,
    scores: F32,
    *,
    query_mask: Mask | None = None,
    gamma: float,
    reach: int = 0,
    threads: int = 0,
    isa: str | None = None,
) -> F32:
    """SparseAttentionWarp; shapes and rules as in `reference.sparse_attention_warp`."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    batch, _, height, width, _ = call.keys.shape
    warped = np.empty((batch, height, width, call.values.shape[3]), np.float32)
    struct = _warp_struct(call)
    struct.threads, struct.isa, struct.warped = threads, _isa_index(isa), _pointer(warped)
    _call("lb_sparse_attention_warp", struct)
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
    threads: int = 0,
) -> tuple[F32, F32]:
    """Gradients of a loss for values and scores, from its gradient for the warped values (B, H, W, V)."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    expected = (*call.keys.shape[:1], *call.keys.shape[2:4], call.values.shape[3])
    if grad.dtype != np.float32 or grad.shape != expected:
        raise OpError("grad", f"must be float32 of shape {expected}")
    grad = np.ascontiguousarray(grad)
    grad_values, grad_scores = np.empty_like(call.values), np.empty_like(call.scores)
    struct = _warp_struct(call)
    struct.threads, struct.isa, struct.grad = threads, -1, _pointer(grad)
    struct.grad_values, struct.grad_scores = _pointer(grad_values), _pointer(grad_scores)
    _call("lb_sparse_attention_warp_backward", struct)
    return grad_values, grad_scores


def _sampling_struct(call: Sampling, keys: I32, scores: F32, windows: I32, strides: I32) -> _Sampling:
    batch, height, width, channels = call.query.shape
    return _Sampling(
        query=_pointer(call.query), key=_pointer(call.key), query_labels=_pointer(call.query_labels),
        key_labels=_pointer(call.key_labels), query_mask=_pointer(call.query_mask), key_mask=_pointer(call.key_mask),
        init=_pointer(call.init), keys=_pointer(keys), scores=_pointer(scores),
        batch=batch, height=height, width=width, key_height=call.key.shape[1], key_width=call.key.shape[2],
        channels=channels, init_count=0 if call.init is None else call.init.shape[3],
        windows=_pointer(windows), strides=_pointer(strides), iterations=len(call.windows),
        particles=call.particles, samples=call.samples, propagations=call.propagations, keep=call.keep,
        ignore_label=call.ignore_label, seed=call.seed, fast=int(call.schedule == "fast"),
        label_penalty=call.label_penalty, scale=call.scale,
    )  # fmt: skip


def _warp_struct(call: Warp) -> _Warp:
    batch, iterations, height, width, particles = call.keys.shape
    return _Warp(
        values=_pointer(call.values), keys=_pointer(call.keys), scores=_pointer(call.scores),
        query_mask=_pointer(call.query_mask), batch=batch, height=height, width=width,
        key_height=call.values.shape[1], key_width=call.values.shape[2], channels=call.values.shape[3],
        iterations=iterations, particles=particles, reach=call.reach, gamma=call.gamma,
    )  # fmt: skip


def _pointer(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data


def _isa_index(isa: str | None) -> int:
    if isa is None:
        return -1
    library = _library()
    names = [library.lb_isa_name(i).decode() for i in range(library.lb_isa_count())]
    if isa not in names:
        raise OpError("isa", f"must be one of {', '.join(names)}")
    return names.index(isa)


def _call(function: str, struct: ctypes.Structure) -> None:
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    if getattr(_library(), function)(ctypes.byref(struct), error, _ERROR_BYTES):
        argument, _, reason = error.value.decode(errors="replace").partition(": ")
        if not reason:
            raise MemoryError(argument)
        raise OpError(argument, reason)

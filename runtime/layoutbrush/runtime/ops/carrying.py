"""The native routines of the pipeline's last steps, through ctypes; their NumPy twins stand beside their callers.

Structs as in carry_abi.h. Every function raises NativeUnavailable where the library is missing, or lacks them.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int32, c_int64, c_uint64, c_void_p
from functools import cache

from layoutbrush.runtime.ops import library
from layoutbrush.runtime.ops.errors import NativeUnavailable

FUNCTIONS = ("lb_coherent", "lb_settle", "lb_paint")


class CoherenceStruct(ctypes.Structure):  # LbCoherence of carry_abi.h
    _fields_ = [
        *[(name, c_void_p) for name in ("wanted", "offered", "edited", "layout", "mask", "source", "keys", "strides")],
        *[(name, c_int32) for name in ("height", "width", "key_height", "key_width", "count")],
        *[(name, c_int32) for name in ("smoothness", "unknown", "threads")],
    ]


class BandStruct(ctypes.Structure):  # LbBand of carry_abi.h
    _fields_ = [
        *[(name, c_void_p) for name in ("visible", "labels", "state", "row_cells", "column_cells", "row_low")],
        *[(name, c_void_p) for name in ("column_low", "row_part", "column_part", "key", "key_labels", "key_usable")],
        *[(name, c_void_p) for name in ("down", "right", "tint", "cell_labels", "cells", "choice", "out")],
        *[(name, c_int64) for name in ("height", "width", "key_height", "key_width", "cells_high", "cells_wide")],
        *[(name, c_int64) for name in ("top", "left", "low_y", "low_x", "high_y", "high_x")],
        *[(name, c_int32) for name in ("passes", "reach", "label_cost", "unusable_cost", "unknown", "threads")],
    ]


@cache
def available() -> bool:
    """Whether the native library is there and has these routines."""
    try:
        _prepare()
    except NativeUnavailable:
        return False
    return True


def run(function: str, struct: ctypes.Structure) -> None:
    """Run one of `FUNCTIONS`; the arrays that `struct` points at must outlive the call.

    Raises:
        OpError: an argument can't be.
    """
    _prepare()
    library.call(function, struct)


@cache
def _prepare() -> None:
    loaded = library.load()
    for name in FUNCTIONS:
        if not hasattr(loaded, name):
            raise NativeUnavailable(f"{library.LIBRARY_NAME} is of an older version: reinstall")
        getattr(loaded, name).argtypes = [c_void_p, c_char_p, c_uint64]

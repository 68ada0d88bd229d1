"""Raw planes to arrays and to the numbers that the rest works with, without a needless copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import InvalidArgument
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.layers.header import DataType, PixelFormat, PlaneOrder

_ROWS = 256
"""Rows converted at a time, so that a float picture never needs a second one of its size."""


def view(data: bytes | bytearray | memoryview, extent: Extent, form: PixelFormat) -> NDArray[np.generic]:
    """Return the bytes as an array (H, W, C) of the format's own type; shares memory with `data`.

    `data` holds exactly `form.size(extent)` bytes (checked on the header).
    """
    channels = form.channel_order.channels
    item = form.data_type.dtype.itemsize
    stride = form.stride(extent.width)
    if form.plane_order is PlaneOrder.PLANAR:
        strides = (stride, item, stride * extent.height)
    else:
        strides = (stride, item * channels, item)
    return np.ndarray((extent.height, extent.width, channels), form.data_type.dtype, data, strides=strides)


def to_uint8(values: NDArray[np.generic], numbers: DataType, field: str) -> NDArray[np.uint8]:
    """Return `values` (H, W, C) scaled to 0..255 and rounded half to even; floats outside 0..1 are clamped.

    Raises:
        InvalidArgument: a value is NaN or infinite, or above 32768 where that is the maximum.
    """
    if numbers is DataType.UINT8:
        return np.ascontiguousarray(values, dtype=np.uint8)
    out = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):
        out[top : top + _ROWS] = np.rint(unit(values[top : top + _ROWS], numbers, field) * np.float32(255))
    return out


def unit(values: NDArray[np.generic], numbers: DataType, field: str) -> NDArray[np.float32]:
    """Return `values` as float32 in 0..1.

    Raises:
        InvalidArgument: a value is NaN or infinite, or above 32768 where that is the maximum.
    """
    scaled = values.astype(np.float32)
    if numbers in (DataType.FLOAT16, DataType.FLOAT32):
        if not np.isfinite(scaled).all():
            raise InvalidArgument("The layer holds values that are not numbers (NaN or infinite).", field)
        return np.clip(scaled, 0.0, 1.0)
    if numbers is DataType.UINT16_TO_32768 and scaled.size and scaled.max() > numbers.maximum:
        raise InvalidArgument("The layer holds values above 32768; is it UINT16?", field)
    return np.asarray(scaled / np.float32(numbers.maximum), np.float32)

"""Layers of any host to arrays and back, as the scripted server needs them: readable rather than fast."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from layoutbrush import v1

Array = NDArray[Any]
_CHANNELS = {
    v1.CHANNEL_ORDER_GRAY: (0, 0, 0),
    v1.CHANNEL_ORDER_GRAY_ALPHA: (0, 0, 0),
    v1.CHANNEL_ORDER_RGB: (0, 1, 2),
    v1.CHANNEL_ORDER_RGBA: (0, 1, 2),
    v1.CHANNEL_ORDER_BGR: (2, 1, 0),
    v1.CHANNEL_ORDER_BGRA: (2, 1, 0),
}
_COUNTS = {
    v1.CHANNEL_ORDER_GRAY: 1,
    v1.CHANNEL_ORDER_GRAY_ALPHA: 2,
    v1.CHANNEL_ORDER_RGB: 3,
    v1.CHANNEL_ORDER_RGBA: 4,
    v1.CHANNEL_ORDER_BGR: 3,
    v1.CHANNEL_ORDER_BGRA: 4,
}
_TYPES = {
    v1.DATA_TYPE_UINT8: ("<u1", 255.0),
    v1.DATA_TYPE_UINT16: ("<u2", 65535.0),
    v1.DATA_TYPE_UINT16_TO_32768: ("<u2", 32768.0),
    v1.DATA_TYPE_FLOAT16: ("<f2", 1.0),
    v1.DATA_TYPE_FLOAT32: ("<f4", 1.0),
}


class BadLayer(Exception):
    """A layer that breaks the contract; the message says how."""


def read(layer: v1.Layer) -> Array:
    """The pixels of a whole layer: (h, w, 3) uint8 of photos, (h, w) of all others, as the numbers that were sent.

    Raises:
        BadLayer: bytes, bounds and format don't agree, or can't be read.
    """
    photo = layer.kind in (v1.LAYER_KIND_PHOTO, v1.LAYER_KIND_REFERENCE_PHOTO)
    if layer.encoding in (v1.ENCODING_PNG, v1.ENCODING_JPEG):
        return _file(layer, photo)
    if layer.encoding != v1.ENCODING_RAW:
        raise BadLayer("the encoding isn't given")
    if layer.format.channel_order not in _COUNTS or layer.format.data_type not in _TYPES:
        raise BadLayer("raw pixels need a channel order and a data type")
    values, top = _raw(layer)
    if not photo:
        if values.shape[2] != 1:
            raise BadLayer("label maps and masks have one channel")
        return np.asarray(values[..., 0])
    chosen = values[..., list(_CHANNELS[layer.format.channel_order])]
    return np.asarray(np.round(chosen.astype(np.float64) / top * 255), np.uint8)


def _file(layer: v1.Layer, photo: bool) -> Array:
    try:
        with Image.open(io.BytesIO(layer.data), formats=("PNG", "JPEG")) as opened:
            upright = ImageOps.exif_transpose(opened)
            return np.asarray(upright.convert("RGB") if photo else upright)
    except (OSError, ValueError, SyntaxError):
        raise BadLayer("the file can't be read") from None


def _raw(layer: v1.Layer) -> tuple[Array, float]:
    kind, top = _TYPES[layer.format.data_type]
    width, height, channels = layer.bounds.width, layer.bounds.height, _COUNTS[layer.format.channel_order]
    planar = layer.format.plane_order == v1.PLANE_ORDER_PLANAR
    row = width * np.dtype(kind).itemsize * (1 if planar else channels)
    stride, rows = layer.format.row_stride or row, height * (channels if planar else 1)
    if stride < row or len(layer.data) not in (stride * rows, stride * (rows - 1) + row):
        raise BadLayer(f"{width} x {height} pixels of {channels} channels don't make {len(layer.data)} bytes")
    padded = np.frombuffer(layer.data.ljust(stride * rows, b"\0"), np.uint8).reshape(rows, stride)
    values = np.ascontiguousarray(padded[:, :row]).view(kind)
    if planar:
        return values.reshape(channels, height, width).transpose(1, 2, 0), top
    return values.reshape(height, width, channels), top


def written(kind: v1.LayerKind, values: Array, x: int, y: int, options: v1.RenderOptions | None = None) -> v1.Layer:
    """A layer of uint8 values (h, w) or (h, w, 3 or 4), in the encoding that `options` ask for."""
    height, width = values.shape[:2]
    layer = v1.Layer(kind=kind, bounds=v1.Bounds(x=x, y=y, width=width, height=height), encoding=v1.ENCODING_RAW)
    if options is not None and options.encoding == v1.ENCODING_PNG:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(values)).save(file, "PNG")
        layer.encoding, layer.data = v1.ENCODING_PNG, file.getvalue()
    else:
        order = v1.CHANNEL_ORDER_GRAY
        if values.ndim == 3:
            asked = options is not None and options.channel_order
            order = options.channel_order if options is not None and asked else v1.CHANNEL_ORDER_RGB
            if order in (v1.CHANNEL_ORDER_BGR, v1.CHANNEL_ORDER_BGRA):
                values = values[..., [2, 1, 0, 3][: values.shape[2]]]
        layer.format.CopyFrom(v1.PixelFormat(channel_order=order, data_type=v1.DATA_TYPE_UINT8))
        layer.data = np.ascontiguousarray(values).tobytes()
    layer.data_size = len(layer.data)
    return layer

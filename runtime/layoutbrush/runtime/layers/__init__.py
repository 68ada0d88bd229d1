"""Layers: what pixels claim to be (`header`), raw planes and image files (`raw`, `files`), what they mean (`meaning`).

Everything here is validated against the server's limits before it is decoded. Decoding is slow and thread safe: call it
from a worker thread.
"""

from layoutbrush.runtime.layers.encode import encode_pixels
from layoutbrush.runtime.layers.header import (
    ChannelOrder,
    DataType,
    Encoding,
    LayerHeader,
    LayerKey,
    LayerKind,
    PixelFormat,
    PlaneOrder,
)
from layoutbrush.runtime.layers.meaning import Decoded, decode
from layoutbrush.runtime.layers.place import place

__all__ = [
    "ChannelOrder",
    "DataType",
    "Decoded",
    "Encoding",
    "LayerHeader",
    "LayerKey",
    "LayerKind",
    "PixelFormat",
    "PlaneOrder",
    "decode",
    "encode_pixels",
    "place",
]

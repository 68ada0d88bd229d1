"""Pixels as the client hands them around: bytes with their layout and place, no array library needed."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

from layoutbrush import v1

_CHANNELS = {"GRAY": 1, "GRAY_ALPHA": 2, "RGB": 3, "RGBA": 4, "BGR": 3, "BGRA": 4}

PACK_BYTES = 1 << 20
"""Smaller pictures aren't worth packing."""


@dataclass(frozen=True)
class Picture:
    """A photo, label map or mask, raw or as a file.

    `data`: rows from the top, pixels interleaved as `channels` says (planes one after the other where `planar`), or a
    PNG or JPEG file. `width`, `height`, `x`, `y`: where it lies on the canvas, in pixels; 0 x 0 = as large as the file,
    or the photo. `channels`: GRAY (also label ids and masks), GRAY_ALPHA, RGB, RGBA, BGR, BGRA. `numbers`: UINT8,
    UINT16, UINT16_TO_32768 (Photoshop's), FLOAT16, FLOAT32, little-endian. `row_stride`: bytes from row to row, 0 = no
    gap. `pixel_width`, `pixel_height`: pixels in `data`, where that differs from width and height (reduced previews).
    """

    data: bytes
    width: int = 0
    height: int = 0
    channels: str = "RGB"
    numbers: str = "UINT8"
    x: int = 0
    y: int = 0
    encoding: str = "RAW"
    planar: bool = False
    row_stride: int = 0
    pixel_width: int = 0
    pixel_height: int = 0

    @classmethod
    def file(cls, data: bytes, x: int = 0, y: int = 0, width: int = 0, height: int = 0) -> Picture:
        """A PNG or JPEG file. Where it doesn't lie at (0, 0), width and height must be given too."""
        encoding = "JPEG" if data.startswith(b"\xff\xd8\xff") else "PNG"
        return cls(data, width, height, "", "", x, y, encoding)

    @classmethod
    def gray(cls, data: bytes, width: int, height: int, x: int = 0, y: int = 0) -> Picture:
        """One byte a pixel: label ids, or a mask (128 and more = selected)."""
        return cls(data, width, height, "GRAY", "UINT8", x, y)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; of a file as its header says, before any orientation; 0, 0 without one."""
        if self.width and self.height:
            return self.width, self.height
        return _png_size(self.data) if self.encoding == "PNG" else _jpeg_size(self.data)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of raw pixels in `data`; (0, 0, 0) for a file."""
        if self.encoding != "RAW":
            return 0, 0, 0
        return self.pixel_height or self.height, self.pixel_width or self.width, _CHANNELS[self.channels]

    def packed(self) -> Picture:
        """The same picture as a PNG, if it is large and one byte a pixel: label maps and masks shrink to some KB."""
        plain = self.encoding == "RAW" and self.channels == "GRAY" and self.numbers == "UINT8" and not self.row_stride
        if not plain or not PACK_BYTES <= len(self.data) == self.width * self.height:
            return self
        return replace(self, data=_png(self.data, self.width, self.height), encoding="PNG")

    def layer(self, kind: v1.LayerKind | str, reference_id: str = "") -> v1.Layer:
        """The picture as a message; `kind` such as v1.LAYER_KIND_PHOTO."""
        layer = v1.Layer(kind=kind, encoding=f"ENCODING_{self.encoding}", data=self.data, reference_id=reference_id)
        if self.width or self.height or self.x or self.y:
            layer.bounds.MergeFrom(v1.Bounds(x=self.x, y=self.y, width=self.width, height=self.height))
        if self.encoding == "RAW":
            layer.format.MergeFrom(
                v1.PixelFormat(
                    channel_order=f"CHANNEL_ORDER_{self.channels}",
                    data_type=f"DATA_TYPE_{self.numbers}",
                    plane_order=v1.PLANE_ORDER_PLANAR if self.planar else v1.PLANE_ORDER_INTERLEAVED,
                    row_stride=self.row_stride,
                )
            )
        return layer

    @classmethod
    def received(cls, layer: v1.Layer, data: bytes) -> Picture:
        """A layer that came down, with its collected bytes."""
        raw = layer.encoding == v1.ENCODING_RAW
        form, bounds = layer.format, layer.bounds
        reduced = layer.HasField("pixels")
        return cls(
            data=data,
            width=bounds.width,
            height=bounds.height,
            channels=v1.ChannelOrder.Name(form.channel_order).removeprefix("CHANNEL_ORDER_") if raw else "",
            numbers=v1.DataType.Name(form.data_type).removeprefix("DATA_TYPE_") if raw else "",
            x=bounds.x,
            y=bounds.y,
            encoding=v1.Encoding.Name(layer.encoding).removeprefix("ENCODING_"),
            planar=form.plane_order == v1.PLANE_ORDER_PLANAR,
            row_stride=form.row_stride,
            pixel_width=layer.pixels.width if reduced else bounds.width,
            pixel_height=layer.pixels.height if reduced else bounds.height,
        )


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or data[12:16] != b"IHDR":
        return 0, 0
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """From the frame header: the first of the markers C0 to CF that isn't a table (C4, C8, CC)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return 0, 0


def _png(data: bytes, width: int, height: int) -> bytes:
    """An 8-bit grey PNG. A row like the one above is stored as no difference (filter 2), which suits label maps."""
    packer = zlib.compressobj(1)
    above = bytes(width)
    body = []
    for row in range(height):
        line = data[row * width : (row + 1) * width]
        body.append(packer.compress(b"\0" + line if line != above else b"\2" + bytes(width)))
        above = line
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", b"".join(body) + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )

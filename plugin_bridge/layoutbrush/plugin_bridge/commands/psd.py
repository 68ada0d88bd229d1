"""Photoshop's layered files (PSD, PSB), 8 bits a channel, RGB: layers are read, and one is put in between.

Follows Adobe's file format specification. Nothing is interpreted that needn't be: to add a layer, its record and its
channels are set in between the bytes of the others, and three lengths and one number change.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge.commands.files import MAX_PIXELS, FileProblem
from layoutbrush.plugin_bridge.commands.layered import FileLayer, NewLayer, Place, on_canvas

SIGNATURE = b"8BPS"
_MODES = {0: "bitmap", 1: "greyscale", 2: "indexed", 3: "RGB", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "Lab"}
_LONG_BLOCKS = {b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk", b"lnk2", b"FEid"}
_LONG_BLOCKS |= {b"FXid", b"PxSD"}
"""Blocks whose length takes eight bytes in a PSB."""
_ALPHA, _MASK = -1, -2
_HIDDEN = 2


@dataclass(frozen=True)
class _Record:
    """A layer's record and where its bytes lie in the file. `channels`: (id, first byte, length) of each."""

    start: int
    end: int
    place: Place
    name: str
    visible: bool
    clipped: bool
    channels: tuple[tuple[int, int, int], ...]
    data_start: int
    data_end: int


class PsdFile:
    """A PSD or PSB file in memory.

    Raises:
        FileProblem: no such file, damaged, or of a kind that can't be edited; names what it is.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        try:
            self._read()
        except (struct.error, IndexError) as error:
            raise FileProblem(f"{name} is damaged or truncated.") from error

    @cached_property
    def layers(self) -> tuple[FileLayer, ...]:
        """See `LayeredFile`; groups, adjustments and text without pixels are none."""
        colors = {0, 1, 2}
        return tuple(
            FileLayer(index, record.name, record.visible, record.place)
            for index, record in enumerate(self._records)
            if colors <= {channel for channel, _, length in record.channels if length > 2}
            and record.place.width > 0
            and record.place.height > 0
        )

    def pixels(self, layer: FileLayer) -> NDArray[np.uint8]:
        """See `LayeredFile`."""
        record = self._records[layer.index]
        place = record.place
        if place.width * place.height > MAX_PIXELS:
            raise FileProblem(f'{self._name}: the layer "{layer.name}" is larger than 64 megapixels.')
        found = np.full((place.height, place.width, 4), 255, np.uint8)
        for channel, start, length in record.channels:
            if channel in (0, 1, 2, _ALPHA):
                found[..., channel] = self._channel(layer, start, length)  # -1 is the last: alpha
        return on_canvas(found, place, self.width, self.height)

    def with_layer(self, new: NewLayer, above: FileLayer) -> bytes:
        """See `LayeredFile`. Layers that are clipped to the one below stay clipped to it."""
        index = above.index
        while index + 1 < len(self._records) and self._records[index + 1].clipped:
            index += 1
        below = self._records[index]
        data, wide = self._data, self._wide
        channels = _channels(new)
        record = _record(new, channels, wide)
        body = b"".join(channels.values())
        count = struct.pack(">h", self._count + (1 if self._count >= 0 else -1))
        inner = b"".join(
            (
                count,
                data[self._records_start : below.end],
                record,
                data[below.end : below.data_end],
                body,
                data[below.data_end : self._info_used],
            )
        )
        inner += bytes(-len(inner) % 4)  # Photoshop rounds up to four
        length = ">Q" if wide else ">I"
        rest = data[self._info_end : self._section_end]
        section = struct.pack(length, len(inner)) + inner + rest
        return data[: self._section_at] + struct.pack(length, len(section)) + section + data[self._section_end :]

    def _read(self) -> None:
        data = self._data
        signature, version, _, _, self.height, self.width, depth, mode = struct.unpack_from(">4sH6sHIIHH", data)
        if signature != SIGNATURE or version not in (1, 2):
            raise FileProblem(f"{self._name} is no PSD file.")
        if mode != 3 or depth != 8:
            kind = f"{_MODES.get(mode, 'unknown')} with {depth} bits a channel"
            raise FileProblem(f"{self._name} is {kind}; save it as RGB with 8 bits a channel.")
        self._wide = version == 2
        if not 0 < self.width * self.height <= MAX_PIXELS:
            raise FileProblem(f"{self._name} has {self.width} x {self.height} pixels; the limit is 64 megapixels.")
        place = 26
        for _ in range(2):  # colour data, image resources
            place += 4 + struct.unpack_from(">I", data, place)[0]
        self._section_at = place
        section, place = self._length(place)
        self._section_end = place + section
        if not section:
            raise FileProblem(f"{self._name} has no layers.")
        info, place = self._length(place)
        self._info_end = place + info
        if not info or self._info_end > self._section_end or self._section_end > len(data):
            raise FileProblem(f"{self._name} has no layers, or it is damaged.")
        self._count = struct.unpack_from(">h", data, place)[0]
        self._records_start = place + 2
        self._records = self._read_records(self._records_start, abs(self._count))
        self._info_used = self._records[-1].data_end if self._records else self._records_start
        if not self._records or self._info_used > self._info_end:
            raise FileProblem(f"{self._name} has no layers, or it is damaged.")

    def _read_records(self, place: int, count: int) -> list[_Record]:
        heads = []
        for _ in range(count):
            head = self._read_head(place)
            heads.append(head)
            place = head[1]
        found = []
        for start, end, bounds, lengths, clipped, visible, name in heads:
            data_start, channels = place, []
            for channel, length in lengths:
                channels.append((channel, place, length))
                place += length
            found.append(_Record(start, end, bounds, name, visible, clipped, tuple(channels), data_start, place))
        return found

    def _read_head(self, start: int) -> tuple[int, int, Place, list[tuple[int, int]], bool, bool, str]:
        """First byte, last byte + 1, bounds, channels' ids and lengths, clipped, visible and name of a layer."""
        data = self._data
        top, left, bottom, right, count = struct.unpack_from(">iiiiH", data, start)
        place, form = start + 18, ">hQ" if self._wide else ">hI"
        lengths = []
        for _ in range(count):
            lengths.append(struct.unpack_from(form, data, place))
            place += struct.calcsize(form)
        signature, _blend, _opacity, clipping, flags, extra = struct.unpack_from(">4s4sBBBxI", data, place)
        if signature != b"8BIM":
            raise FileProblem(f"{self._name} is damaged: a layer does not begin where it should.")
        inside = place + 16
        end = inside + extra
        for _ in range(2):  # mask, blending ranges
            inside += 4 + struct.unpack_from(">I", data, inside)[0]
        size = data[inside]
        name = data[inside + 1 : inside + 1 + size].decode("mac-roman")
        unicode_name = self._unicode_name(inside + (1 + size + 3) // 4 * 4, end)
        bounds = Place(left, top, right - left, bottom - top)
        name = (unicode_name or name).replace("\0", "")
        return start, end, bounds, lengths, bool(clipping), not flags & _HIDDEN, name

    def _unicode_name(self, place: int, end: int) -> str:
        data = self._data
        while place + 12 <= end:
            key = data[place + 4 : place + 8]
            if self._wide and key in _LONG_BLOCKS:
                size, place = struct.unpack_from(">Q", data, place + 8)[0], place + 16
            else:
                size, place = struct.unpack_from(">I", data, place + 8)[0], place + 12
            if key == b"luni":
                count = struct.unpack_from(">I", data, place)[0]
                return data[place + 4 : place + 4 + 2 * count].decode("utf-16-be", "replace")
            place += size + size % 2
        return ""

    def _length(self, place: int) -> tuple[int, int]:
        """A length of four bytes, eight in a PSB, and where what it counts begins."""
        if self._wide:
            return struct.unpack_from(">Q", self._data, place)[0], place + 8
        return struct.unpack_from(">I", self._data, place)[0], place + 4

    def _channel(self, layer: FileLayer, start: int, length: int) -> NDArray[np.uint8]:
        """Pixels of a channel, (h, w)."""
        width, height = layer.place.width, layer.place.height
        packing, body = struct.unpack_from(">H", self._data, start)[0], self._data[start + 2 : start + length]
        try:
            if packing == 1:
                body = _unpacked(body, width, height, self._wide)
            elif packing in (2, 3):
                body = zlib.decompressobj().decompress(body, width * height)
            values = np.frombuffer(body, np.uint8, width * height).reshape(height, width)
        except (ValueError, zlib.error) as error:
            raise FileProblem(f'{self._name}: the pixels of the layer "{layer.name}" are damaged.') from error
        return np.cumsum(values, axis=1, dtype=np.uint8) if packing == 3 else values


def _unpacked(body: bytes, width: int, height: int, wide: bool) -> bytes:
    """PackBits, after a table of the rows' lengths."""
    table = height * (4 if wide else 2)
    return Image.frombytes("L", (width, height), body[table:], "packbits", "L").tobytes()


def _channels(new: NewLayer) -> dict[int, bytes]:
    """The new layer's channels by id, each with its packing (none) in front."""
    opaque = np.full(new.mask.shape, 255, np.uint8)
    planes = {_ALPHA: opaque, 0: new.pixels[..., 0], 1: new.pixels[..., 1], 2: new.pixels[..., 2], _MASK: new.mask}
    return {channel: b"\0\0" + np.ascontiguousarray(plane).tobytes() for channel, plane in planes.items()}


def _record(new: NewLayer, channels: dict[int, bytes], wide: bool) -> bytes:
    """The new layer's record: normal, opaque, visible, with a mask over its own bounds that hides all beyond."""
    height, width = new.mask.shape
    bounds = struct.pack(">iiii", new.y, new.x, new.y + height, new.x + width)
    lengths = b"".join(struct.pack(">hQ" if wide else ">hI", i, len(body)) for i, body in channels.items())
    mask = struct.pack(">I", 20) + bounds + bytes(4)
    short = new.name.encode("ascii", "replace")[:255]
    short = bytes([len(short)]) + short
    wide_name = new.name.encode("utf-16-be")
    text = struct.pack(">I", len(wide_name) // 2) + wide_name
    text += bytes(-len(text) % 4)
    extra = mask + struct.pack(">I", 0) + short + bytes(-len(short) % 4)
    extra += b"8BIMluni" + struct.pack(">I", len(text)) + text
    head = bounds + struct.pack(">H", len(channels)) + lengths
    return head + b"8BIMnorm" + bytes([255, 0, 8, 0]) + struct.pack(">I", len(extra)) + extra

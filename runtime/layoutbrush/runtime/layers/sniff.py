"""Reads the size of a PNG or JPEG from its first bytes, before any decoder is let near it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from layoutbrush.runtime.errors import DamagedData, UnsupportedPixels
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.layers.header import Encoding

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KNOWN = (
    (PNG_SIGNATURE, "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
)
# Start-of-frame markers that hold a size: all but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODED_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Markers without a length: TEM, RST0 to RST7.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True)
class FileHeader:
    """Size as stored (orientation not yet applied) and number of colour components (JPEG only, else 0)."""

    extent: Extent
    components: int = 0


def kind_of(data: bytes) -> str:
    """Name of the file kind for people, e.g. "a TIFF"; "no picture file that this server knows" otherwise."""
    for signature, name in _KNOWN:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP"
    if data[4:8] == b"ftyp":
        return "a HEIF or AVIF"
    return "no picture file that this server knows"


def read_header(data: bytes | bytearray, encoding: Encoding, field: str) -> FileHeader:
    """Return what the file says about its size.

    Raises:
        UnsupportedPixels: it is a file of another kind, or a JPEG of a rare kind (lossless, arithmetic).
        DamagedData: the header ends early or makes no sense.
    """
    head = bytes(data[:32])
    expected = {Encoding.PNG: "a PNG", Encoding.JPEG: "a JPEG"}[encoding]
    found = kind_of(head)
    if found != expected:
        raise UnsupportedPixels(f"The data was announced as {expected} and is {found}.", field)
    try:
        header = _png(head) if encoding is Encoding.PNG else _jpeg(data, field)
    except (struct.error, IndexError):
        raise DamagedData(f"The header of the {expected[2:]} is incomplete.", field) from None
    if header.extent.area == 0:
        raise DamagedData(f"The header of the {expected[2:]} gives no size.", field)
    return header


def _png(head: bytes) -> FileHeader:
    name, width, height = struct.unpack_from(">4sII", head, 12)
    if name != b"IHDR":
        raise IndexError
    return FileHeader(Extent(width, height))


def _jpeg(data: bytes | bytearray, field: str) -> FileHeader:
    place = 2
    while True:
        if data[place] != 0xFF:
            raise IndexError
        while data[place] == 0xFF:  # fill bytes may come before a marker
            place += 1
        marker = data[place]
        place += 1
        if marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, place)
        if marker in _FRAMES:
            if marker not in _DECODED_FRAMES:
                raise UnsupportedPixels("This kind of JPEG (lossless or arithmetic) can't be read.", field)
            height, width, components = struct.unpack_from(">HHB", data, place + 3)
            return FileHeader(Extent(width, height), components)
        if marker in (0xD9, 0xDA) or length < 2:  # picture data or its end, before any size
            raise IndexError
        place += length

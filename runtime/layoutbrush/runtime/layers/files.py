"""PNG and JPEG to arrays, with Pillow kept on a short leash.

Pillow's own texts never leave this module: they hold memory addresses. Its checks come after ours: the size is read
from the header first (`sniff`), only the announced format is let in, and decoding runs only when the size fits.
"""

from __future__ import annotations

import io
import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.errors import DamagedData, SizeMismatch, UnsupportedPixels
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.layers.header import Encoding
from layoutbrush.runtime.layers.sniff import read_header
from layoutbrush.runtime.limits import Limits

_LOG = logging.getLogger(__name__)
_ORIENTATION = 0x0112
_ROWS = 256
# EXIF orientation to what has to be done to the stored picture.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B", "I"})


def load(
    data: bytes | bytearray, encoding: Encoding, limits: Limits, field: str, extent: Extent | None = None
) -> Image.Image:
    """Decode a file and turn it upright.

    `extent`: size that the client announced, after turning. Returns an image in one of Pillow's modes 1, L, LA, P, PA,
    RGB, RGBA, I;16, I (16-bit colour PNGs come as RGB or RGBA, their upper 8 bits).

    Raises:
        LimitExceeded: larger than the limits; found on the header, nothing was decoded.
        SizeMismatch: not of the announced size.
        UnsupportedPixels: another kind of file, or CMYK.
        DamagedData: truncated or corrupt.
    """
    header = read_header(data, encoding, field)
    limits.check_extent(header.extent, field)
    if header.components == 4:
        raise UnsupportedPixels("The picture is CMYK; convert it to RGB first.", field)
    if extent is not None and sorted((extent.width, extent.height)) != sorted(
        (header.extent.width, header.extent.height)
    ):
        raise SizeMismatch(f"The file holds {header.extent} pixels, its bounds say {extent}.", field)
    try:
        with Image.open(io.BytesIO(data), formats=(encoding.name,)) as image:
            image.load()
            upright = _upright(image)
    except Exception as error:  # noqa: BLE001  # Pillow raises whatever it meets in hostile files
        _LOG.info("refused a damaged %s at %s: %s", encoding.name, field, type(error).__name__)
        raise DamagedData(f"The {encoding.name} is truncated or damaged.", field) from None
    if upright.mode not in _MODES:
        raise UnsupportedPixels(f"Pictures in the colour model {upright.mode} can't be read; convert to RGB.", field)
    if extent is not None and (extent.width, extent.height) != upright.size:
        raise SizeMismatch(f"The file holds {upright.width} x {upright.height} pixels, its bounds say {extent}.", field)
    return upright


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  # a broken EXIF block says nothing about the pixels
        orientation = 1
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def photo_pixels(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return colours uint8 (H, W, 3) and opacity bool (H, W) (True = opaque; None = all of it)."""
    if image.mode.startswith("I"):
        grey = np.rint(np.asarray(image).astype(np.float32) / 257.0).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = rgba[:, :, 3] >= 128
        return np.ascontiguousarray(rgba[:, :, :3]), None if opaque.all() else opaque
    return _rgb(image), None


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """The colours, band by band, so that no second picture is held beside Pillow's own."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _ROWS):
        bottom = min(image.height, top + _ROWS)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert("RGB"))
    return pixels


def label_pixels(image: Image.Image, field: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return ids (H, W), not yet compared with a bundle's; a palette file by its indices.

    Raises:
        UnsupportedPixels: the file has colours or alpha instead of ids.
    """
    if image.mode not in ("1", "L", "P", "I;16", "I;16B", "I"):
        raise UnsupportedPixels(
            "The label map has colours or alpha; it must have one channel that holds label ids (grey or palette).",
            field,
        )
    if image.mode.startswith("I"):
        wide: NDArray[np.uint16] = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        return wide
    return np.asarray(image if image.mode in ("L", "P") else image.convert("L"), dtype=np.uint8)


def mask_pixels(image: Image.Image, field: str) -> NDArray[np.bool_]:
    """Return True where the file is at least half white, (H, W).

    Raises:
        UnsupportedPixels: the file has colours or transparency.
    """
    if image.mode.startswith("I"):
        return np.asarray(np.asarray(image) >= 32768)
    if image.mode == "L" and "transparency" not in image.info:
        return np.asarray(np.asarray(image) >= 128)
    rgba = np.asarray(image.convert("RGBA"))
    grey = rgba[:, :, 0]
    if not (np.array_equal(grey, rgba[:, :, 1]) and np.array_equal(grey, rgba[:, :, 2])):
        raise UnsupportedPixels("The mask has colours; it must be grey: white = selected.", field)
    if not (rgba[:, :, 3] == 255).all():
        raise UnsupportedPixels("The mask is transparent in places; it must be grey: white = selected.", field)
    return np.asarray(grey >= 128)

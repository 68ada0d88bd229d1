"""Arrays to the bytes of an outgoing layer."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.layers.header import ChannelOrder, Encoding

_PNG_EFFORT = 1
"""zlib level: 1 is three times as fast as the default 6 and at most a fifth larger on photos."""


def arrange(pixels: NDArray[np.uint8], order: ChannelOrder, mask: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Return `pixels` (h, w, 3 or 4; RGB first) in another channel order; alpha is `mask`, or opaque without one."""
    rgb = pixels[:, :, :3]
    rgb = rgb[:, :, ::-1] if order.is_reversed else rgb
    if not order.has_alpha:
        return np.ascontiguousarray(rgb)
    out = np.empty((*pixels.shape[:2], 4), np.uint8)
    out[:, :, :3] = rgb
    if mask is not None:
        out[:, :, 3] = np.where(mask, np.uint8(255), np.uint8(0))
    else:
        out[:, :, 3] = pixels[:, :, 3] if pixels.shape[2] == 4 else 255
    return out


def encode_pixels(pixels: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """Return uint8 pixels (h, w), (h, w, 3) or (h, w, 4) as raw interleaved bytes or as a PNG.

    A PNG has no other order than RGB and RGBA: arrange them so.
    """
    if encoding is Encoding.RAW:
        return pixels.tobytes()
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=_PNG_EFFORT)
    return out.getvalue()

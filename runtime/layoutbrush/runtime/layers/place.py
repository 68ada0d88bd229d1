"""Puts a layer that covers a part of the photo onto an array of the photo's size."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import SizeMismatch
from layoutbrush.runtime.geometry import Bounds

T = TypeVar("T", np.uint8, np.bool_)


def place(pixels: NDArray[T], bounds: Bounds, photo: Bounds, base: NDArray[T] | T, field: str = "bounds") -> NDArray[T]:
    """Return an array (H, W) of the photo's size with `pixels` at `bounds`.

    `base`: what is around them, an array of the photo's size (not modified) or one value. Where `pixels` cover the
    whole photo they are returned as they are.

    Raises:
        SizeMismatch: the layer reaches beyond the photo.
    """
    if bounds == photo:
        return pixels
    if not photo.contains(bounds):
        raise SizeMismatch(f"The layer covers {bounds}, which reaches beyond the photo ({photo}).", field)
    whole: NDArray[T]
    if isinstance(base, np.ndarray):
        whole = base.copy()
    else:
        whole = np.full(photo.extent.shape, base, dtype=pixels.dtype)
    whole[bounds.moved(-photo.x, -photo.y).slices] = pixels
    return whole

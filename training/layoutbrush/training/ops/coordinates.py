"""Packed coordinates: an int32 `y << 16 | x`, as both ops carry the positions of keys."""

from __future__ import annotations

import torch
from torch import Tensor


def pack(rows: Tensor, columns: Tensor) -> Tensor:
    """Packs rows and columns (any equal shapes, integers in 0..32767) into int32 `y << 16 | x`."""
    return (rows * 65536 + columns).to(torch.int32)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns (int64, the shape of `packed`) of packed coordinates."""
    wide = packed.to(torch.int64)
    return torch.div(wide, 65536, rounding_mode="floor"), wide % 65536


def flat_index(packed: Tensor, width: int) -> Tensor:
    """Row-major int64 index `y * width + x` of packed coordinates, the shape of `packed`."""
    rows, columns = unpack(packed)
    return rows * width + columns

"""Tiles of a large result, joined to one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layoutbrush import v1
from layoutbrush.plugin_bridge.errors import ended_early
from layoutbrush.plugin_bridge.picture import Picture


@dataclass(frozen=True)
class Tile:
    """A part of the result that is done: paste `picture` at its place through `mask`, as the result itself."""

    picture: Picture
    mask: Picture


def joined(layer: v1.Layer, parts: Sequence[Picture]) -> Picture:
    """Return the picture that raw parts make, in any order; `layer` says where the whole of them lies.

    Raises:
        RemoteError: a part lies outside, or together they don't cover the whole.
    """
    whole = Picture.received(layer, b"")
    rows, columns, channels = whole.shape
    data = bytearray(rows * columns * channels)
    covered = 0
    for part in parts:
        height, width, depth = part.shape
        left, top = part.x - whole.x, part.y - whole.y
        inside = left >= 0 and top >= 0 and left + width <= columns and top + height <= rows
        if not inside or depth != channels or len(part.data) != height * width * depth:
            raise ended_early()
        for row in range(height):
            at = ((top + row) * columns + left) * channels
            data[at : at + width * channels] = part.data[row * width * channels : (row + 1) * width * channels]
        covered += height * width
    if covered != rows * columns:
        raise ended_early()
    return Picture.received(layer, bytes(data))

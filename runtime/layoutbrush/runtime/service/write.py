"""Layers and events to messages, cut so that every message fits into a client's default limit of 4 MiB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush import v1
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.layers import ChannelOrder, Encoding, LayerKind, encode_pixels
from layoutbrush.runtime.layers.encode import arrange

INLINE_BYTES = 1 << 20
"""Largest layer that travels inside its event; two of them and all else stay far below 4 MiB."""
CHUNK_BYTES = 2 << 20
"""Bytes of a chunk."""

_NOWHERE = Bounds(0, 0, 0, 0)


@dataclass(frozen=True)
class Outgoing:
    """An encoded layer; `bounds` in the photo's own pixels, `pixels` its size as sent."""

    data: bytes
    bounds: Bounds
    pixels: Extent
    encoding: Encoding
    channel_order: ChannelOrder
    kind: LayerKind | None = None


def picture(
    pixels: NDArray[np.uint8],
    bounds: Bounds,
    encoding: Encoding,
    order: ChannelOrder,
    mask: NDArray[np.bool_] | None = None,
    kind: LayerKind | None = None,
) -> Outgoing:
    """Encode colours uint8 (h, w, 3); alpha, where `order` has it, is `mask` or opaque. Slow: call it from a worker."""
    arranged = arrange(pixels, order, mask)
    return Outgoing(encode_pixels(arranged, encoding), bounds, Extent.of_shape(pixels.shape), encoding, order, kind)


def single_channel(
    pixels: NDArray[np.uint8] | NDArray[np.bool_], bounds: Bounds, encoding: Encoding, kind: LayerKind
) -> Outgoing:
    """Encode a mask bool (h, w) as 0 and 255, or label ids uint8 (h, w). Slow: call it from a worker."""
    values = pixels if pixels.dtype == np.uint8 else np.where(pixels, np.uint8(255), np.uint8(0))
    data = encode_pixels(np.asarray(values, np.uint8), encoding)
    return Outgoing(data, bounds, Extent.of_shape(pixels.shape), encoding, ChannelOrder.GRAY, kind)


def in_tiles(bounds: Bounds, encoding: Encoding, order: ChannelOrder, kind: LayerKind | None = None) -> Outgoing:
    """Describe a layer whose pixels went as tiles."""
    return Outgoing(b"", bounds, bounds.extent, encoding, order, kind)


class LayerWriter:
    """Makes the layer messages of one stream and numbers those that need chunks. `origin`: where the photo lies."""

    def __init__(self, origin: Bounds = _NOWHERE) -> None:
        self._origin = origin
        self._transfers = 0
        self._pending: list[tuple[int, bytes]] = []

    def layer(self, outgoing: Outgoing) -> v1.Layer:
        """The message of a layer, in the client's coordinates; its data inside, or empty where chunks follow."""
        placed = outgoing.bounds.moved(self._origin.x, self._origin.y)
        form = v1.PixelFormat(
            channel_order=f"CHANNEL_ORDER_{outgoing.channel_order.name}",
            data_type=v1.DATA_TYPE_UINT8,
            plane_order=v1.PLANE_ORDER_INTERLEAVED,
        )
        message = v1.Layer(
            kind=None if outgoing.kind is None else f"LAYER_KIND_{outgoing.kind.name}",
            bounds=v1.Bounds(x=placed.x, y=placed.y, width=placed.width, height=placed.height),
            encoding=f"ENCODING_{outgoing.encoding.name}",
            format=form if outgoing.encoding is Encoding.RAW else None,
            data_size=len(outgoing.data),
        )
        if outgoing.pixels != outgoing.bounds.extent:
            message.pixels.width, message.pixels.height = outgoing.pixels.width, outgoing.pixels.height
        if len(outgoing.data) <= INLINE_BYTES:
            message.data = outgoing.data
        else:
            self._transfers += 1
            message.transfer_id = self._transfers
            self._pending.append((self._transfers, outgoing.data))
        return message

    def chunks(self) -> Iterator[v1.LayerChunk]:
        """The chunks of all layers made since the last call, each layer's in order."""
        while self._pending:
            transfer, data = self._pending.pop(0)
            for offset in range(0, len(data), CHUNK_BYTES):
                part = data[offset : offset + CHUNK_BYTES]
                last = offset + len(part) == len(data)
                yield v1.LayerChunk(transfer_id=transfer, offset=offset, data=part, last=last)

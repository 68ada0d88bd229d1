"""What the checks of a server work with: a small photo, its label map in the bundle's ids, and calls in short."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.transports import Transport
from layoutbrush.plugin_bridge.errors import RemoteError, ended_early

Array = NDArray[Any]
E = TypeVar("E", v1.RenderResponse, v1.GenerateDraftsResponse)
_ORDERS = {1: v1.CHANNEL_ORDER_GRAY, 3: v1.CHANNEL_ORDER_RGB, 4: v1.CHANNEL_ORDER_RGBA}
_TYPES = {
    "|u1": v1.DATA_TYPE_UINT8,
    "<u2": v1.DATA_TYPE_UINT16,
    "<f2": v1.DATA_TYPE_FLOAT16,
    "<f4": v1.DATA_TYPE_FLOAT32,
}


def raw(kind: v1.LayerKind, values: Array, x: int = 0, y: int = 0) -> v1.Layer:
    """A message with the raw pixels of an array (h, w) or (h, w, 1, 3 or 4)."""
    return v1.Layer(
        kind=kind,
        bounds=v1.Bounds(x=x, y=y, width=values.shape[1], height=values.shape[0]),
        encoding=v1.ENCODING_RAW,
        format=v1.PixelFormat(
            channel_order=_ORDERS[values.shape[2] if values.ndim == 3 else 1], data_type=_TYPES[values.dtype.str]
        ),
        data=np.ascontiguousarray(values).tobytes(),
    )


class Streamed(Generic[E]):
    """The events of a streaming call, read to its end, and its layers with their bytes put together."""

    def __init__(self, events: Iterable[E]) -> None:
        self.events: list[E] = list(events)
        self._chunks: dict[int, bytearray] = {}
        for event in self.events:
            if event.HasField("chunk"):
                self._chunks.setdefault(event.chunk.transfer_id, bytearray()).extend(event.chunk.data)

    @property
    def kinds(self) -> list[str]:
        """What each event is."""
        return [str(event.WhichOneof("event")) for event in self.events]

    def bytes_of(self, layer: v1.Layer) -> bytes:
        """A layer's bytes, from its message or from its chunks."""
        return bytes(self._chunks[layer.transfer_id]) if layer.transfer_id else layer.data

    def pixels(self, layer: v1.Layer) -> Array:
        """A layer's pixels, uint8 (h, w, channels)."""
        data = self.bytes_of(layer)
        if layer.encoding == v1.ENCODING_PNG:
            found = np.asarray(Image.open(io.BytesIO(data)))
            return found if found.ndim == 3 else found[..., None]
        height, width = layer.bounds.height, layer.bounds.width
        return np.frombuffer(data, np.uint8).reshape(height, width, -1)


class Rendered(Streamed[v1.RenderResponse]):
    """The events of a render."""

    @property
    def result(self) -> v1.Result:
        """The result as it came.

        Raises:
            RemoteError: there is none.
        """
        found = [event.result for event in self.events if event.HasField("result")]
        if not found:
            raise ended_early()
        return found[-1]


class Bench:
    """A transport, and documents that are closed at the end."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._documents: list[str] = []

    @cached_property
    def info(self) -> v1.GetServerInfoResponse:
        """What the server says of itself."""
        info: v1.GetServerInfoResponse = self.transport.call("GetServerInfo", v1.GetServerInfoRequest())
        return info

    @property
    def side(self) -> int:
        """Shorter side of a photo that every server takes."""
        return max(64, self.info.limits.min_side)

    def ids(self) -> tuple[int, int]:
        """Two labels of the bundle."""
        found = sorted(label.id for label in self.info.bundle.labels)
        return found[0], found[-1]

    def photo(self, width: int = 0, height: int = 0) -> Array:
        """A photo that looks different everywhere, uint8 (h, w, 3)."""
        width, height = width or self.side + 32, height or self.side
        rows, columns = np.mgrid[0:height, 0:width]
        channels = [rows * 5 + columns * 3, rows * 2 + columns * 7 + 40, rows * columns // 8]
        return np.stack(channels, -1).astype(np.int64).__mod__(256).astype(np.uint8)

    def layout(self, photo: Array) -> Array:
        """The first label everywhere, uint8 (h, w)."""
        return np.full(photo.shape[:2], self.ids()[0], np.uint8)

    def edited(self, photo: Array) -> Array:
        """The other label in a rectangle of 16 x 16 at (20, 24)."""
        edited = self.layout(photo)
        edited[24:40, 20:36] = self.ids()[1]
        return edited

    def open(self, *layers: v1.Layer) -> str:
        """Open a document; returns its id."""
        opened = self.transport.call("OpenDocument", v1.OpenDocumentRequest(layers=layers))
        self._documents.append(opened.document_id)
        return str(opened.document_id)

    def open_photo(self, photo: Array | None = None, x: int = 0, y: int = 0) -> str:
        """Open a document with a photo and its label map."""
        photo = self.photo() if photo is None else photo
        return self.open(raw(v1.LAYER_KIND_PHOTO, photo, x, y), raw(v1.LAYER_KIND_LABEL_MAP, self.layout(photo), x, y))

    def request(self, document: str, edit: v1.Edit | None = None, **options: Any) -> v1.RenderRequest:
        """A render, by default of `edited`."""
        if edit is None:
            edit = v1.Edit(label_map=raw(v1.LAYER_KIND_EDITED_LABEL_MAP, self.edited(self.photo())))
        return v1.RenderRequest(document_id=document, edit=edit, options=v1.RenderOptions(**options))

    def render(self, document: str, edit: v1.Edit | None = None, **options: Any) -> Rendered:
        """Make an edit and read it to its end."""
        return Rendered(self.transport.stream("Render", self.request(document, edit, **options)))

    def close(self) -> None:
        """Close the documents that are still there."""
        for document in self._documents:
            try:
                self.transport.call("CloseDocument", v1.CloseDocumentRequest(document_id=document))
            except RemoteError:
                continue

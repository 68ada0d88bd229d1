"""Layers on their way into a document: header checks, parts, decoding off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor

from layoutbrush import v1
from layoutbrush.runtime.documents import Document, Store, Upload
from layoutbrush.runtime.errors import InvalidArgument, LimitExceeded
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers import Decoded, LayerHeader, decode
from layoutbrush.runtime.service import read
from layoutbrush.runtime.service.backend import Backend


class Uploads:
    """Puts layers into documents. A layer that turns out invalid leaves the document as it was."""

    def __init__(self, store: Store, backend: Backend, decoders: Executor) -> None:
        self._store = store
        self._backend = backend
        self._decoders = decoders

    async def add_all(self, document: Document, layers: Iterable[v1.Layer]) -> list[v1.LayerState]:
        """Add the layers of an OpenDocument request; photos first, so that the others can be measured against them."""
        numbered = list(enumerate(layers))
        if len(numbered) > self._store.limits.max_layers:
            raise LimitExceeded(f"A document has at most {self._store.limits.max_layers} layers.", "layers")
        kinds = [(layer.kind, layer.reference_id) for _, layer in numbered]
        for index, kind in enumerate(kinds):
            if kind in kinds[:index]:
                raise InvalidArgument("A document has one layer of each kind.", f"layers[{index}].kind")
        photos = (v1.LAYER_KIND_PHOTO, v1.LAYER_KIND_REFERENCE_PHOTO)
        states = {}
        for index, layer in sorted(numbered, key=lambda item: item[1].kind not in photos):
            states[index] = await self.add_part(document, layer, 0, f"layers[{index}]")
        return [states[index] for index, _ in numbered]

    async def add_part(self, document: Document, layer: v1.Layer, offset: int, fields: str) -> v1.LayerState:
        """Take one part of a layer (or all of it); decode it when the last byte is there."""
        header = read.layer_header(layer, fields)
        if offset == 0:
            header.check(self._store.limits, document.bounds_for(header.key))
            document.check_room(header.key, self._store.limits, f"{fields}.kind")
            upload = Upload(header)
        else:
            found = document.uploads.get(header.key)
            if found is None:
                raise InvalidArgument("This layer has no upload to go on with; begin at offset 0.", "offset")
            upload = found
        self._store.make_room(len(layer.data), document, f"{fields}.data")
        if len(layer.data) == header.data_size and offset == 0:
            return await self._complete(document, header, layer.data)
        upload.add(layer.data, offset, header, fields)
        document.uploads[header.key] = upload
        if upload.complete:
            del document.uploads[header.key]
            return await self._complete(document, upload.header, upload.data)
        return v1.LayerState(kind=layer.kind, reference_id=layer.reference_id, received_size=len(upload.data))

    async def decode(self, header: LayerHeader, data: bytes | bytearray, photo: Bounds | None) -> Decoded:
        """Check and decode a layer that isn't kept (or not yet), in a worker thread."""
        header.check(self._store.limits, photo)
        loop = asyncio.get_running_loop()
        limits, labels = self._store.limits, self._backend.label_ids
        return await loop.run_in_executor(self._decoders, decode, header, data, limits, labels, photo)

    async def _complete(self, document: Document, header: LayerHeader, data: bytes | bytearray) -> v1.LayerState:
        decoded = await self.decode(header, data, document.bounds_for(header.key))
        document.check_size(header, decoded)
        self._store.make_room(decoded.nbytes, document, header.at("data"))
        document.put(header.key, decoded)
        bounds = decoded.bounds
        return v1.LayerState(
            kind=v1.LayerKind.Name(header.kind.value),
            reference_id=header.key.reference_id,
            bounds=v1.Bounds(x=bounds.x, y=bounds.y, width=bounds.width, height=bounds.height),
            received_size=header.data_size,
            complete=True,
        )

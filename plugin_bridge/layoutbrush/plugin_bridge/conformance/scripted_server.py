"""A server that answers by script and writes down what it is asked: the other side of a plugin under test.

It renders nothing real, but something that can be checked: what changed is filled with its label's colour. It is
strict where a real server may be lenient, and collects what it finds wrong in `complaints`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
import numpy as np
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types
from grpc_status import rpc_status

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.pixels import Array, BadLayer, read, written
from layoutbrush.plugin_bridge.mock import LABELS, UNKNOWN

INLINE_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20
TILE_SIDE = 64
_HOLD_SECONDS = 20.0
_Events = list[v1.RenderResponse]


@dataclass(frozen=True)
class Script:
    """How the server behaves. `busy`, `forgets`, `refuses`: so many renders are answered in that way before one works.
    `retry_after_s`: what a busy server says. `slow`: a render waits until it is cancelled. `limits`: as it states them.
    """

    busy: int = 0
    forgets: int = 0
    refuses: int = 0
    retry_after_s: float = 0.3
    slow: bool = False
    max_side: int = 8192
    max_message_bytes: int = 64 << 20


@dataclass
class Met:
    """One call. `ended`: "answered", "refused" or "cancelled", empty while it runs."""

    method: str
    request: Any
    at: float
    ended: str = ""
    ended_at: float = 0.0


@dataclass
class _Document:
    layers: dict[tuple[int, str], v1.Layer] = field(default_factory=dict)
    partial: dict[tuple[int, str], v1.Layer] = field(default_factory=dict)
    revision: int = 0
    edited: Array | None = None


class ScriptedServer(v1.LayoutbrushServiceServicer):
    """Serves inside its context; `address` is host:port."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.met: list[Met] = []
        self.complaints: list[str] = []
        self.address = ""
        self._documents: dict[str, _Document] = {}
        self._polled: dict[str, tuple[list[v1.RenderResponse], Met]] = {}
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._left = {"busy": self.script.busy, "forgets": self.script.forgets, "refuses": self.script.refuses}
        size = max(4 << 20, self.script.max_message_bytes) + (1 << 20)
        options = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", -1)]
        self._server = grpc.server(ThreadPoolExecutor(8), options=options)
        v1.add_LayoutbrushServiceServicer_to_server(self, self._server)

    def __enter__(self) -> ScriptedServer:
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def calls(self, method: str) -> list[Met]:
        """The calls of a method, in order."""
        with self._lock:
            return [met for met in self.met if met.method == method]

    def GetServerInfo(self, request: Any, context: Any) -> v1.GetServerInfoResponse:
        """See the contract."""
        with self._meeting("GetServerInfo", request):
            labels = [
                v1.Label(id=number, name=name, color=v1.Color(red=red, green=green, blue=blue))
                for number, (name, (red, green, blue)) in LABELS.items()
            ]
            side = self.script.max_side
            return v1.GetServerInfoResponse(
                server_version="0",
                bundle=v1.BundleInfo(name="scripted", version="1", labels=labels),
                limits=v1.Limits(
                    max_side=side,
                    max_layer_pixels=side * side,
                    max_layer_bytes=side * side * 16,
                    max_layers=64,
                    max_message_bytes=self.script.max_message_bytes,
                    max_documents=64,
                    max_total_bytes=4 << 30,
                    max_waiting=16,
                    min_side=1,
                ),
                engines=[v1.EngineInfo(name="scripted", active=True)],
                capabilities=v1.Capabilities(segmentation=True, polling=True),
            )

    def OpenDocument(self, request: v1.OpenDocumentRequest, context: Any) -> v1.OpenDocumentResponse:
        """See the contract."""
        with self._meeting("OpenDocument", request), self._lock:
            self._check_message(request)
            document, name = _Document(), f"scripted-document-{next(self._ids):04}"
            self._documents[name] = document
            for layer in request.layers:
                self._take(document, layer, 0, context)
            states = [self._state(document, layer) for layer in request.layers]
            return v1.OpenDocumentResponse(document_id=name, idle_seconds=3600, layers=states)

    def UploadLayer(self, request: v1.UploadLayerRequest, context: Any) -> v1.UploadLayerResponse:
        """See the contract."""
        with self._meeting("UploadLayer", request), self._lock:
            self._check_message(request)
            document = self._document(request.document_id, context)
            self._take(document, request.layer, request.offset, context)
            return v1.UploadLayerResponse(layer=self._state(document, request.layer))

    def CloseDocument(self, request: v1.CloseDocumentRequest, context: Any) -> v1.CloseDocumentResponse:
        """See the contract."""
        with self._meeting("CloseDocument", request), self._lock:
            self._document(request.document_id, context)
            del self._documents[request.document_id]
            return v1.CloseDocumentResponse()

    def Segment(self, request: v1.SegmentRequest, context: Any) -> Iterator[v1.SegmentResponse]:
        """See the contract: sky above, grass below."""
        with self._meeting("Segment", request):
            document = self._document(request.document_id, context)
            photo = document.layers.get((v1.LAYER_KIND_PHOTO, ""))
            if photo is None:
                _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "The document has no photo yet.", "")
            height, width = read(photo).shape[:2]
            ids = np.zeros((height, width), np.uint8)
            ids[height // 2 :] = 3
            layer = written(v1.LAYER_KIND_LABEL_MAP, ids, photo.bounds.x, photo.bounds.y)
            if request.store:
                document.layers[(v1.LAYER_KIND_LABEL_MAP, "")] = layer
            yield v1.SegmentResponse(queued=v1.Queued())
            yield from (v1.SegmentResponse(**part) for part in _parts("label_map", layer))

    def Render(self, request: v1.RenderRequest, context: Any) -> Iterator[v1.RenderResponse]:
        """See the contract."""
        with self._meeting("Render", request) as met:
            begun, rest = self._begin(request, context)
            yield from begun
            if self.script.slow:
                gone = threading.Event()
                context.add_callback(gone.set)
                if gone.wait(_HOLD_SECONDS):
                    met.ended = "cancelled"
                    return
                self.complaints.append("A render that was to be cancelled was not.")
            yield from rest

    def StartRender(self, request: v1.StartRenderRequest, context: Any) -> v1.StartRenderResponse:
        """See the contract. In the record it is a Render, too."""
        meeting = self._meeting("Render", request.render)
        try:
            begun, rest = self._begin(request.render, context)
        except BaseException:
            meeting.met.ended, meeting.met.ended_at = "refused", time.monotonic()
            raise
        with self._lock:
            name = f"scripted-render-{next(self._ids):04}"
            self._polled[name] = (begun if self.script.slow else [*begun, *rest], meeting.met)
        return v1.StartRenderResponse(render_id=name, revision=begun[0].revision, idle_seconds=60)

    def PollRender(self, request: v1.PollRenderRequest, context: Any) -> v1.PollRenderResponse:
        """See the contract: one event a poll, so that a plugin has to come again."""
        with self._meeting("PollRender", request), self._lock:
            if request.render_id not in self._polled:
                _refuse(context, grpc.StatusCode.NOT_FOUND, "There is no such render.", "RENDER_NOT_FOUND")
            events, met = self._polled[request.render_id]
            if request.after > len(events):
                self.complaints.append(f"A poll asked for events after {request.after} of {len(events)}.")
            chosen = events[request.after : request.after + 1]
            after = request.after + len(chosen)
            finished = after == len(events) and not self.script.slow
            if finished:
                met.ended, met.ended_at = "answered", time.monotonic()
        if not chosen:
            time.sleep(min(request.wait_ms, 200) / 1000)
        return v1.PollRenderResponse(events=chosen, next=after, finished=finished)

    def CancelRender(self, request: v1.CancelRenderRequest, context: Any) -> v1.CancelRenderResponse:
        """See the contract."""
        with self._meeting("CancelRender", request), self._lock:
            _, met = self._polled.pop(request.render_id, ([], None))
            if met is not None and not met.ended:
                met.ended, met.ended_at = "cancelled", time.monotonic()
            return v1.CancelRenderResponse()

    def _begin(
        self, request: v1.RenderRequest, context: Any
    ) -> tuple[list[v1.RenderResponse], list[v1.RenderResponse]]:
        """Take a render, or refuse it as the script says; its first events, and those with the result."""
        with self._lock:
            self._check_message(request)
            document = self._document(request.document_id, context)
            self._misbehave(request, context)
            edited, mask = self._edit(document, request, context)
            document.revision += 1
            document.edited = edited
            begun = [v1.RenderResponse(queued=v1.Queued()), v1.RenderResponse(progress=v1.Progress(stage="warp"))]
            rest = list(self._result(document, request.options, edited, mask))
            for event in (*begun, *rest):
                event.revision = document.revision
            return begun, rest

    def _meeting(self, method: str, request: Any) -> _Meeting:
        met = Met(method, request, time.monotonic())
        with self._lock:
            self.met.append(met)
        return _Meeting(met)

    def _document(self, name: str, context: Any) -> _Document:
        found = self._documents.get(name)
        if found is None:
            _refuse(context, grpc.StatusCode.NOT_FOUND, "There is no such document.", "DOCUMENT_NOT_FOUND")
        return found

    def _misbehave(self, request: v1.RenderRequest, context: Any) -> None:
        """Answer as the script says, as long as it says so."""
        if self._left["busy"] > 0:
            self._left["busy"] -= 1
            text, wait = "The server is busy: 16 requests are waiting.", self.script.retry_after_s
            _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text, "RESOURCE_EXHAUSTED", wait)
        if self._left["forgets"] > 0:
            self._left["forgets"] -= 1
            del self._documents[request.document_id]
            _refuse(context, grpc.StatusCode.NOT_FOUND, "There is no such document.", "DOCUMENT_NOT_FOUND")
        if self._left["refuses"] > 0:
            self._left["refuses"] -= 1
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "The script refuses this edit.", "INVALID_ARGUMENT")

    def _check_message(self, request: Any) -> None:
        if request.ByteSize() > self.script.max_message_bytes:
            self.complaints.append(
                f"{type(request).__name__} has {request.ByteSize()} bytes; max_message_bytes is "
                f"{self.script.max_message_bytes}."
            )

    def _take(self, document: _Document, layer: v1.Layer, offset: int, context: Any) -> None:
        """Take a layer, or a part of one."""
        key = (layer.kind, layer.reference_id)
        held = document.partial.get(key)
        if offset and (held is None or offset != len(held.data)):
            self.complaints.append(f"A part of {_name(layer)} came at offset {offset}, not where the last one ended.")
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "The part doesn't follow the last one.", "")
        if max(layer.bounds.width, layer.bounds.height) > self.script.max_side:
            self.complaints.append(
                f"{_name(layer)} is {layer.bounds.width} x {layer.bounds.height}; max_side is {self.script.max_side}."
            )
            _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "The layer is too large.", "LIMIT_EXCEEDED")
        whole = v1.Layer()
        whole.CopyFrom(held if offset and held is not None else layer)
        whole.data = (held.data if offset and held is not None else b"") + layer.data
        if layer.data_size > len(whole.data):
            document.partial[key] = whole
            return
        document.partial.pop(key, None)
        values = self._pixels(whole, context)
        if not whole.HasField("bounds"):
            photo = document.layers.get((v1.LAYER_KIND_PHOTO, ""))
            whole.bounds.MergeFrom(
                photo.bounds if photo is not None else v1.Bounds(width=values.shape[1], height=values.shape[0])
            )
        document.layers[key] = whole

    def _state(self, document: _Document, layer: v1.Layer) -> v1.LayerState:
        key = (layer.kind, layer.reference_id)
        whole, partial = document.layers.get(key), document.partial.get(key)
        if partial is not None or whole is None:
            size = len(partial.data) if partial is not None else 0
            return v1.LayerState(kind=layer.kind, reference_id=layer.reference_id, received_size=size)
        return v1.LayerState(
            kind=layer.kind,
            reference_id=layer.reference_id,
            bounds=whole.bounds,
            received_size=len(whole.data),
            complete=True,
        )

    def _pixels(self, layer: v1.Layer, context: Any) -> Array:
        try:
            values = read(layer)
        except BadLayer as bad:
            self.complaints.append(f"{_name(layer)}: {bad}.")
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "The layer can't be read.", "DAMAGED_DATA")
        labels = (v1.LAYER_KIND_LABEL_MAP, v1.LAYER_KIND_EDITED_LABEL_MAP, v1.LAYER_KIND_REFERENCE_LABEL_MAP)
        if layer.kind in labels and (strange := sorted({int(v) for v in np.unique(values)} - {*LABELS, UNKNOWN})):
            self.complaints.append(f"{_name(layer)} holds the ids {strange[:5]}, which the bundle doesn't have.")
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "The bundle has no such label.", "UNKNOWN_LABEL")
        return values

    def _edit(self, document: _Document, request: v1.RenderRequest, context: Any) -> tuple[Array, Array]:
        """Edited label map and mask of an edit, each of the photo's size."""
        photo = document.layers.get((v1.LAYER_KIND_PHOTO, ""))
        if photo is None or document.partial:
            self.complaints.append("A render came before the photo was complete.")
            _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "The document has no photo yet.", "")
        shape = read(photo).shape[:2]
        if request.options.seed > (1 << 31) - 1 or not 0 <= request.options.grow <= 1:
            self.complaints.append("The seed is above 2147483647, or `grow` outside 0 to 1.")
        ids = np.full(shape, UNKNOWN, np.uint8)
        self._lay(ids, document.layers.get((v1.LAYER_KIND_LABEL_MAP, "")), photo, context)
        edited, edit = ids.copy(), request.edit
        if edit.WhichOneof("layout") == "tiles":
            base = edit.tiles.base_revision
            if base and base != document.revision:
                text = "That revision of the edited label map is gone; send the whole map."
                _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, text, "STALE_REVISION")
            if base and document.edited is not None:
                edited = document.edited.copy()
            for tile in edit.tiles.tiles:
                self._lay(edited, tile, photo, context)
        elif edit.HasField("label_map"):
            self._lay(edited, edit.label_map, photo, context)
        else:
            self._lay(edited, document.layers.get((v1.LAYER_KIND_EDITED_LABEL_MAP, "")), photo, context)
        mask = edited != ids
        given = edit.mask if edit.HasField("mask") else document.layers.get((v1.LAYER_KIND_MASK, ""))
        if given is not None:
            chosen = np.zeros(shape, np.uint8)
            self._lay(chosen, given, photo, context)
            mask = (chosen >= 128) & (mask if edit.mask_use == v1.MASK_USE_BOUND else True)
        if not mask.any():
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "Nothing is to be changed.", "")
        return edited, mask

    def _lay(self, base: Array, layer: v1.Layer | None, photo: v1.Layer, context: Any) -> None:
        if layer is None:
            return
        values = self._pixels(layer, context)
        x, y = (
            (layer.bounds.x - photo.bounds.x, layer.bounds.y - photo.bounds.y) if layer.HasField("bounds") else (0, 0)
        )
        height, width = values.shape[:2]
        if x < 0 or y < 0 or y + height > base.shape[0] or x + width > base.shape[1]:
            self.complaints.append(f"{_name(layer)} at {layer.bounds.x}, {layer.bounds.y} leaves the photo's bounds.")
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "The layer reaches beyond the photo.", "SIZE_MISMATCH")
        base[y : y + height, x : x + width] = values if values.max(initial=0) <= 255 else values / 257

    def _result(
        self, document: _Document, options: v1.RenderOptions, edited: Array, mask: Array
    ) -> Iterator[v1.RenderResponse]:
        photo = document.layers[(v1.LAYER_KIND_PHOTO, "")]
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        top, left = int(rows[0]), int(columns[0])
        window = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        table = np.full((256, 3), 128, np.uint8)
        for number, (_, color) in LABELS.items():
            table[number] = color
        pixels = np.where(mask[window][..., None], table[edited[window]], read(photo)[window])
        alpha = np.where(mask[window], 255, 0).astype(np.uint8)
        if options.channel_order in (v1.CHANNEL_ORDER_RGBA, v1.CHANNEL_ORDER_BGRA):
            pixels = np.dstack([pixels, alpha])
        x, y = photo.bounds.x + left, photo.bounds.y + top
        for wanted, kind in (
            (options.warped_preview, v1.PREVIEW_KIND_WARPED),
            (options.coarse_preview, v1.PREVIEW_KIND_COARSE),
        ):
            if wanted:
                layer = written(v1.LAYER_KIND_UNSPECIFIED, pixels, x, y, options)
                chunks = _chunks(layer, int(kind))
                yield v1.RenderResponse(preview=v1.Preview(kind=kind, layer=layer))
                yield from (v1.RenderResponse(chunk=chunk) for chunk in chunks)
        layer, covered = (
            written(v1.LAYER_KIND_UNSPECIFIED, pixels, x, y, options),
            written(v1.LAYER_KIND_MASK, alpha, x, y, options),
        )
        if options.tiles:
            yield from _tiles(pixels, alpha, x, y, options)
            layer.data = covered.data = b""
            layer.data_size = covered.data_size = 0
        chunks = [*_chunks(layer, 11), *_chunks(covered, 12)]
        yield v1.RenderResponse(result=v1.Result(layer=layer, mask=covered, timings=[v1.Timing(stage="total")]))
        yield from (v1.RenderResponse(chunk=chunk) for chunk in chunks)


def _tiles(pixels: Array, alpha: Array, x: int, y: int, options: v1.RenderOptions) -> Iterator[v1.RenderResponse]:
    """The result in tiles, the last one first: a plugin must not count on an order."""
    height, width = alpha.shape
    for top in reversed(range(0, height, TILE_SIDE)):
        for left in reversed(range(0, width, TILE_SIDE)):
            part = np.s_[top : top + TILE_SIDE, left : left + TILE_SIDE]
            layer = written(v1.LAYER_KIND_UNSPECIFIED, pixels[part], x + left, y + top, options)
            mask = written(v1.LAYER_KIND_MASK, alpha[part], x + left, y + top, options)
            yield v1.RenderResponse(tile=v1.Tile(layer=layer, mask=mask))


class _Meeting:
    """Writes down how a call ended."""

    def __init__(self, met: Met) -> None:
        self.met = met

    def __enter__(self) -> Met:
        return self.met

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.met.ended:
            self.met.ended = "answered" if kind is None else "cancelled" if kind is GeneratorExit else "refused"
        self.met.ended_at = time.monotonic()


def _name(layer: v1.Layer) -> str:
    return v1.LayerKind.Name(layer.kind).removeprefix("LAYER_KIND_")


def _chunks(layer: v1.Layer, number: int) -> list[v1.LayerChunk]:
    """Take the bytes of a large layer out of its message."""
    data = layer.data
    if len(data) <= INLINE_BYTES:
        return []
    layer.transfer_id, layer.data = number, b""
    return [
        v1.LayerChunk(
            transfer_id=number, offset=at, data=data[at : at + CHUNK_BYTES], last=at + CHUNK_BYTES >= len(data)
        )
        for at in range(0, len(data), CHUNK_BYTES)
    ]


def _parts(name: str, layer: v1.Layer) -> Iterator[dict[str, Any]]:
    chunks = _chunks(layer, 1)
    yield {name: layer}
    yield from ({"chunk": chunk} for chunk in chunks)


def _refuse(context: Any, code: grpc.StatusCode, text: str, reason: str, retry_after_s: float = 0.0) -> NoReturn:
    """End a call with an error as a real server would."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=reason, domain="layoutbrush")]
    if retry_after_s:
        delay = duration_pb2.Duration(nanos=int(retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [any_pb2.Any() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code.value[0], message=text, details=packed)))
    raise AssertionError("abort_with_status raises")

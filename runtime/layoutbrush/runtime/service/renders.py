"""Render and Segment: admission, the worker's part, events to messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layoutbrush import v1
from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.documents import Document, Store
from layoutbrush.runtime.documents.prepared import PreparedSlot
from layoutbrush.runtime.errors import Internal, InvalidArgument, LayoutbrushError, Superseded
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.layers import ChannelOrder, Decoded, Encoding, LayerKey, LayerKind
from layoutbrush.runtime.pipeline.events import Preview, Progress, Result, Tile
from layoutbrush.runtime.service import edits, read
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.clock import Clock
from layoutbrush.runtime.service.edits import Edits, as_sent
from layoutbrush.runtime.service.job import Job, Position
from layoutbrush.runtime.service.uploads import Uploads
from layoutbrush.runtime.service.warming import Warming
from layoutbrush.runtime.service.write import LayerWriter, Outgoing, in_tiles, picture, single_channel

_PREVIEW_KINDS = {"warped": v1.PREVIEW_KIND_WARPED, "coarse": v1.PREVIEW_KIND_COARSE}


@dataclass(frozen=True)
class _Encoded:
    """A preview, tile or result, encoded by the worker."""

    event: Preview | Tile | Result
    layer: Outgoing
    mask: Outgoing | None = None


@dataclass(frozen=True)
class _Segmented:
    """A label map found on the way, uint8 (H, W)."""

    layout: NDArray[np.uint8]
    encoded: Outgoing | None = None


_Step = Progress | _Encoded | _Segmented


class Renders:
    """Runs renders and segmentations of documents. Belongs to the event loop."""

    def __init__(
        self, store: Store, backend: Backend, uploads: Uploads, admission: Admission, workers: Executor
    ) -> None:
        self._store = store
        self._backend = backend
        self._admission = admission
        self._workers = workers
        self._edits = Edits(backend, uploads, store.limits)
        self._warming = Warming(store, backend, admission, workers)

    def warm(self, document: Document) -> None:
        """Prepare a document that has photo and label map in the background, if a worker is idle."""
        self._warming.start(document)

    def stop_warming(self) -> None:
        """End preparation in the background."""
        self._warming.stop()

    async def render(self, request: v1.RenderRequest, deadline: float) -> AsyncGenerator[v1.RenderResponse, None]:
        """See `Core.render`."""
        options = read.options(request.options, self._store.limits)
        # The place in the queue comes first: a request that is sent away must not have painted its tiles.
        with self._store.use(request.document_id) as document, self._job(document, deadline) as job:
            edit = await self._edits.resolve(document, request.edit, options)
            if options.supersede:
                document.stop_all(lambda: Superseded("A newer edit of the document took over."), job)
            slot, writer, clock = document.prepared, LayerWriter(document.photo.bounds), Clock()
            work = self._edit_work(document, slot, edit, options, job.cancelled)
            async for step in job.run(work):
                if isinstance(step, _Segmented):
                    document.adopt_label_map(step.layout, slot)
                    continue
                yield _response(step, writer, clock, edit.revision)
                for chunk in writer.chunks():
                    yield v1.RenderResponse(chunk=chunk, revision=edit.revision)

    @contextmanager
    def _job(self, document: Document, deadline: float) -> Iterator[Job[_Step]]:
        """A job in the queue that the document knows of, so that it can be superseded or closed."""
        with Job[_Step](self._workers, self._admission, deadline) as job:
            document.running[job] = None
            try:
                yield job
            finally:
                document.running.pop(job, None)

    def _edit_work(
        self,
        document: Document,
        slot: PreparedSlot,
        edit: edits.Prepared,
        options: read.Options,
        cancelled: Callable[[], bool],
    ) -> Callable[[], Generator[_Step, None, None]]:
        """What the worker thread does for an edit: prepare if need be, edit, encode."""
        photo, layout = document.photo.pixels, document.whole(LayerKind.LABEL_MAP)
        editor = self._backend.editor

        def work() -> Generator[_Step, None, None]:
            try:
                if not slot.ready:
                    yield Progress("segment" if layout is None else "encode", 0.0)
                prepared = slot.get(lambda: editor.open(photo, layout, cancelled), cancelled)
                if layout is None:
                    yield _Segmented(prepared.layout)
                references = {}
                for name, reference in edit.references.items():
                    if not reference.slot.ready:
                        yield Progress("segment" if reference.layout is None else "encode", 0.0)
                    references[name] = reference.prepared(editor, cancelled)
                request = replace(edit.request, references=references)
                tiled = False
                for event in editor.edit(prepared, request, cancelled):
                    tiled = tiled or isinstance(event, Tile)
                    yield event if isinstance(event, Progress) else _encode(event, options, tiled)
            except LayoutbrushError as error:
                raise as_sent(error) from None

        return work

    async def segment(self, request: v1.SegmentRequest, deadline: float) -> AsyncGenerator[v1.SegmentResponse, None]:
        """See `Core.segment`."""
        encoding = read.outgoing_encoding(request.encoding, "encoding")
        with self._store.use(request.document_id) as document:
            key = LayerKey(LayerKind.LABEL_MAP)
            photo = document.photo
            if request.reference_id:
                key = LayerKey(LayerKind.REFERENCE_LABEL_MAP, request.reference_id)
                document.check_uploads(LayerKind.REFERENCE_PHOTO)
                found = document.layer(LayerKind.REFERENCE_PHOTO, request.reference_id)
                if found is None:
                    raise InvalidArgument("The document has no reference of that id.", "reference_id")
                photo = found
            writer, clock = LayerWriter(photo.bounds), Clock()
            with self._job(document, deadline) as job:
                async for step in job.run(lambda: self._segment_work(photo, encoding, job.cancelled)):
                    if isinstance(step, _Segmented) and step.encoded is not None:
                        if request.store:
                            document.put(key, Decoded(photo.bounds, step.layout))
                        yield v1.SegmentResponse(label_map=writer.layer(step.encoded))
                        for chunk in writer.chunks():
                            yield v1.SegmentResponse(chunk=chunk)
                    elif isinstance(step, Position):
                        yield v1.SegmentResponse(queued=v1.Queued(position=step.value))
                    elif isinstance(step, Progress):
                        yield v1.SegmentResponse(progress=clock.progress(step))
            if request.store:
                self.warm(document)

    def _segment_work(
        self, photo: Decoded, encoding: Encoding, cancelled: Callable[[], bool]
    ) -> Generator[_Step, None, None]:
        yield Progress("segment", 0.0)
        layout = self._backend.editor.segment(photo.pixels, cancelled)
        whole = Bounds.of(Extent.of_shape(layout.shape))
        yield _Segmented(layout, single_channel(layout, whole, encoding, LayerKind.LABEL_MAP))


def _encode(event: Preview | Tile | Result, options: read.Options, tiled: bool) -> _Encoded:
    bounds = event.layer.bounds
    if isinstance(event, Result) and tiled:  # its pixels have gone already
        return _Encoded(
            event,
            in_tiles(bounds, options.encoding, options.channel_order),
            in_tiles(bounds, options.encoding, ChannelOrder.GRAY, LayerKind.MASK),
        )
    mask = None if isinstance(event, Preview) else event.mask
    layer = picture(event.layer.pixels, bounds, options.encoding, options.channel_order, mask)
    if mask is None:
        return _Encoded(event, layer)
    return _Encoded(event, layer, single_channel(mask, bounds, options.encoding, LayerKind.MASK))


def _response(
    step: Position | Progress | _Encoded, writer: LayerWriter, clock: Clock, revision: int
) -> v1.RenderResponse:
    if isinstance(step, Position):
        return v1.RenderResponse(queued=v1.Queued(position=step.value), revision=revision)
    if isinstance(step, Progress):
        return v1.RenderResponse(progress=clock.progress(step), revision=revision)
    layer = writer.layer(step.layer)
    if isinstance(step.event, Preview):
        preview = v1.Preview(kind=_PREVIEW_KINDS[step.event.kind], layer=layer)
        return v1.RenderResponse(preview=preview, revision=revision)
    if step.mask is None:
        raise Internal("The result has no mask.")
    if isinstance(step.event, Tile):
        return v1.RenderResponse(tile=v1.Tile(layer=layer, mask=writer.layer(step.mask)), revision=revision)
    timings = [v1.Timing(stage=stage, milliseconds=spent) for stage, spent in step.event.timings.items()]
    return v1.RenderResponse(
        result=v1.Result(layer=layer, mask=writer.layer(step.mask), timings=timings), revision=revision
    )

"""The service without a transport: messages in, messages out, `LayoutbrushError` raised.

gRPC (`servicer`) and any other gateway call these coroutines and async generators. Closing a generator, or cancelling
the task that iterates it, ends the work behind it at its next step. Everything but decoding, networks and encoding runs
on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from layoutbrush import v1
from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.documents import Store
from layoutbrush.runtime.errors import LayoutbrushError
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.drafts import Drafts
from layoutbrush.runtime.service.finding import Finding
from layoutbrush.runtime.service.info import server_info
from layoutbrush.runtime.service.polling import IDLE_SECONDS, Polling
from layoutbrush.runtime.service.renders import Renders
from layoutbrush.runtime.service.uploads import Uploads

_HOUSEKEEPING_SECONDS = 30.0


@dataclass(frozen=True)
class CoreOptions:
    """`workers`: requests that run networks at a time. `decoders`: layers decoded at a time. Times in seconds.

    `poll_seconds`: a render without a stream that nobody polled for so long ends.
    """

    workers: int = 1
    decoders: int = 2
    idle_seconds: float = 3600.0
    grace_seconds: float = 30.0
    poll_seconds: float = IDLE_SECONDS
    limits: Limits = field(default_factory=Limits)


class Core:
    """All calls of the service. Belongs to one event loop."""

    def __init__(self, backend: Backend, options: CoreOptions | None = None) -> None:
        self.options = options or CoreOptions()
        limits = self.options.limits
        self.backend = backend
        self.admission = Admission(self.options.workers, limits.max_waiting)
        self.store = Store(limits, self.options.idle_seconds, self.options.grace_seconds)
        self._workers = ThreadPoolExecutor(self.options.workers, "layoutbrush-worker")
        self._decoders = ThreadPoolExecutor(self.options.decoders, "layoutbrush-decoder")
        self.uploads = Uploads(self.store, backend, self._decoders)
        self.renders = Renders(self.store, backend, self.uploads, self.admission, self._workers)
        self.drafts = Drafts(backend, limits, self.admission, self._workers)
        self.finding = Finding(backend, self.uploads, limits, self.admission, self._workers)
        self.polling = Polling(limits, self.options.poll_seconds)

    async def get_server_info(self, request: v1.GetServerInfoRequest) -> v1.GetServerInfoResponse:
        """What this server is."""
        return server_info(self.backend, self.options.limits)

    async def open_document(self, request: v1.OpenDocumentRequest) -> v1.OpenDocumentResponse:
        """Start a document with the layers of the request; with an invalid one there is no document."""
        document = self.store.open()
        try:
            with self.store.use(document.id):
                states = await self.uploads.add_all(document, request.layers)
        except BaseException:
            self.store.discard(document.id)
            raise
        self.renders.warm(document)
        return v1.OpenDocumentResponse(
            document_id=document.id, idle_seconds=int(self.store.idle_seconds), layers=states
        )

    async def upload_layer(self, request: v1.UploadLayerRequest) -> v1.UploadLayerResponse:
        """Take one part of a layer."""
        with self.store.use(request.document_id) as document:
            state = await self.uploads.add_part(document, request.layer, request.offset, "layer")
            if state.complete:
                self.renders.warm(document)
            return v1.UploadLayerResponse(layer=state)

    async def close_document(self, request: v1.CloseDocumentRequest) -> v1.CloseDocumentResponse:
        """Forget a document and end its renders."""
        self.store.close(request.document_id)
        self.polling.close_document(request.document_id)
        return v1.CloseDocumentResponse()

    def render(self, request: v1.RenderRequest, deadline: float = 0.0) -> AsyncGenerator[v1.RenderResponse, None]:
        """Edit a photo. `deadline`: on `time.monotonic`, 0 = none but the server's own."""
        return self.renders.render(request, self._deadline(deadline))

    async def start_render(self, request: v1.StartRenderRequest) -> v1.StartRenderResponse:
        """Begin an edit that is polled."""
        seconds = request.timeout_seconds
        responses = self.render(request.render, time.monotonic() + seconds if seconds else 0.0)
        try:
            return await self.polling.start(request.render.document_id, responses)
        except LayoutbrushError as error:
            raise (error.under("render") if error.field else error) from None

    async def poll_render(self, request: v1.PollRenderRequest) -> v1.PollRenderResponse:
        """What happened in such an edit."""
        return await self.polling.poll(request)

    async def cancel_render(self, request: v1.CancelRenderRequest) -> v1.CancelRenderResponse:
        """End such an edit."""
        self.polling.cancel(request.render_id)
        return v1.CancelRenderResponse()

    def segment(self, request: v1.SegmentRequest, deadline: float = 0.0) -> AsyncGenerator[v1.SegmentResponse, None]:
        """Find a photo's label map."""
        return self.renders.segment(request, self._deadline(deadline))

    def generate_drafts(
        self, request: v1.GenerateDraftsRequest, deadline: float = 0.0
    ) -> AsyncGenerator[v1.GenerateDraftsResponse, None]:
        """Make pictures from boxes."""
        return self.drafts.generate(request, self._deadline(deadline))

    async def find_references(
        self, request: v1.FindReferencesRequest, deadline: float = 0.0
    ) -> v1.FindReferencesResponse:
        """Rank the photos of the owner's folder."""
        return await self.finding.find(request, self._deadline(deadline))

    def fetch_reference(
        self, request: v1.FetchReferenceRequest, deadline: float = 0.0
    ) -> AsyncGenerator[v1.FetchReferenceResponse, None]:
        """Hand out one of them."""
        return self.finding.fetch(request, self._deadline(deadline))

    async def keep_house(self) -> None:
        """Keep the owner's folder up to date, and forget what expired now and then: an idle server gives its memory
        back. For as long as this runs.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.finding.keep_up_to_date())
            tasks.create_task(self._expire())

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(min(_HOUSEKEEPING_SECONDS, self.options.idle_seconds, self.options.poll_seconds / 2))
            self.store.expire()
            self.polling.expire()

    def drain(self) -> None:
        """Admit no further work; what is in may finish."""
        self.admission.close()

    async def aclose(self, patience_seconds: float = 5.0) -> None:
        """End all work and free the threads, waiting `patience_seconds` at most for the step that each is at."""
        self.drain()
        await self.polling.aclose()
        self.store.clear()
        self.renders.stop_warming()
        pools = (self._workers, self._decoders)
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        waits = [asyncio.create_task(asyncio.to_thread(pool.shutdown, True)) for pool in pools]
        await asyncio.wait(waits, timeout=patience_seconds)

    def _deadline(self, wanted: float) -> float:
        latest = time.monotonic() + self.options.limits.max_seconds
        return min(wanted, latest) if wanted else latest

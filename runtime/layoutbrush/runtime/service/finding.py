"""FindReferences and FetchReference: photos of the owner's folder, ranked and handed out by name; and the task that
keeps the folder's index up to date while the server has nothing else to do.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush import v1
from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.errors import Cancelled, Internal, LayoutbrushError, Unimplemented
from layoutbrush.runtime.finding import Found, Library
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.layers import ChannelOrder, Encoding, LayerKind
from layoutbrush.runtime.layers.files import load, photo_pixels
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import Progress
from layoutbrush.runtime.service import queries
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.clock import Clock
from layoutbrush.runtime.service.job import Job, Position
from layoutbrush.runtime.service.uploads import Uploads
from layoutbrush.runtime.service.write import LayerWriter, Outgoing, picture, single_channel

_BUSY_SECONDS = 0.05
"""How often to look whether the server has become idle."""
_AGAIN_SECONDS = 60.0
"""How often to look what the folder holds."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ranked:
    """An answer, its thumbnails encoded by the worker."""

    found: list[tuple[Found, Outgoing]]
    ranked: int
    pending: int


class Finding:
    """Searches the folder's library; requests wait in one queue with the renders. Belongs to the event loop."""

    def __init__(
        self, backend: Backend, uploads: Uploads, limits: Limits, admission: Admission, workers: Executor
    ) -> None:
        self._backend = backend
        self._uploads = uploads
        self._limits = limits
        self._admission = admission
        self._workers = workers
        self._stopped = threading.Event()

    async def find(self, request: v1.FindReferencesRequest, deadline: float) -> v1.FindReferencesResponse:
        """See `Core.find_references`."""
        order = queries.search(request)
        library = self._library()
        layout = shown = None
        if order.label_map is not None:
            layout = (await self._uploads.decode(order.label_map, request.label_map.data, None)).pixels
        if order.picture is not None:
            shown = (await self._uploads.decode(order.picture, request.picture.data, None)).pixels
        with Job[_Ranked](self._workers, self._admission, deadline) as job:
            async for step in job.run(lambda: _rank(library, order, layout, shown, self._limits, job.cancelled)):
                if isinstance(step, _Ranked):
                    return _answer(step)
        raise Internal("The search ended without an answer.")

    async def fetch(
        self, request: v1.FetchReferenceRequest, deadline: float
    ) -> AsyncGenerator[v1.FetchReferenceResponse, None]:
        """See `Core.fetch_reference`."""
        order = queries.fetch(request, self._limits)
        library = self._library()
        library.check(order.name)
        writer, clock = LayerWriter(), Clock()
        with Job[Progress | Outgoing](self._workers, self._admission, deadline) as job:
            async for step in job.run(lambda: self._fetch_work(library, order, job.cancelled)):
                if isinstance(step, Position):
                    yield v1.FetchReferenceResponse(queued=v1.Queued(position=step.value))
                elif isinstance(step, Progress):
                    yield v1.FetchReferenceResponse(progress=clock.progress(step))
                else:
                    layer = writer.layer(step)
                    if step.kind is LayerKind.REFERENCE_PHOTO:
                        yield v1.FetchReferenceResponse(photo=layer)
                    else:
                        yield v1.FetchReferenceResponse(label_map=layer)
                    for chunk in writer.chunks():
                        yield v1.FetchReferenceResponse(chunk=chunk)

    async def keep_up_to_date(self) -> None:
        """Look at new and changed photos while the server is idle, for as long as this runs."""
        library = self._backend.library
        if library is None:
            return
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "layoutbrush-library")
        try:
            while True:
                while library.pending:
                    if self._admission.idle:
                        await loop.run_in_executor(thread, _look_at_next, library, self._stopped.is_set)
                    else:
                        await asyncio.sleep(_BUSY_SECONDS)
                await asyncio.sleep(_AGAIN_SECONDS)
                await loop.run_in_executor(thread, _refresh, library)
        except Exception:  # noqa: BLE001  # edits go on without it
            _LOG.exception("the folder of references is not kept up to date any more")
        finally:
            self._stopped.set()
            thread.shutdown(wait=False, cancel_futures=True)

    def _library(self) -> Library:
        if self._backend.library is None:
            raise Unimplemented(
                "This server has no folder of photos to find references in (serve --references FOLDER)."
            )
        return self._backend.library

    def _fetch_work(
        self, library: Library, order: queries.Fetch, cancelled: Callable[[], bool]
    ) -> Generator[Progress | Outgoing, None, None]:
        """What the worker thread does: read, reduce, encode, segment."""
        yield Progress("fetch", 0.0)
        pixels = library.photo(order.name)
        extent = Extent.of_shape(pixels.shape)
        factor = min(1.0, order.max_side / extent.longer) if order.max_side else 1.0
        extent = extent.scaled(max(factor, min(1.0, self._limits.min_side / extent.shorter)))
        pixels = resample.scale_photo(pixels, Bounds.of(Extent.of_shape(pixels.shape)), extent)
        yield _photo(pixels, order.encoding)
        yield Progress("segment", 0.3)
        labels = self._backend.editor.segment(pixels, cancelled)
        yield single_channel(labels, Bounds.of(extent), order.encoding, LayerKind.REFERENCE_LABEL_MAP)


def _rank(
    library: Library,
    order: queries.Search,
    layout: NDArray[np.uint8] | None,
    shown: NDArray[np.uint8] | None,
    limits: Limits,
    cancelled: Callable[[], bool],
) -> Generator[_Ranked, None, None]:
    """What the worker thread does: describe, rank, encode the thumbnails."""
    query = library.describer.query(layout, shown, cancelled)
    found = library.find(query, order.count)
    thumbnails = [_thumbnail(item, order.side, order.encoding, limits) for item in found]
    yield _Ranked(list(zip(found, thumbnails, strict=True)), library.ranked, library.pending)


def _thumbnail(found: Found, side: int, encoding: Encoding, limits: Limits) -> Outgoing:
    pixels, _ = photo_pixels(load(found.thumbnail, Encoding.JPEG, limits, "thumbnail"))
    extent = Extent.of_shape(pixels.shape)
    small = extent.scaled(min(1.0, side / extent.longer))
    return _photo(resample.scale_photo(pixels, Bounds.of(extent), small), encoding)


def _photo(pixels: NDArray[np.uint8], encoding: Encoding) -> Outgoing:
    bounds = Bounds.of(Extent.of_shape(pixels.shape))
    return picture(pixels, bounds, encoding, ChannelOrder.RGB, kind=LayerKind.REFERENCE_PHOTO)


def _answer(step: _Ranked) -> v1.FindReferencesResponse:
    writer = LayerWriter()
    references = []
    for found, thumbnail in step.found:
        layer = writer.layer(thumbnail)
        extent = v1.Extent(width=found.extent.width, height=found.extent.height)
        references.append(v1.FoundReference(name=found.name, score=found.score, extent=extent, thumbnail=layer))
    return v1.FindReferencesResponse(references=references, ranked=step.ranked, pending=step.pending)


def _look_at_next(library: Library, cancelled: Callable[[], bool]) -> None:
    try:
        library.look_at_next(cancelled)
    except Cancelled:
        return


def _refresh(library: Library) -> None:
    try:
        library.refresh()
    except LayoutbrushError as error:
        _LOG.warning("the folder of references can't be read: %s", error.message)

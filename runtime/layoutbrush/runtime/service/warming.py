"""Prepares opened documents while their painter still chooses a brush."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from functools import partial
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.documents import Document, Store
from layoutbrush.runtime.documents.prepared import PreparedSlot
from layoutbrush.runtime.errors import Cancelled, LayoutbrushError
from layoutbrush.runtime.layers import LayerKind
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.job import Job


class Warming:
    """Fills `Document.prepared` in the background, only while a worker is idle: at once, or when one becomes idle.
    Failures wait for the first render.
    """

    def __init__(self, store: Store, backend: Backend, admission: Admission, workers: Executor) -> None:
        self._store = store
        self._backend = backend
        self._admission = admission
        self._workers = workers
        self._tasks: dict[asyncio.Task[None], Job[None]] = {}
        self._later: WeakSet[Document] = WeakSet()  # forgotten with the last who works with them
        admission.on_idle = self._go_on

    def start(self, document: Document) -> None:
        """Prepare what `document` has of photos with label maps and isn't prepared yet, as soon as a worker is idle."""
        if self._admission.idle:
            self._begin(document)
        else:
            self._later.add(document)

    def stop(self) -> None:
        """End all preparation."""
        for job in tuple(self._tasks.values()):
            job.stop(Cancelled())

    def _go_on(self) -> None:
        while self._later and not self._begin(self._later.pop()):
            pass

    def _begin(self, document: Document) -> bool:
        """Begin to prepare a document; False where there is nothing to do."""
        waiting = list(_waiting(document))
        if not waiting:
            return False
        editor = self._backend.editor
        job: Job[None] = Job(self._workers, self._admission, time.monotonic() + self._store.limits.max_seconds)

        def work() -> Generator[None, None, None]:
            for slot, photo, layout in waiting:
                slot.get(partial(editor.open, photo, layout, job.cancelled), job.cancelled)
                yield None

        task = asyncio.get_running_loop().create_task(_run(job, work))
        self._tasks[task] = job
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return True


def _waiting(document: Document) -> Iterator[tuple[PreparedSlot, NDArray[np.uint8], NDArray[np.uint8]]]:
    """The slots to fill, each with its photo and label map: the document's own first, then the references'."""
    layout = document.whole(LayerKind.LABEL_MAP) if document.layer(LayerKind.PHOTO) else None
    if layout is not None and not document.prepared.ready:
        yield document.prepared, document.photo.pixels, layout
    for key, photo in document.layers.items():
        labels = document.layer(LayerKind.REFERENCE_LABEL_MAP, key.reference_id)
        if key.kind is LayerKind.REFERENCE_PHOTO and labels is not None:
            slot = document.reference(key.reference_id)
            if not slot.ready:
                yield slot, photo.pixels, labels.pixels


async def _run(job: Job[None], work: Callable[[], Generator[None, None, None]]) -> None:
    try:
        with job:
            async for _ in job.run(work):
                pass
    except LayoutbrushError:
        pass  # the first render meets the same error and tells its client
    except Exception:
        logging.getLogger(__name__).exception("preparing a document failed")

"""Prepares opened documents while their painter still chooses a brush."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator
from concurrent.futures import Executor

from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.documents import Document, Store
from layoutbrush.runtime.errors import Cancelled, LayoutbrushError
from layoutbrush.runtime.layers import LayerKind
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.job import Job


class Warming:
    """Fills `Document.prepared` in the background, only where a worker is idle. Failures wait for the first render."""

    def __init__(self, store: Store, backend: Backend, admission: Admission, workers: Executor) -> None:
        self._store = store
        self._backend = backend
        self._admission = admission
        self._workers = workers
        self._tasks: dict[asyncio.Task[None], Job[None]] = {}

    def start(self, document: Document) -> None:
        """Prepare `document` if it has a photo and a label map, isn't prepared, and a worker is idle."""
        layout = document.whole(LayerKind.LABEL_MAP) if document.layer(LayerKind.PHOTO) else None
        if layout is None or document.prepared.ready or not self._admission.idle:
            return
        photo, slot, editor = document.photo.pixels, document.prepared, self._backend.editor
        job: Job[None] = Job(self._workers, self._admission, time.monotonic() + self._store.limits.max_seconds)

        def work() -> Generator[None, None, None]:
            slot.get(lambda: editor.open(photo, layout, job.cancelled), job.cancelled)
            yield None

        task = asyncio.get_running_loop().create_task(_run(job, work))
        self._tasks[task] = job
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def stop(self) -> None:
        """End all preparation."""
        for job in tuple(self._tasks.values()):
            job.stop(Cancelled())


async def _run(job: Job[None], work: Callable[[], Generator[None, None, None]]) -> None:
    try:
        with job:
            async for _ in job.run(work):
                pass
    except LayoutbrushError:
        pass  # the first render meets the same error and tells its client
    except Exception:
        logging.getLogger(__name__).exception("preparing a document failed")

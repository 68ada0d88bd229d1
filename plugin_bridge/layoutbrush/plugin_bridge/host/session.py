"""The server as a plug-in sees it: work runs in threads, messages are polled. One job a document at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from layoutbrush.plugin_bridge.client import Client
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.events import Preview, Progress, Queued, Result
from layoutbrush.plugin_bridge.host import label_layer
from layoutbrush.plugin_bridge.host.link import Link, Remote
from layoutbrush.plugin_bridge.host.messages import (
    Advanced,
    Cancelled,
    Connected,
    Failed,
    Finished,
    Labelled,
    Message,
    Previewed,
    Unreachable,
)
from layoutbrush.plugin_bridge.host.palette import Palette
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.snapshot import MaskUse, Server, Snapshot
from layoutbrush.plugin_bridge.picture import Picture

Connect = Callable[[Server, float], Any]
"""Makes a client of a server whose plain calls may take so many seconds."""

_STAGES = {
    "segment": "finding labels",
    "encode": "reading the photo",
    "warp": "fetching texture",
    "refine": "refining",
    "composite": "fitting in",
}
_END_SECONDS = 2.0


def connect(server: Server, seconds: float) -> Client:
    """A client as plug-ins want it: a busy server is waited for, by its own word."""
    return Client(server.host_and_port, server.token, timeout=seconds, tls=server.encrypted)


class _Job:
    """Work on one document."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.cancelled = False
        self.edit: Any = None

    def cancel(self) -> None:
        self.cancelled = True
        if self.edit is not None:
            self.edit.cancel()


class Session:
    """`connect`: how clients are made; tests put a mock there. `channels`: of results and previews, BGRA or RGBA."""

    def __init__(self, connect: Connect = connect, channels: str = "BGRA") -> None:
        self._channels = channels
        self._link = Link(connect)
        self._jobs: dict[str, _Job] = {}
        self._messages: SimpleQueue[tuple[_Job | None, Message]] = SimpleQueue()
        self._threads: set[threading.Thread] = set()

    def test(self, server: Server) -> None:
        """Ask the server what it is; answers Connected or Unreachable."""

        def work() -> None:
            try:
                info, sentence = self._link.fresh_info(server)
                self._put(None, Connected(sentence, Palette.of(info.bundle.labels)))
            except (RemoteError, HostProblem) as error:
                self._put(None, Unreachable(str(error)))

        self._start(work)

    def segment(self, server: Server, key: str, photo: Picture) -> None:
        """Find the labels of a photo; answers Labelled, Failed or Cancelled."""

        def work(job: _Job) -> None:
            self._put(job, Advanced(key, "finding labels", 0.0))
            palette = self._link.palette(server)
            remote = self._link.document(server, key, photo, None)
            labels = remote.own_labels()
            colors = label_layer.paint(labels.data, palette, self._channels)
            painted = Picture(colors, photo.width, photo.height, self._channels, x=photo.x, y=photo.y)
            if not job.cancelled:
                self._put(job, Labelled(key, labels, painted, palette))

        self._run(key, work)

    def generate(self, server: Server, key: str, snapshot: Snapshot) -> None:
        """Render a snapshot; answers Advanced and Previewed on the way, then Finished, Failed or Cancelled."""

        def work(job: _Job) -> None:
            snapshot.check()
            self._put(job, Advanced(key, "sending", 0.0))
            palette = self._link.palette(server)
            remote = self._link.document(server, key, snapshot.photo, snapshot.labels)
            job.edit = self._edit(remote, snapshot, _painted_ids(snapshot, palette, remote))
            if job.cancelled:
                return
            for event in job.edit:
                self._tell(job, event, snapshot.note)

        self._run(key, work)

    def cancel(self, key: str) -> None:
        """End a document's job; its message is Cancelled."""
        if job := self._jobs.get(key):
            job.cancel()

    def forget(self, key: str) -> None:
        """The host's document is gone: end its job without a word, and let the server forget it."""
        if job := self._jobs.pop(key, None):
            job.cancel()
        self._start(lambda: self._link.forget(key))

    def busy(self, key: str) -> bool:
        """True from the call that starts a job until its last message was polled."""
        return key in self._jobs

    def jobs(self) -> tuple[str, ...]:
        """Keys of the documents that are being worked on."""
        return tuple(self._jobs)

    def poll(self) -> list[Message]:
        """The messages since the last poll, oldest first; those of jobs that nobody waits for are dropped."""
        found: list[Message] = []
        while True:
            try:
                job, message = self._messages.get_nowait()
            except Empty:
                return found
            if job is None:
                found.append(message)
            elif self._jobs.get(job.key) is job:
                if isinstance(message, Labelled | Finished | Failed | Cancelled):
                    del self._jobs[job.key]
                found.append(message)

    def close(self) -> None:
        """End all jobs, let the server forget the documents, close the connection; takes some seconds at the most."""
        for job in list(self._jobs.values()):
            job.cancel()
        self._jobs.clear()
        self._start(self._link.close)
        end = time.monotonic() + _END_SECONDS
        for thread in list(self._threads):
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self, key: str, work: Callable[[_Job], None]) -> None:
        if key in self._jobs:
            raise HostProblem("This document is being worked on already.")
        job = self._jobs[key] = _Job(key)

        def guarded() -> None:
            try:
                work(job)
                end: Message = Cancelled(key) if job.cancelled else Failed(key, "The server ended without a result.")
            except HostProblem as problem:
                end = Failed(key, str(problem))
            except RemoteError as error:
                end = Cancelled(key) if job.cancelled else Failed(key, self._link.lost(error))
            except Exception as error:  # noqa: BLE001  # a thread of an editor must not end in silence
                end = Failed(key, f"Something unforeseen happened in the plug-in ({type(error).__name__}: {error}).")
            self._put(job, end)

        self._start(guarded)

    def _start(self, work: Callable[[], None]) -> None:
        def tidy() -> None:
            try:
                work()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=tidy, name="layoutbrush", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _put(self, job: _Job | None, message: Message) -> None:
        self._messages.put((job, message))

    def _edit(self, remote: Remote, snapshot: Snapshot, ids: bytes | None) -> Any:
        wishes, photo = snapshot.wishes, snapshot.photo
        return remote.document.edit(
            None if ids is None else _gray(ids, photo),
            mask=snapshot.selection,
            bound=wishes.mask_use is MaskUse.CHANGED,
            exclude=snapshot.exclude,
            seed=wishes.seed,
            grow=wishes.grow,
            previews=("warped", "coarse"),
            channels=self._channels,
        )

    def _tell(self, job: _Job, event: Any, note: str) -> None:
        if isinstance(event, Queued) and event.position:
            self._put(job, Advanced(job.key, f"waiting behind {event.position}", 0.0))
        elif isinstance(event, Progress):
            self._put(job, Advanced(job.key, _STAGES.get(event.stage, event.stage), event.done))
        elif isinstance(event, Preview):
            self._put(job, Previewed(job.key, event.picture))
        elif isinstance(event, Result) and not job.cancelled:
            self._put(job, Finished(job.key, event, note))


def _painted_ids(snapshot: Snapshot, palette: Palette, remote: Remote) -> bytes | None:
    """Ids of the label layer; None where there is none and the selection is made anew under the photo's labels."""
    if snapshot.painted is None:
        if snapshot.wishes.mask_use is MaskUse.CHANGED:
            raise HostProblem("There is no label layer yet. Make one, and repaint what shall change.")
        _before(snapshot, remote)  # the server then has the labels that the photo keeps
        return None
    photo = snapshot.photo
    reading = label_layer.read(
        snapshot.painted, photo.width, photo.height, palette, _before(snapshot, remote), snapshot.order
    )
    reading.check(palette)
    return reading.ids


def _before(snapshot: Snapshot, remote: Remote) -> bytes:
    labels = snapshot.labels or remote.own_labels()
    return labels.data


def _gray(ids: bytes, photo: Picture) -> Picture:
    return Picture.gray(ids, photo.width, photo.height, photo.x, photo.y)

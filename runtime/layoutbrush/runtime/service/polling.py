"""Renders without a stream: the events of a render are kept until they have been polled.

Bounded in number, bytes and time. What a poll acknowledges is let go of; a render that nobody polls ends, just as a
streamed one ends when its client goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from layoutbrush import v1
from layoutbrush.runtime.errors import (
    Cancelled,
    LayoutbrushError,
    OutOfRange,
    RenderNotFound,
    ResourceExhausted,
)
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.status import public

MAX_WAIT_MS = 25_000
IDLE_SECONDS = 60.0
MAX_BYTES = 1 << 30
"""All events that wait to be polled; the finished renders that were polled least recently make room."""
BATCH_BYTES = 3 << 20
"""Events of one answer; with the one that goes beyond it stays below 4 MiB unless that one is larger alone."""
_GRACE_SECONDS = 5.0
"""A finished render that was polled more recently than this is never forgotten for another's sake."""

Responses = AsyncGenerator[v1.RenderResponse, None]


class _Kept:
    """One render and those of its events that nobody has acknowledged."""

    def __init__(self, document_id: str, now: float) -> None:
        self.document_id = document_id
        self.task: asyncio.Task[None] | None = None
        self.polls = 0
        self.polled = now
        self.nbytes = 0
        self.ended = False
        self.error: LayoutbrushError | None = None
        self._events: deque[v1.RenderResponse] = deque()
        self._first = 0
        self._changed = asyncio.Event()

    @property
    def next(self) -> int:
        """Number of the event that would come next."""
        return self._first + len(self._events)

    def add(self, response: v1.RenderResponse) -> None:
        self._events.append(response)
        self.nbytes += response.ByteSize()
        self._tell()

    def end(self, error: LayoutbrushError | None) -> None:
        self.ended, self.error = True, error
        self._tell()

    def acknowledge(self, after: int) -> None:
        """Let go of the events before number `after`."""
        if not self._first <= after <= self.next:
            raise OutOfRange(f"Events {self._first} to {self.next} are kept; {after} is none of these.", "after")
        while self._first < after:
            self.nbytes -= self._events.popleft().ByteSize()
            self._first += 1

    def batch(self, after: int) -> list[v1.RenderResponse]:
        """Events from number `after` on, at least one where there are any."""
        chosen: list[v1.RenderResponse] = []
        size = 0
        for response in list(self._events)[max(0, after - self._first) :]:
            if chosen and size + response.ByteSize() > BATCH_BYTES:
                break
            chosen.append(response)
            size += response.ByteSize()
        return chosen

    async def wait(self, after: int, seconds: float) -> None:
        """Wait until there is news from number `after` on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.next <= after and not self.ended:
                    await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Polling:
    """The renders begun by StartRender. Belongs to the event loop. `clock`: seconds, monotonic."""

    def __init__(
        self,
        limits: Limits,
        idle_seconds: float = IDLE_SECONDS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.idle_seconds = idle_seconds
        self._limits = limits
        self._max_bytes = max_bytes
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Events that wait to be polled, bytes."""
        return sum(kept.nbytes for kept in self._kept.values())

    async def start(self, document_id: str, responses: Responses) -> v1.StartRenderResponse:
        """Begin a render of that document, whose events are `responses`, and go on with it in the background.

        Raises:
            ResourceExhausted: as many are kept as may be, and none can be forgotten.
            LayoutbrushError: the request is refused; its first event is an error.
        """
        self.expire()
        if len(self._kept) >= self._limits.max_polled_renders and not self._sacrifice():
            await responses.aclose()
            text = "This server keeps as many renders as it can; poll or cancel some, or try again soon."
            raise ResourceExhausted(text, retry_after_s=_GRACE_SECONDS)
        try:
            first = await anext(responses)
        except BaseException:
            await responses.aclose()
            raise
        render_id, kept = secrets.token_urlsafe(18), _Kept(document_id, self._clock())
        kept.add(first)
        self._kept[render_id] = kept
        kept.task = asyncio.create_task(self._follow(kept, responses))
        await asyncio.sleep(0)  # a task that was cancelled before its first step would leave the render open
        return v1.StartRenderResponse(render_id=render_id, revision=first.revision, idle_seconds=int(self.idle_seconds))

    async def poll(self, request: v1.PollRenderRequest) -> v1.PollRenderResponse:
        """Return the events from `after` on, waiting for one where there is none.

        Raises:
            RenderNotFound: there is no such render (any more).
            OutOfRange: `after` was acknowledged long ago or lies in the future; `wait_ms` is too long.
            LayoutbrushError: how the render ended.
        """
        self.expire()
        kept = self._kept.get(request.render_id)
        if kept is None:
            raise RenderNotFound("There is no such render; it may have been forgotten. Start it again.", "render_id")
        if request.wait_ms > MAX_WAIT_MS:
            raise OutOfRange(f"A poll waits {MAX_WAIT_MS} ms at most.", "wait_ms")
        kept.acknowledge(request.after)
        kept.polls += 1
        try:
            await kept.wait(request.after, request.wait_ms / 1000)
        finally:
            kept.polls -= 1
            kept.polled = self._clock()
        events = kept.batch(request.after)
        reached = request.after + len(events)
        if not events and kept.ended and kept.error is not None:
            raise kept.error from None
        finished = kept.ended and kept.error is None and reached == kept.next
        return v1.PollRenderResponse(events=events, next=reached, finished=finished)

    def cancel(self, render_id: str) -> None:
        """End a render at its next step and forget it, if it is there."""
        kept = self._kept.pop(render_id, None)
        if kept is not None and kept.task is not None:
            kept.task.cancel()

    def close_document(self, document_id: str) -> None:
        """Forget the finished renders of a document. Those at work end with the document, and their polls say so."""
        for render_id, kept in list(self._kept.items()):
            if kept.document_id == document_id and kept.ended:
                self.cancel(render_id)

    def expire(self) -> None:
        """End and forget what nobody polls."""
        limit = self._clock() - self.idle_seconds
        for render_id in [key for key, kept in self._kept.items() if not kept.polls and kept.polled < limit]:
            self.cancel(render_id)

    async def aclose(self) -> None:
        """End all renders."""
        tasks = [kept.task for kept in self._kept.values() if kept.task is not None]
        for render_id in list(self._kept):
            self.cancel(render_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, kept: _Kept, responses: Responses) -> None:
        """Keep what comes."""
        error: LayoutbrushError | None = Cancelled()
        try:
            async with aclosing(responses):
                async for response in responses:
                    kept.add(response)
                    while self.nbytes > self._max_bytes and self._sacrifice(kept):
                        pass
            error = None
        except Exception as raised:  # noqa: BLE001  # the last word on errors: polls will say it
            error = public(raised)
        finally:
            kept.end(error)

    def _sacrifice(self, keep: _Kept | None = None) -> bool:
        limit = self._clock() - _GRACE_SECONDS
        idle = [
            (kept.polled, render_id)
            for render_id, kept in self._kept.items()
            if kept is not keep and kept.ended and not kept.polls and kept.polled <= limit
        ]
        if not idle:
            return False
        self.cancel(min(idle)[1])
        return True

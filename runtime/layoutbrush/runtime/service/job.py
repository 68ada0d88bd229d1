"""One request's work in a worker thread. Whatever concerns it arrives in one mailbox: queue, events, end, a stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from layoutbrush.runtime.admission import Admission, Ticket
from layoutbrush.runtime.errors import Cancelled, DeadlineExceeded, LayoutbrushError

T = TypeVar("T")


@dataclass(frozen=True)
class Position:
    """Place in the queue; 0 = the work begins."""

    value: int


@dataclass(frozen=True)
class _Event(Generic[T]):
    value: T


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class Job(Generic[T]):
    """Waits for admission, then runs a generator in a worker thread and hands on what it yields.

    The worker's place is given back when the thread has really ended, not when the caller lost interest; `cancelled`
    tells the thread that it should. `deadline`: seconds on `time.monotonic`.
    """

    def __init__(self, executor: Executor, admission: Admission, deadline: float) -> None:
        self._executor = executor
        self._admission = admission
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._mailbox: asyncio.Queue[Position | _Event[T] | _End] = asyncio.Queue()
        self._stopped = threading.Event()
        self._ticket: Ticket | None = None
        self._thread: Future[None] | None = None

    def cancelled(self) -> bool:
        """True once nobody waits for the work any more. For the worker thread to poll."""
        return self._stopped.is_set() or time.monotonic() >= self._deadline

    def stop(self, reason: LayoutbrushError) -> None:
        """End the job: its reader gets `reason`, its thread ends at the next step. Event loop only."""
        self._stopped.set()
        self._mailbox.put_nowait(_End(reason))

    def __enter__(self) -> Job[T]:
        """Take a place in the queue.

        Raises:
            ResourceExhausted: the queue is full.
            Unavailable: the server is draining.
        """
        self._ticket = self._admission.enter(lambda place: self._mailbox.put_nowait(Position(place)))
        return self

    def __exit__(self, *_: object) -> None:
        """Leave: stops the work, and gives the place back once its thread has ended."""
        self._stopped.set()
        ticket, thread = self._ticket, self._thread
        if ticket is None:
            return
        if thread is None or thread.cancel():
            ticket.release()
        else:
            thread.add_done_callback(lambda _: self._post(ticket.release))

    async def run(self, work: Callable[[], Generator[T, None, None]]) -> AsyncGenerator[Position | T, None]:
        """Yield places in the queue, then what `work()` yields in its thread. Only inside the job's context.

        Raises:
            DeadlineExceeded: the time ran out, waiting or at work.
            LayoutbrushError: what `stop` was given, or what the work raised (anything it raised, in fact).
        """
        while True:
            item = await self._next()
            if isinstance(item, _End):
                if isinstance(item.error, Cancelled) and time.monotonic() >= self._deadline:
                    raise DeadlineExceeded("The time for this request ran out.") from None
                if item.error is not None:
                    raise item.error
                return
            if isinstance(item, Position):
                if item.value == 0:
                    self._thread = self._executor.submit(self._work, work)
                yield item
            else:
                yield item.value

    async def _next(self) -> Position | _Event[T] | _End:
        try:
            return await asyncio.wait_for(self._mailbox.get(), max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            raise DeadlineExceeded("The time for this request ran out.") from None

    def _work(self, work: Callable[[], Generator[T, None, None]]) -> None:
        error: BaseException | None = None
        try:
            with closing(work()) as values:
                for value in values:
                    self._post(self._mailbox.put_nowait, _Event(value))
                    if self.cancelled():
                        raise Cancelled
        except BaseException as raised:  # noqa: BLE001  # handed on to the reader, whatever it is
            error = raised
        self._post(self._mailbox.put_nowait, _End(error))

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop was closed while the thread was still at work: nobody is left to hear of it
            self._stopped.set()

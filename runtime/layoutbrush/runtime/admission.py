"""Who works and who waits: a fixed number of workers, a bounded queue before them, first come first served.

Belongs to the event loop. A request takes a `Ticket` and hears by callback its place in the queue, 0 when it may start.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from layoutbrush.runtime.errors import ResourceExhausted, Unavailable

_SMOOTHING = 0.2
"""Weight of the newest request in the average duration."""


class Ticket:
    """A place in the queue or at work, until `release`."""

    def __init__(self, admission: Admission, moved: Callable[[int], None]) -> None:
        self._admission = admission
        self.moved = moved
        self.started: float | None = None

    def release(self) -> None:
        """Leave the queue or the work; more than once does no harm."""
        self._admission.release(self)


class Admission:
    """`workers` requests at work, `max_waiting` behind them; further ones are sent away with a time to come back."""

    def __init__(self, workers: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.workers = workers
        self.max_waiting = max_waiting
        self._clock = clock
        self._working: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._mean_seconds = 1.0
        self._open = True
        self.on_idle: Callable[[], None] = lambda: None
        """Called whenever a place was given back and a request could start at once."""

    @property
    def working(self) -> int:
        """Requests at work."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """True where a request could start at once."""
        return self._open and len(self._working) < self.workers and not self._waiting

    @property
    def retry_after_s(self) -> float:
        """Seconds after which a place should be free, from the duration of the last requests."""
        return max(0.1, self._mean_seconds * (1 + self.waiting) / self.workers)

    def enter(self, moved: Callable[[int], None]) -> Ticket:
        """Take a place. `moved(position)` is called at once and at every change; 0 = start now.

        Raises:
            ResourceExhausted: the queue is full.
            Unavailable: the server is draining.
        """
        if not self._open:
            raise Unavailable("The server is shutting down.")
        if len(self._working) >= self.workers and len(self._waiting) >= self.max_waiting:
            raise ResourceExhausted(
                f"The server is busy: {self.waiting} requests are waiting.", retry_after_s=self.retry_after_s
            )
        ticket = Ticket(self, moved)
        self._waiting.append(ticket)
        if not self._advance():
            moved(len(self._waiting))
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Give a place back and let the next one start."""
        if ticket in self._working:
            self._working.remove(ticket)
            if ticket.started is not None:
                spent = self._clock() - ticket.started
                self._mean_seconds += _SMOOTHING * (spent - self._mean_seconds)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        else:
            return
        self._advance()
        for position, other in enumerate(self._waiting, start=1):
            other.moved(position)
        if self.idle:
            self.on_idle()

    def close(self) -> None:
        """Admit no one any more; those who are in may finish."""
        self._open = False

    def _advance(self) -> bool:
        """Start whoever can; True where the last one to enter is among them."""
        while self._waiting and len(self._working) < self.workers:
            ticket = self._waiting.popleft()
            self._working.add(ticket)
            ticket.started = self._clock()
            ticket.moved(0)
        return not self._waiting

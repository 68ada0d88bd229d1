"""Runs that end early once nobody waits for them, inside a graph and not only between two.

A painter's next stroke makes the edit before it worthless; until the graph at hand has ended, it holds the cores that
the new edit wants.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from layoutbrush.runtime.engines.protocol import Array, Arrays, Runner

PERIOD = 0.002
"""Seconds between two questions whether a run is still wanted."""
_IDLE = 2.0

_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("layoutbrush_cancelled", default=None)


class Interruptible:
    """A runner as one request uses it: its runs end with Cancelled soon after `cancelled()` turned True, where it can
    stop within a graph (see `asked`).
    """

    def __init__(self, runner: Runner, cancelled: Callable[[], bool]) -> None:
        self._runner = runner
        self._cancelled = cancelled

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """See `Runner.run`.

        Raises:
            Cancelled: nobody waits for it any more.
        """
        token = _cancelled.set(self._cancelled)
        try:
            return self._runner.run(graph, inputs, outputs)
        finally:
            _cancelled.reset(token)


def asked() -> Callable[[], bool] | None:
    """Return what tells whether the run that this thread is at has been cancelled; None where nothing can cancel it."""
    return _cancelled.get()


@contextmanager
def watched(cancelled: Callable[[], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` from another thread, once, if `cancelled()` turns True while the block runs."""
    key = _watch.add(cancelled, stop)
    try:
        yield
    finally:
        _watch.remove(key)


class _Watch:
    """One thread for all runs of the process; it ends where there have been none for a while."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._runs: dict[object, tuple[Callable[[], bool], Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    def add(self, cancelled: Callable[[], bool], stop: Callable[[], None]) -> object:
        key = object()
        with self._change:
            self._runs[key] = cancelled, stop
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="layoutbrush-watch", daemon=True)
                self._thread.start()
            self._change.notify()
        return key

    def remove(self, key: object) -> None:
        with self._change:
            self._runs.pop(key, None)

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._change.wait_for(lambda: self._runs, _IDLE):
                    self._thread = None
                    return
                for key, (cancelled, stop) in list(self._runs.items()):
                    if cancelled():
                        del self._runs[key]
                        stop()
            time.sleep(PERIOD)


_watch = _Watch()

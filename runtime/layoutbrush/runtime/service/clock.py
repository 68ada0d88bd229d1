"""Progress as clients see it."""

from __future__ import annotations

import time

from layoutbrush import v1
from layoutbrush.runtime.pipeline.events import Progress


class Clock:
    """Milliseconds since the first progress, and a share done that never falls."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._done = 0.0

    def progress(self, step: Progress) -> v1.Progress:
        """The message of one step."""
        now = time.monotonic()
        self._started = now if self._started is None else self._started
        self._done = min(1.0, max(self._done, float(step.done)))
        return v1.Progress(stage=step.stage, done=self._done, elapsed_ms=1000 * (now - self._started))

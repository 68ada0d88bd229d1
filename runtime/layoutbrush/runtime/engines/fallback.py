"""Engines in order of preference: where the first fails, the next one takes over, and no request notices."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from layoutbrush.runtime.engines.protocol import Array, Arrays, Engine
from layoutbrush.runtime.errors import Internal

_log = logging.getLogger(__name__)


class FallbackEngine:
    """Runs `first`; from its first failure on, what `second` opens."""

    def __init__(self, first: Engine, second: Callable[[], Engine]) -> None:
        self._engine = first
        self._second: Callable[[], Engine] | None = second
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """Of the engine in use."""
        return self._engine.name

    @property
    def note(self) -> str:
        """Of the engine in use."""
        return self._engine.note

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """See `Runner.run`. Internal is raised only where the last engine fails too."""
        engine = self._engine
        try:
            return engine.run(graph, inputs, outputs)
        except Internal as error:
            if not self._take_over(engine, error):
                raise
        return self.run(graph, inputs, outputs)

    def _take_over(self, failed: Engine, error: Internal) -> bool:
        with self._turn:
            if self._engine is not failed:  # another thread has already changed over
                return True
            if self._second is None:
                return False
            _log.error("%s failed (%s): changing to the next engine", failed.name, error, exc_info=error)
            opened, self._second = self._second, None
            self._engine = opened()
            return True

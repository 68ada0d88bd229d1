"""The slot for what is computed once a photo: made in a worker thread, by the first who needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from layoutbrush.runtime.errors import Cancelled

_POLL_SECONDS = 0.02


class PreparedSlot:
    """Holds the pipeline's `Prepared` of one photo with one label map. A changed photo or label map gets a new slot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Any = None

    @property
    def ready(self) -> bool:
        """True once it was made."""
        return self._value is not None

    @property
    def nbytes(self) -> int:
        """Memory of the value, bytes, as far as it says."""
        return int(getattr(self._value, "nbytes", 0))

    @property
    def value(self) -> Any:
        """The value, or None."""
        return self._value

    def get(self, make: Callable[[], Any], cancelled: Callable[[], bool]) -> Any:
        """Return the value, making it unless another thread already has or is about to.

        Raises:
            Cancelled: `cancelled()` turned True while another thread was at it.
        """
        while not self._lock.acquire(timeout=_POLL_SECONDS):
            if cancelled():
                raise Cancelled
        try:
            if self._value is None:
                self._value = make()
            return self._value
        finally:
            self._lock.release()

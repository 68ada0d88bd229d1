"""For tests: a gateway in a thread of its own.

with GatewayThread("127.0.0.1:50051", origins=("https://editor.example",)) as web:
    fetch(web.url)
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from layoutbrush.plugin_bridge.gateway.serving import gateway


class GatewayThread:
    """A gateway on a free port of this machine, inside a context. `options`: as for `gateway`."""

    def __init__(self, upstream: str, **options: Any) -> None:
        self._options = {"upstream": upstream, "port": 0, **options}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.url = ""

    @property
    def address(self) -> str:
        """host:port."""
        return self.url.split("/")[2] if self.url else ""

    def __enter__(self) -> GatewayThread:
        self._thread.start()
        if not self._ready.wait(30.0) or not self.url:
            raise RuntimeError("the gateway did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30.0)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with gateway(**self._options) as self.url:
                self._ready.set()
                await self._stop.wait()
        finally:
            self._ready.set()

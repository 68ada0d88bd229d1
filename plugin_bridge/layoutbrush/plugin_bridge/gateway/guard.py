"""Who may come in: host names, origins, and patience with slow senders. Stands before everything else.

A browser runs pages of strangers beside the editor's own. Three checks keep them out of a server on this machine:

- Host: an address, localhost or a name that was given on the command line. A stranger's name that resolves to 127.0.0.1
  (DNS rebinding) is none of these.
- Origin: the page's own or a named one. All else is turned away, whatever CORS would have hidden from it afterwards.
- CORS answers for named origins only, never for `*`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Collection
from dataclasses import dataclass

from layoutbrush.plugin_bridge.gateway.asgi import App, Headers, Message, Receive, Scope, Send, answer, header, sentence

ALLOWED_HEADERS = (
    b"authorization,connect-accept-encoding,connect-content-encoding,connect-protocol-version,connect-timeout-ms,"
    b"content-encoding,content-type,grpc-timeout,x-grpc-web,x-user-agent"
)
EXPOSED_HEADERS = b"connect-content-encoding,content-encoding,grpc-message,grpc-status,grpc-status-details-bin"
_PREFLIGHT_SECONDS = b"7200"


@dataclass(frozen=True)
class Patience:
    """How long the rest of a request is waited for.

    `head_seconds`: for its headers, and for the next request on a connection that is kept. `piece_seconds`: between two
    pieces of a body. `least_rate`: bytes a second on the whole, once `piece_seconds` have passed. `read_seconds`: for
    the client to take a piece of the answer. `calls`: requests at a time; further ones are sent away.
    """

    head_seconds: float = 10.0
    piece_seconds: float = 20.0
    least_rate: float = 8192.0
    read_seconds: float = 60.0
    calls: int = 128


class Guard:
    """Lets requests through to `app`, or answers them itself.

    `names`: host names besides addresses and localhost. `origins`: scheme://host[:port] of pages that may call from
    elsewhere.
    """

    def __init__(
        self, app: App, names: Collection[str] = (), origins: Collection[str] = (), patience: Patience | None = None
    ) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}
        self._origins = {origin.rstrip("/") for origin in origins}
        self._patience = patience or Patience()
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = header(scope, b"host")
        if host is None or not self._known_host(host):
            await sentence(send, 421, "This server doesn't go by that name; start it with --web-name NAME to allow it.")
            return
        origin, foreign = header(scope, b"origin"), False
        if origin is not None or any(key == b"origin" for key, _ in scope["headers"]):
            foreign = origin != f"{scope['scheme']}://{host}"
            if foreign and (origin is None or origin not in self._origins):
                text = "Pages of that origin may not call this server; start it with --web-origin ORIGIN to allow them."
                await sentence(send, 403, text)
                return
        extra: Headers = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
        if foreign and origin is not None:
            extra.append((b"access-control-allow-origin", origin.encode()))
            extra.append((b"access-control-expose-headers", EXPOSED_HEADERS))
        extra.append((b"vary", b"origin"))
        if scope["method"] == "OPTIONS":
            await _preflight(send, extra, foreign)
            return
        await self._admit(scope, receive, send, extra)

    def _known_host(self, host: str) -> bool:
        name = _without_port(host).lower().rstrip(".")
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    async def _admit(self, scope: Scope, receive: Receive, send: Send, extra: Headers) -> None:
        if self._running >= self._patience.calls:
            await sentence(send, 503, "The server is busy: too many requests at a time.")
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            async with asyncio.timeout(self._patience.read_seconds):
                await send(message)

        self._running += 1
        try:
            await self._app(scope, _Impatient(receive, self._patience), dressed)
        finally:
            self._running -= 1


class _Impatient:
    """`receive` that takes a sender who is too slow for gone. After the body it waits as long as it takes."""

    def __init__(self, receive: Receive, patience: Patience) -> None:
        self._receive = receive
        self._patience = patience
        self._started = time.monotonic()
        self._bytes = 0
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        spent = time.monotonic() - self._started
        if spent > self._patience.piece_seconds and self._bytes < spent * self._patience.least_rate:
            return {"type": "http.disconnect"}
        try:
            message = await asyncio.wait_for(self._receive(), self._patience.piece_seconds)
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._bytes += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


async def _preflight(send: Send, extra: Headers, foreign: bool) -> None:
    allowed = [
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
        (b"access-control-allow-private-network", b"true"),
    ]
    await answer(send, 204, headers=[*extra, *(allowed if foreign else ())])


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host

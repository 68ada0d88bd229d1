"""ASGI in the few words that the gateway uses: types, header look-up, and whole answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a request header, None where it is absent or there twice. `name`: lower case."""
    found = [value for key, value in scope.get("headers", ()) if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


async def answer(
    send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = (), head: bool = False
) -> None:
    """Send a whole answer. `head`: without its body, as HEAD wants it."""
    lines = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def sentence(send: Send, status: int, text: str) -> None:
    """Answer with one sentence for a person."""
    await answer(send, status, f"{text}\n".encode(), [(b"content-type", b"text/plain; charset=utf-8")])

"""Start and stop a gateway: hypercorn around the calls, the page and the guard before both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc.aio
from hypercorn.asyncio import serve
from hypercorn.config import Config

from layoutbrush.plugin_bridge.gateway.asgi import App, Receive, Scope, Send
from layoutbrush.plugin_bridge.gateway.forward import Forwarder
from layoutbrush.plugin_bridge.gateway.guard import Guard, Patience
from layoutbrush.plugin_bridge.gateway.pages import PAGE, Pages
from layoutbrush.plugin_bridge.gateway.samples import installed_samples

GRACE_SECONDS = 3.0
"""How long open connections may last once the gateway stops."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
"""Addresses that mean all of the machine's, and the one to open on the machine itself."""
_UNLIMITED = -1
_BACKLOG = 100
_LOG = logging.getLogger("layoutbrush.gateway")


@asynccontextmanager
async def gateway(
    *,
    upstream: str,
    host: str = "127.0.0.1",
    port: int = 8080,
    names: Sequence[str] = (),
    origins: Sequence[str] = (),
    certificate: str = "",
    key: str = "",
    max_message_bytes: int = 64 << 20,
    pages: App | None = None,
    patience: Patience | None = None,
    credentials: grpc.ChannelCredentials | None = None,
) -> AsyncIterator[str]:
    """Serve inside the context; yields the address to open, such as http://127.0.0.1:8080/.

    `upstream`: the server behind, as gRPC dials it, with TLS where `credentials` are given. `port`: 0 = any free one.
    `names`, `origins`: see `Guard`. `certificate`, `key`: PEM files; with them everything is served over TLS.
    `max_message_bytes`: largest request.

    Raises:
        OSError: the address can't be listened on.
    """
    listener = _listen(host, port)
    if pages is None and not (PAGE / "index.html").is_file():
        _LOG.warning("the editor page was not built (make web); plugins can be served all the same")
    own = _EVERYWHERE.get(host, host)
    shown = f"[{own}]" if ":" in own else own
    url = f"{'https' if certificate else 'http'}://{shown}:{listener.getsockname()[1]}/"
    options = [("grpc.max_receive_message_length", _UNLIMITED), ("grpc.max_send_message_length", _UNLIMITED)]
    if credentials is None:
        channel = grpc.aio.insecure_channel(upstream, options=options)
    else:
        channel = grpc.aio.secure_channel(upstream, credentials, options=options)
    calls = Forwarder(channel, max_message_bytes)
    app = Guard(_either(calls, pages or Pages(samples=installed_samples())), names, origins, patience)
    stop = asyncio.Event()
    config = _config(listener, certificate, key, (patience or Patience()).head_seconds)
    task = asyncio.create_task(serve(cast("Any", app), config, shutdown_trigger=stop.wait))
    try:
        yield url
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=GRACE_SECONDS + 2.0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await channel.close()


def _either(calls: Forwarder, pages: App) -> App:
    rpc = cast("App", calls)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] != "http" or scope["path"].startswith(calls.path + "/")
        await (rpc if is_call else pages)(scope, receive, send)

    return app


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now, so that who reads the address can call at once
    except OSError:
        listener.close()
        raise
    return listener


def _config(listener: socket.socket, certificate: str, key: str, head_seconds: float) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # hypercorn's from here on
    config.certfile, config.keyfile = certificate or None, key or None
    config.errorlog = _LOG
    _LOG.setLevel(logging.WARNING)  # hypercorn tells of its start by itself, in words of its own
    config.include_server_header = False
    config.graceful_timeout = GRACE_SECONDS
    config.keep_alive_timeout = head_seconds
    config.ssl_handshake_timeout = head_seconds
    return config

"""The gRPC server: listens, answers health checks, drains on SIGTERM.

from layoutbrush.runtime.server import ServerOptions, run
run(ServerOptions(port=0, bundle="stand-in"))
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from layoutbrush import v1
from layoutbrush.runtime.errors import FailedPrecondition, InvalidArgument, LayoutbrushError, NotFound, OutOfRange
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.backend import Backend, EngineNote
from layoutbrush.runtime.service.core import Core, CoreOptions
from layoutbrush.runtime.service.interceptor import Guard
from layoutbrush.runtime.service.servicer import Servicer
from layoutbrush.runtime.tls import Tls
from layoutbrush.runtime.web import WebOptions, beside, private_address

if TYPE_CHECKING:
    from layoutbrush.runtime.finding import Describer, Library

SERVICE = "layoutbrush.v1.LayoutbrushService"
_LOG = logging.getLogger(__name__)
_MAX_SEND_BYTES = 8 << 20
"""No message of ours comes near; see service.write."""
_LAST_PORT = 65535
_MAX_CALLS = 256
"""Outer wall: calls of any kind at a time."""


@dataclass(frozen=True)
class ServerOptions:
    """Everything about a server.

    `references`: folder of photos in which clients find references, empty = none. `drafts`: bundle that turns boxes
    into drafts, `none` = none; where the default one isn't there, photos are edited all the same.

    `port`: 0 = any free one. `threads`: for the networks, 0 = one a core. `workers`: requests that run networks at a
    time. `reflection`: let tools list the service. `token`: clients must send it; empty = anyone may call.
    `drain_seconds`: how long running work may go on after SIGTERM. `tls`: where given, nothing travels unencrypted.
    `web`: where given, a gateway for browsers runs beside the server.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    bundle: str = "scenes"
    drafts: str = "drafts"
    references: str = ""
    threads: int = 0
    provider: str = "auto"
    workers: int = 1
    reflection: bool = False
    token: str = ""
    idle_seconds: float = 3600.0
    grace_seconds: float = 30.0
    drain_seconds: float = 30.0
    limits: Limits = field(default_factory=Limits)
    tls: Tls | None = None
    web: WebOptions | None = None


def open_backend(options: ServerOptions) -> Backend:
    """Load the bundles and their engines.

    Raises:
        NotFound, DamagedBundle, InvalidArgument: there is no such bundle, it is damaged, the provider is missing.
    """
    from layoutbrush.runtime.drafts import find_drafter
    from layoutbrush.runtime.finding import Describer
    from layoutbrush.runtime.pipeline import open_editor

    editor = open_editor(options.bundle, options.threads, options.provider)
    manifest, engine = editor.manifest, editor.engine
    notes = [EngineNote(engine.name, note=engine.note)]
    drafter, no_drafts = find_drafter(options.drafts, options.bundle, options.threads)
    library = _library(options, Describer(engine, manifest)) if options.references else None
    return Backend(
        editor,
        manifest.name,
        manifest.version,
        manifest.labels,
        notes,
        editor.references,
        drafter=drafter,
        no_drafts=no_drafts,
        library=library,
    )


def _library(options: ServerOptions, describer: Describer) -> Library:
    """The photos of the owner's folder, as far as its index knows them; the rest is looked at while the server runs."""
    from layoutbrush.runtime.finding import Library

    try:
        library = Library(Path(options.references), describer, limits=options.limits)
        library.refresh()
    except (NotFound, InvalidArgument) as error:
        error.field = "--references"
        raise
    for item in library.skipped:
        _LOG.warning("left out %s: %s", item.name, item.why)
    return library


@dataclass
class Running:
    """A server that listens. `address`: host:port as clients dial it. `private`: the gateway's own, or empty."""

    address: str
    private: str
    core: Core
    server: grpc.aio.Server
    health: health.aio.HealthServicer

    async def drain(self, seconds: float) -> None:
        """Turn new work away, let running work finish for `seconds`, then end it."""
        self.core.drain()
        await self.health.enter_graceful_shutdown()
        await self.server.stop(seconds)


@asynccontextmanager
async def serving(options: ServerOptions, backend: Backend) -> AsyncIterator[Running]:
    """Serve inside the context; leaving it ends all work at its next step.

    Raises:
        OutOfRange: a number of the options can't be.
        FailedPrecondition: the address can't be listened on.
    """
    _check(options)
    core_options = CoreOptions(
        workers=options.workers,
        idle_seconds=options.idle_seconds,
        grace_seconds=options.grace_seconds,
        limits=options.limits,
    )
    core = Core(backend, core_options)
    server = grpc.aio.server(
        interceptors=[Guard(options.token)],
        maximum_concurrent_rpcs=_MAX_CALLS,
        options=[
            ("grpc.max_receive_message_length", options.limits.max_message_bytes),
            ("grpc.max_send_message_length", _MAX_SEND_BYTES),
            ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a silent half of the calls
        ],
    )
    v1.add_LayoutbrushServiceServicer_to_server(Servicer(core), server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    if options.reflection:
        from grpc_reflection.v1alpha import reflection

        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    try:
        address = _dial(options.host, options.port)
        if options.tls is not None:
            port = server.add_secure_port(address, options.tls.credentials())
        else:
            port = server.add_insecure_port(address)
        private = _private_port(server) if options.web is not None else ""
    except RuntimeError:
        raise FailedPrecondition(
            f"Can't listen on {_dial(options.host, options.port)}: the port is taken or not ours.", "--port"
        ) from None
    await server.start()
    for name in ("", SERVICE):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    housekeeping = asyncio.create_task(core.keep_house())
    try:
        yield Running(_dial(options.host, port), private, core, server, checks)
    finally:
        housekeeping.cancel()
        await server.stop(0)
        await core.aclose()


async def serve(options: ServerOptions, backend: Backend, out: TextIO = sys.stdout) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain; a second signal ends everything at once."""
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    async with serving(options, backend) as running, AsyncExitStack() as stack:
        print(f"listening on {running.address}", file=out, flush=True)
        _warn(options)
        if options.web is not None:
            size = options.limits.max_message_bytes
            web = beside(options.web, running.private, options.tls, size, options.token)
            print(f"open {await stack.enter_async_context(web)} in a browser", file=out, flush=True)
        await signals.get()
        _LOG.info("draining for up to %g s", options.drain_seconds)
        drained = asyncio.create_task(running.drain(options.drain_seconds))
        again = asyncio.create_task(signals.get())
        await asyncio.wait({drained, again}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, again):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def run(options: ServerOptions, open_with: Callable[[ServerOptions], Backend] = open_backend) -> int:
    """Serve until told to stop. Returns 0, or 2 where it could not start (one sentence on stderr says why)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(options, open_with(options)))
    except LayoutbrushError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(options: ServerOptions) -> None:
    """Refuse numbers that would be taken for others, or for a server that never works."""
    ports = [("--port", options.port)] + ([("--web-port", options.web.port)] if options.web is not None else [])
    for flag, port in ports:
        if not 0 <= port <= _LAST_PORT:
            raise OutOfRange(f"A port is 0 to {_LAST_PORT}.", flag)
    if options.workers < 1:
        raise OutOfRange("There is at least one.", "--workers")
    if not options.drain_seconds >= 0:
        raise OutOfRange("It is 0 or more.", "--drain-seconds")


def _dial(host: str, port: int) -> str:
    try:
        bare = ipaddress.ip_address(host)
    except ValueError:
        if not host or any(character in host for character in "/:, "):
            raise InvalidArgument("The host is a name or an address.", "--host") from None
        return f"{host}:{port}"
    return f"[{bare}]:{port}" if bare.version == 6 else f"{bare}:{port}"


def _private_port(server: grpc.aio.Server) -> str:
    address = private_address()
    port = server.add_insecure_port(address)
    return f"127.0.0.1:{port}" if address.endswith(":0") else address


def _warn(options: ServerOptions) -> None:
    """Say in the log what lies open to other machines."""
    missing = [word for word, given in (("encryption", options.tls), ("token", options.token)) if not given]
    hosts = [options.host] + ([options.web.host] if options.web is not None else [])
    if missing and not all(_is_loopback(host) for host in hosts):
        _LOG.warning("listening beyond this machine, without %s", " or ".join(missing))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

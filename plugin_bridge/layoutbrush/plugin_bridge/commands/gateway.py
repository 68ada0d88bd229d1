"""Serve the layout editor, Connect and gRPC-Web to browsers, in front of a server that runs elsewhere.

    layoutbrush gateway 192.0.2.7:50051

`layoutbrush serve --web` is the same in one process, for a server on this machine. A token that the server wants is
passed on from the browser: open the address with #token=TOKEN at its end.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

FAILED = 1


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush gateway`."""

    server: Annotated[str, tyro.conf.Positional] = "127.0.0.1:50051"
    """HOST:PORT of the server behind."""

    port: int = 8080
    """Port for browsers; 0 = any free one."""

    host: str = "127.0.0.1"
    """Address to listen on. The default takes browsers on this machine only."""

    name: tuple[str, ...] = ()
    """Host names by which browsers may call, besides addresses and localhost."""

    origin: tuple[str, ...] = ()
    """Pages from elsewhere that may call, such as https://editor.example.org."""

    tls_cert: str = ""
    """Certificate with its chain, a PEM file; browsers then use https. Needs --tls-key."""

    tls_key: str = ""
    """Private key of the certificate, a PEM file without a password."""

    server_roots: Path | None = None
    """The server behind uses TLS: certificate authorities to trust, a PEM file."""


def run(config: Config) -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit status."""
    if bool(config.tls_cert) != bool(config.tls_key):
        print("layoutbrush: TLS needs both --tls-cert and --tls-key.", file=sys.stderr)
        return FAILED
    try:
        asyncio.run(_serve(config))
    except OSError as error:
        reason = error.strerror or "it can't be used"
        print(f"layoutbrush: Can't listen on {config.host}:{config.port}: {reason}.", file=sys.stderr)
        return FAILED
    return 0


async def _serve(config: Config) -> None:
    import grpc

    from layoutbrush.plugin_bridge.gateway.serving import gateway

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    roots = config.server_roots.read_bytes() if config.server_roots is not None else None
    async with gateway(
        upstream=config.server,
        host=config.host,
        port=config.port,
        names=config.name,
        origins=config.origin,
        certificate=config.tls_cert,
        key=config.tls_key,
        credentials=None if roots is None else grpc.ssl_channel_credentials(roots),
    ) as url:
        print(f"open {url} in a browser", flush=True)
        await stop.wait()

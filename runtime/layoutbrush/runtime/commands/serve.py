"""Start the server that edits photos.

It listens on this machine only, unless --host says otherwise, and prints one line once it is ready:

    listening on 127.0.0.1:50051

With --web it also serves the layout editor to browsers, and prints its address:

    open http://127.0.0.1:8080/ in a browser

Ctrl-C or SIGTERM lets running edits finish first. Where LAYOUTBRUSH_TOKEN is set in the environment, clients must send
that token.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush serve`."""

    host: str = "127.0.0.1"
    """Address to listen on. The default takes calls from this machine only. Beyond it, use --tls-cert and a token."""

    port: int = 50051
    """Port to listen on; 0 = any free one."""

    bundle: str = "scenes"
    """Trained networks: name of a bundle that comes with the package, or path of a folder or zip. `stand-in` starts a
    server without networks that fills with random pixels of the wanted label, to try a plugin with."""

    drafts: str = "drafts"
    """Trained networks that turn boxes into drafts, likewise; `none` for none. Where the bundle that comes with the
    package isn't there, photos are edited all the same."""

    references: str = ""
    """Folder of photos in which clients find references by likeness; they see names and pixels, never paths. Its index
    is made while the server is idle, and kept in the user's cache."""

    threads: int = 0
    """Cores for the networks, shared by all edits at a time; 0 = all."""

    provider: Literal["auto", "tensorrt", "cuda", "cpu"] = "auto"
    """What runs the networks. `auto`: the first of the others that works here, with the next one behind it."""

    workers: int = 1
    """Edits worked on at a time; further ones wait in a queue of bounded length."""

    drain_seconds: float = 30.0
    """How long running edits may go on after Ctrl-C or SIGTERM."""

    reflection: bool = False
    """Let tools such as grpcurl list the service."""

    tls_cert: str = ""
    """Certificate with its chain, a PEM file: everything is then encrypted. Needs --tls-key."""

    tls_key: str = ""
    """Private key of the certificate, a PEM file without a password."""

    web: bool = False
    """Serve the layout editor, and Connect and gRPC-Web for plugins, to browsers. Needs the extra `web`."""

    web_port: int = 8080
    """Port for browsers; 0 = any free one."""

    web_host: str = "127.0.0.1"
    """Address to listen on for browsers."""

    web_name: tuple[str, ...] = ()
    """Host names by which browsers may call, besides addresses and localhost; keeps DNS rebinding out."""

    web_origin: tuple[str, ...] = ()
    """Pages from elsewhere that may call, such as https://editor.example.org; all others are turned away."""

    open: bool = False
    """With --web: open the editor in your browser."""

    follow_stdin: bool = False
    """Stop when standard input ends. For programs that start a server of their own: it goes when they go."""


def run(config: Config) -> int:
    """Serve until told to stop; returns the exit status."""
    from layoutbrush.runtime.server import ServerOptions
    from layoutbrush.runtime.server import run as serve
    from layoutbrush.runtime.tls import Tls
    from layoutbrush.runtime.web import WebOptions, find_gateway

    web = None
    if config.web or config.open:
        find_gateway()  # a missing extra is said before the networks are loaded
        web = WebOptions(config.web_host, config.web_port, config.web_name, config.web_origin, config.open)
    if config.follow_stdin:
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    return serve(
        ServerOptions(
            host=config.host,
            port=config.port,
            bundle=config.bundle,
            drafts=config.drafts,
            references=config.references,
            threads=config.threads,
            provider=config.provider,
            workers=config.workers,
            reflection=config.reflection,
            drain_seconds=config.drain_seconds,
            token=os.environ.get("LAYOUTBRUSH_TOKEN", ""),
            tls=Tls.of(config.tls_cert, config.tls_key),
            web=web,
        )
    )


def _stop_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

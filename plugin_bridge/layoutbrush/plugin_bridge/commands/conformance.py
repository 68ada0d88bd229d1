"""Hold a server, or a plugin, against the wire contract.

    layoutbrush conformance 127.0.0.1:50051
    layoutbrush conformance http://127.0.0.1:8080 --protocol connect
    layoutbrush conformance --plugin "python my_driver.py {server}"

A server is asked by the contract alone: any server of `layoutbrush.v1` can be held against it, over gRPC, Connect or
gRPC-Web. A plugin is a command that makes one edit with the server at {server} (also LAYOUTBRUSH_SERVER in its
environment); it is run once for each script of a server that is busy, forgets, refuses or is slow, and judged by what
it sent. LAYOUTBRUSH_SCRIPT holds the script's name: where it is `cancel`, the command should press Cancel.

Exit status 0: nothing failed; 1: something did. A token is taken from LAYOUTBRUSH_TOKEN.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from layoutbrush.plugin_bridge.conformance.checks import Verdict
    from layoutbrush.plugin_bridge.conformance.transports import Transport

FAILED, MISUSED = 1, 2


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush conformance`."""

    server: Annotated[str, tyro.conf.Positional] = ""
    """HOST:PORT, or http(s)://HOST:PORT for the web protocols."""

    plugin: str = ""
    """Instead of a server: the command that makes one edit. {server} in it becomes HOST:PORT; {url} the address of a
    gateway, for plugins that speak Connect or gRPC-Web."""

    protocol: Literal["auto", "grpc", "connect", "grpc-web"] = "auto"
    """How to ask a server. auto: gRPC for HOST:PORT, Connect and gRPC-Web for a URL."""

    tls_roots: Path | None = None
    """Certificate authorities to trust, a PEM file; with HOST:PORT it also means TLS."""

    only: tuple[str, ...] = field(default=())
    """Names of the checks to make; left out: all."""


def run(config: Config) -> int:
    """Check, print a table; returns the exit status."""
    if bool(config.server) == bool(config.plugin):
        print("layoutbrush: name a server, or a command with --plugin.", file=sys.stderr)
        return MISUSED
    failed = False
    for title, verdicts in _subjects(config):
        failed |= _report(title, verdicts)
    return FAILED if failed else 0


def _subjects(config: Config) -> Iterator[tuple[str, Iterator[Verdict]]]:
    from layoutbrush.plugin_bridge.conformance import checks, plugin_checks, suite

    if config.plugin:
        scenarios = [s for s in plugin_checks.SCENARIOS if not config.only or s.name in config.only]
        yield config.plugin, plugin_checks.hold_plugin(config.plugin, scenarios)
        return
    chosen = [item for item in suite.CHECKS if not config.only or item.name in config.only]
    for transport in _transports(config):
        try:
            yield f"{config.server} over {transport.name}", checks.hold(transport, chosen)
        finally:
            transport.close()


def _transports(config: Config) -> Iterator[Transport]:
    from layoutbrush.plugin_bridge.conformance.transports import ConnectTransport, GrpcTransport, GrpcWebTransport

    token = os.environ.get("LAYOUTBRUSH_TOKEN", "")
    roots = config.tls_roots.read_bytes() if config.tls_roots is not None else None
    is_url = config.server.startswith(("http://", "https://"))
    url = config.server if is_url else f"{'https' if roots is not None else 'http'}://{config.server}"
    if config.protocol == "grpc" or (config.protocol == "auto" and not is_url):
        yield GrpcTransport(config.server.partition("://")[2] or config.server, token, roots)
        return
    if config.protocol in ("auto", "connect"):
        yield ConnectTransport(url, token, roots)
    if config.protocol in ("auto", "grpc-web"):
        yield GrpcWebTransport(url, token, roots)


def _report(title: str, verdicts: Iterator[Verdict]) -> bool:
    """Print a table, row by row as checks end; returns True where one failed."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"\n[bold]{escape(title)}[/bold]")
    colors = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
    counts = dict.fromkeys(colors, 0)
    for verdict in verdicts:
        counts[verdict.outcome] += 1
        outcome = f"[{colors[verdict.outcome]}]{verdict.outcome:8}[/]"
        console.print(f"  {outcome} {escape(verdict.check):13} {escape(verdict.promise)}", soft_wrap=True)
        if verdict.remark:
            console.print(f"           {'':13} {escape(verdict.remark)}", soft_wrap=True)
    console.print("  " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    return counts["failed"] > 0 or sum(counts.values()) == 0

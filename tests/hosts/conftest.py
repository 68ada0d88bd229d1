"""What the hosts' tests share: the page's sources with their packages, and servers with a gateway."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "plugin_bridge" / "web"
TOOL_SECONDS = 600


def run_tool(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the folder of the page's sources."""
    return subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=TOOL_SECONDS, env={**os.environ, **environment}
    )


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the page's own tools (vitest, tsc, vite), fetched on first use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("not installed: node, npm (Node 20 or newer)")
    tools = WEB / "node_modules" / ".bin"
    if not (tools / "vitest").exists():
        done = run_tool(["npm", "ci", "--no-progress"])
        if done.returncode:
            pytest.skip(f"the page's packages can't be had here: {done.stderr.strip().splitlines()[-1:]}")
    return tools


class WebServer:
    """`layoutbrush serve --web` as a process that can be killed and started again at the same address."""

    def __init__(self, bundle: str, *switches: str) -> None:
        self.bundle = bundle
        self.switches = switches
        self.web_port = 0
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def address(self) -> str:
        """Of native gRPC: host:port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns once browsers are answered. The first start chooses the ports, later ones keep them."""
        ports = ["--port", str(self.port), "--web-port", str(self.web_port)]
        code = "from layoutbrush.runtime.cli import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "serve",
            "--web",
            "--bundle",
            self.bundle,
            *ports,
            "--follow-stdin",
            *self.switches,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.web_port = int(found[1])
                return
        raise RuntimeError(f"the server did not start: {''.join(said)}")

    def kill(self) -> None:
        """End it without a word, as a crash would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stdin):
            if stream is not None:
                stream.close()
        self._process = None


@pytest.fixture(scope="session")
def web_server() -> Iterator[WebServer]:
    """A server with the real pipeline and no networks, for browsers too."""
    pytest.importorskip("hypercorn", reason="the extra web isn't installed")
    server = WebServer("stand-in")
    server.start()
    yield server
    server.kill()

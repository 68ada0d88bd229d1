"""A server as a process: signals, ports, and what is left on disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.testing import raw_layer

SERVE = """
import threading
from layoutbrush.runtime.server import ServerOptions, run
from layoutbrush.runtime.testing import ScriptedEditor, scripted_backend
options = ServerOptions(port={port}, drain_seconds={drain})
raise SystemExit(run(options, lambda _: scripted_backend(ScriptedEditor(step_seconds={step}))))
"""


@contextmanager
def process(folder: Path, port: int = 0, step: float = 0.0, drain: float = 20.0) -> Iterator[subprocess.Popen[str]]:
    code = SERVE.format(port=port, step=step, drain=drain)
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    words = server.stdout.readline().split()
    assert words[:2] == ["listening", "on"]
    return words[2]


def start(channel: grpc.Channel) -> Any:
    """Open a document and begin a render; returns the call once the work has begun."""
    stub = v1.LayoutbrushServiceStub(channel)
    photo = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((80, 80, 3), np.uint8))
    opened = stub.OpenDocument(v1.OpenDocumentRequest(layers=[photo]))
    edited = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((80, 80), 1, np.uint8))
    call = stub.Render(v1.RenderRequest(document_id=opened.document_id, edit=v1.Edit(label_map=edited)))
    while not next(call).HasField("progress"):
        pass
    return call


def test_sigterm_drains(tmp_path: Path) -> None:
    with process(tmp_path, step=0.3) as server, grpc.insecure_channel(address(server)) as channel:
        call = start(channel)
        server.send_signal(signal.SIGTERM)
        assert list(call)[-1].HasField("result")
        assert server.wait(20) == 0
    assert list(tmp_path.iterdir()) == []


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    with process(tmp_path, step=1.0, drain=60.0) as server, grpc.insecure_channel(address(server)) as channel:
        call = start(channel)
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as ended:
            list(call)
        assert ended.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
        assert server.wait(20) == 0


def test_killed_server_leaves_no_files(tmp_path: Path) -> None:
    """Layers and uploads live in memory only: there is nothing to sweep after a kill."""
    with process(tmp_path, step=5.0) as server, grpc.insecure_channel(address(server)) as channel:
        start(channel)
        server.kill()
        server.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with process(tmp_path, port=taken.getsockname()[1]) as server:
            assert server.wait(30) == 2
            assert server.stderr is not None
            words = server.stderr.read()
    assert "Can't listen on 127.0.0.1" in words
    assert "Traceback" not in words


def test_only_this_machine_by_default(tmp_path: Path) -> None:
    with process(tmp_path) as server:
        host, port = address(server).split(":")
        assert host == "127.0.0.1"
        with socket.socket() as probe:
            probe.settimeout(2.0)
            for *_, (other, *_) in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
                if not str(other).startswith("127."):
                    assert probe.connect_ex((other, int(port))) != 0

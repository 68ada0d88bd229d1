"""`layoutbrush serve --web` and `layoutbrush gateway` as processes: what they print, how they end, and how work ends
that was under way.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

pytest.importorskip("connectrpc", reason="the extra web isn't installed")
pytest.importorskip("hypercorn", reason="the extra web isn't installed")

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.transports import (
    ConnectTransport,
    GrpcTransport,
    GrpcWebTransport,
    Transport,
)
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.gateway.testing import GatewayThread
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, scripted_backend, until

SCRIPTED = """
import sys
from layoutbrush.runtime.server import ServerOptions, run
from layoutbrush.runtime.testing import ScriptedEditor, scripted_backend
from layoutbrush.runtime.web import WebOptions
web = WebOptions(port=0) if "web" in sys.argv else None
options = ServerOptions(port=0, drain_seconds=20.0, web=web, token="t0ken" if "token" in sys.argv else "")
raise SystemExit(run(options, lambda _: scripted_backend(ScriptedEditor(step_seconds=0.4))))
"""
CLI = "import sys; from layoutbrush.runtime.cli import main; sys.exit(main(sys.argv[1:]))"


@contextmanager
def process(folder: Path, code: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=pipe, stderr=pipe, text=True, cwd=folder, env=environment
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def says(running: subprocess.Popen[str], pattern: str) -> str:
    """What the next line of output holds in place of the pattern's group."""
    assert running.stdout is not None
    line = running.stdout.readline()
    found = re.fullmatch(pattern, line.strip())
    assert found, line or (running.stderr.read() if running.stderr else "")
    return found.group(1)


def start(transport: Transport) -> Iterator[Any]:
    """Open a document and begin a render; returns its events once the work has begun."""
    layers = [
        raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((80, 80, 3), np.uint8)),
        raw_layer(v1.LAYER_KIND_LABEL_MAP, np.zeros((80, 80), np.uint8)),
    ]
    document = transport.call("OpenDocument", v1.OpenDocumentRequest(layers=layers)).document_id
    edited = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((80, 80), 1, np.uint8))
    request = v1.RenderRequest(document_id=document, edit=v1.Edit(label_map=edited))
    events = iter(transport.stream("Render", request))
    while not next(events).HasField("progress"):
        pass
    return events


def test_one_command_serves_both_and_drains(tmp_path: Path) -> None:
    with process(tmp_path, SCRIPTED, "web") as server:
        native = GrpcTransport(says(server, r"listening on (\S+)"))
        web = ConnectTransport(says(server, r"open (http://127\.0\.0\.1:\d+/) in a browser"))
        begun = [start(native), start(web)]
        server.send_signal(signal.SIGTERM)
        for events in begun:
            assert list(events)[-1].HasField("result")
        assert server.wait(20) == 0
        native.close()
        web.close()
    assert list(tmp_path.iterdir()) == []


def test_the_address_holds_the_token(tmp_path: Path) -> None:
    with process(tmp_path, SCRIPTED, "web", "token") as server:
        says(server, r"listening on (\S+)")
        url = says(server, r"open (\S+) in a browser")
        page, _, token = url.partition("#token=")
        transport = ConnectTransport(page, token)
        assert transport.call("GetServerInfo", v1.GetServerInfoRequest()).bundle.name == "scripted"
        transport.close()


@pytest.mark.parametrize("make", [ConnectTransport, GrpcWebTransport])
def test_a_server_killed_in_mid_render_is_said_in_words(tmp_path: Path, make: Any) -> None:
    """The gateway outlives the server: the browser reads a sentence, and the next one works once there is a server."""
    with process(tmp_path, SCRIPTED) as server:
        upstream = says(server, r"listening on (\S+)")
        with process(tmp_path, CLI, "gateway", upstream, "--port", "0") as gateway:
            transport = make(says(gateway, r"open (\S+) in a browser"))
            events = start(transport)
            server.kill()
            with pytest.raises(RemoteError) as gone:
                list(events)
            assert gone.value.code is grpc.StatusCode.UNAVAILABLE
            assert "is gone; start it again" in str(gone.value)
            with pytest.raises(RemoteError, match="is gone; start it again"):
                transport.call("GetServerInfo", v1.GetServerInfoRequest())
            transport.close()
            gateway.send_signal(signal.SIGTERM)
            assert gateway.wait(20) == 0


def test_one_process_killed_breaks_the_connection_at_once(tmp_path: Path) -> None:
    with process(tmp_path, SCRIPTED, "web") as server:
        says(server, r"listening on (\S+)")
        transport = ConnectTransport(says(server, r"open (\S+) in a browser"))
        events = start(transport)
        server.kill()
        with pytest.raises(RemoteError, match="The connection broke"):
            list(events)
        transport.close()


def test_commands_speak_of_what_is_wrong(tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", CLI, *words], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
        )
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        return done.stderr

    serve = ("serve", "--bundle", "stand-in", "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "--web-port" in refused(*serve, "--web", "--web-port", port)
        assert "Can't listen" in refused("gateway", "--port", port)
    (tmp_path / "key.pem").write_text("no key")
    assert "--tls-key" in refused(*serve, "--tls-cert", "cert.pem")
    assert "There is no file" in refused(*serve, "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    assert "can't be used together" in refused(*serve, "--tls-cert", "key.pem", "--tls-key", "key.pem")
    assert "--tls-key" in refused("gateway", "--tls-cert", "key.pem")


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = f"import sys; sys.modules['hypercorn'] = None; sys.modules['hypercorn.asyncio'] = None\n{CLI}"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--bundle", "stand-in", "--web"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert "hypercorn" in done.stderr
    assert "Traceback" not in done.stderr


def test_many_browsers_that_come_and_go_leave_nothing_behind() -> None:
    editor = ScriptedEditor(step_seconds=0.01)
    problems: list[BaseException] = []

    def browse(number: int, url: str) -> None:
        transport = (ConnectTransport, GrpcWebTransport)[number % 2](url)
        try:
            for turn in range(6):
                events = start(transport) if turn % 2 else None
                if events is None:
                    stream = transport.stream("Segment", v1.SegmentRequest(document_id="unknown"))
                    with pytest.raises(RemoteError):
                        list(stream)
                elif turn % 3:
                    assert list(events)[-1].HasField("result")
        except BaseException as problem:  # noqa: BLE001  # told by the test's own thread
            problems.append(problem)
        finally:
            transport.close()  # what still runs is left in the middle

    options = ServerOptions(port=0, limits=Limits(max_waiting=64))
    with ServerThread(scripted_backend(editor), options) as server, GatewayThread(server.address) as web:
        threads = [threading.Thread(target=browse, args=(number, web.url)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)
        assert problems == []
        assert server.running is not None
        admission = server.running.core.admission
        until(lambda: not (admission.working or admission.waiting))
        assert editor.started == editor.finished + editor.cancelled

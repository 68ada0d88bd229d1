"""`layoutbrush conformance`: sound servers and plugins pass over each protocol, planted faults are found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge.commands import conformance
from layoutbrush.plugin_bridge.conformance import checks, plugin_checks
from layoutbrush.plugin_bridge.conformance.scripted_server import Script, ScriptedServer
from layoutbrush.plugin_bridge.conformance.suite import CHECKS
from layoutbrush.plugin_bridge.conformance.transports import GrpcTransport, Stream, Transport
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.runtime.testing import ServerThread, scripted_backend


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_our_server_keeps_each_promise(transport: Transport, check: checks.Check) -> None:
    (verdict,) = checks.hold(transport, [check])
    assert (verdict.outcome, verdict.remark) == ("passed", "")


def test_names_of_checks_are_their_own() -> None:
    """One is chosen by its name."""
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)


def test_what_a_server_does_not_offer_is_skipped() -> None:
    with ServerThread(scripted_backend(references=False)) as server:
        transport = GrpcTransport(server.address)
        verdicts = {verdict.check: verdict for verdict in checks.hold(transport)}
        transport.close()
    assert {verdict.outcome for verdict in verdicts.values()} == {"passed", "skipped"}
    words = ("draft", "found", "fetched", "reference", "sources")
    assert {name for name, verdict in verdicts.items() if verdict.outcome == "skipped"} == {
        name for name in verdicts if name.startswith(words)
    }


class Faulty(Transport):
    """A server that breaks a promise. `change`: what it does to an answer (method, request, message)."""

    name = "gRPC"

    def __init__(self, address: str, change: Callable[[str, Any, Any], Any]) -> None:
        self._inner = GrpcTransport(address)
        self._change = change

    def call(self, method: str, request: Any) -> Any:
        return self._change(method, request, self._inner.call(method, request))

    def stream(self, method: str, request: Any) -> Stream:
        return _Changed(self._inner.stream(method, request), lambda answer: self._change(method, request, answer))

    def close(self) -> None:
        self._inner.close()


class _Changed(Stream):
    def __init__(self, inner: Stream, change: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._change = change

    def __iter__(self) -> Iterator[Any]:
        for answer in self._inner:
            changed = self._change(answer)
            if changed is not None:
                yield changed

    def cancel(self) -> None:
        self._inner.cancel()


def shift(method: str, request: Any, answer: Any) -> Any:
    if method == "Render" and answer.HasField("result"):
        answer.result.layer.bounds.x += 1
        answer.result.mask.bounds.x += 1
    return answer


def one_level(method: str, request: Any, answer: Any) -> Any:
    """One bit of one pixel outside the mask."""
    if method == "Render" and answer.HasField("result") and 0 in answer.result.mask.data:
        at = answer.result.mask.data.index(0)
        data = bytearray(answer.result.layer.data)
        data[3 * at] ^= 1
        answer.result.layer.data = bytes(data)
    return answer


def no_queue(method: str, request: Any, answer: Any) -> Any:
    return None if method == "Render" and answer.HasField("queued") else answer


def eager(method: str, request: Any, answer: Any) -> Any:
    if method == "Render" and answer.HasField("progress"):
        answer.progress.done = 1.0 - answer.progress.done
    return answer


def ignores_order(method: str, request: Any, answer: Any) -> Any:
    """BGR where RGB was asked for."""
    order = request.options.channel_order if method == "Render" else 0
    if order == v1.CHANNEL_ORDER_BGR and answer.HasField("result"):
        values = np.frombuffer(answer.result.layer.data, np.uint8).reshape(-1, 3)
        answer.result.layer.data = values[:, ::-1].tobytes()
    return answer


def same_name(method: str, request: Any, answer: Any) -> Any:
    if method == "OpenDocument":
        answer.document_id = "always-the-same-name"
    return answer


def two_labels_alike(method: str, request: Any, answer: Any) -> Any:
    if method == "GetServerInfo":
        answer.bundle.labels[1].id = answer.bundle.labels[0].id
    return answer


def loses_a_chunk(method: str, request: Any, answer: Any) -> Any:
    return None if method == "Render" and answer.HasField("chunk") and answer.chunk.offset else answer


def forgetful_poll(method: str, request: Any, answer: Any) -> Any:
    if method == "PollRender" and request.after == 0 and answer.events:
        del answer.events[0]
        answer.next -= 1
    return answer


@pytest.mark.parametrize(
    ("fault", "found_by"),
    [
        (shift, "pixels"),
        (one_level, "pixels"),
        (no_queue, "events"),
        (eager, "events"),
        (ignores_order, "encodings"),
        (same_name, "documents"),
        (two_labels_alike, "info"),
        (loses_a_chunk, "chunks"),
        (forgetful_poll, "polling"),
    ],
)
def test_planted_faults_of_a_server_are_found(server: ServerThread, fault: Any, found_by: str) -> None:
    transport = Faulty(server.address, fault)
    (verdict,) = checks.hold(transport, [check for check in CHECKS if check.name == found_by])
    transport.close()
    assert verdict.outcome == "failed"
    assert verdict.remark


def test_a_server_that_shows_its_inner_life_is_found(server: ServerThread) -> None:
    class Leaking(GrpcTransport):
        def call(self, method: str, request: Any) -> Any:
            try:
                return super().call(method, request)
            except RemoteError as error:
                raise RemoteError(error.code, f"ValueError(0x7f) {error.message}", error.field, error.reason) from None

    transport = Leaking(server.address)
    verdicts = list(checks.hold(transport, [check for check in CHECKS if check.name in ("refusals", "limits")]))
    transport.close()
    assert [verdict.outcome for verdict in verdicts] == ["failed", "failed"]
    assert "inner life" in verdicts[0].remark


def test_command_reports_and_says_what_came_of_it(server: ServerThread, url: str, capsys: Any) -> None:
    few = ("info", "documents")
    assert conformance.run(conformance.Config(server.address, only=few)) == 0
    assert conformance.run(conformance.Config(url.rstrip("/"), only=few)) == 0
    assert conformance.run(conformance.Config("127.0.0.1:1", only=few)) == 1
    assert conformance.run(conformance.Config()) == 2
    out = capsys.readouterr().out
    assert "over gRPC" in out
    assert "over Connect" in out
    assert "over gRPC-Web" in out
    assert "2 passed, 0 failed, 0 skipped" in out
    assert "2 failed" in out


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """photo, before, after and result, as words for a command line."""
    photo = np.random.default_rng(4).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    before = np.zeros((90, 120), np.uint8)
    after = before.copy()
    after[30:60, 40:80] = 4
    for name, values in (("photo", photo), ("before", before), ("after", after)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    return " ".join(str(tmp_path / f"{name}.png") for name in ("photo", "before", "after", "result"))


def scenarios(*names: str) -> list[plugin_checks.Scenario]:
    return [scenario for scenario in plugin_checks.SCENARIOS if not names or scenario.name in names]


def test_the_small_plugin_passes(repository: Path, pictures: str) -> None:
    script = repository / "plugin_bridge" / "examples" / "small_plugin.py"
    command = f"{sys.executable} {script} {pictures} {{server}}"
    verdicts = list(plugin_checks.hold_plugin(command))
    assert {verdict.check: (verdict.outcome, verdict.remark) for verdict in verdicts} == {
        scenario.name: ("passed", "") for scenario in plugin_checks.SCENARIOS
    }


BAD_PLUGIN = """
import os, sys, time, grpc
from layoutbrush import v1
fault = sys.argv[1]
stub = v1.LayoutbrushServiceStub(grpc.insecure_channel(os.environ["LAYOUTBRUSH_SERVER"]))
def raw(kind, data, width, height, x=0, order=v1.CHANNEL_ORDER_GRAY):
    form = v1.PixelFormat(channel_order=order, data_type=v1.DATA_TYPE_UINT8)
    bounds = v1.Bounds(x=x, width=width, height=height)
    return v1.Layer(kind=kind, bounds=bounds, encoding=v1.ENCODING_RAW, format=form, data=data)
side = 64
photo = raw(v1.LAYER_KIND_PHOTO, bytes(side * side * 3 - (fault == "torn")), side, side, order=v1.CHANNEL_ORDER_RGB)
label = 99 if fault == "unknown-label" else 4
patch = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bytes([label]) * 100, 10, 10, x=60 if fault == "outside" else 8)
for attempt in range(100):
    try:
        if fault == "offset":
            document = stub.OpenDocument(v1.OpenDocumentRequest()).document_id
            part = v1.Layer(); part.CopyFrom(photo); part.data_size = len(photo.data)
            part.data = photo.data[:1000]
            stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=part))
            part.data = photo.data[1001:]
            stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=part, offset=1001))
        else:
            labels = raw(v1.LAYER_KIND_LABEL_MAP, bytes(side * side), side, side)
            document = stub.OpenDocument(v1.OpenDocumentRequest(layers=[photo, labels])).document_id
        for event in stub.Render(v1.RenderRequest(document_id=document, edit=v1.Edit(label_map=patch))):
            pass
        break
    except grpc.RpcError as error:
        if fault != "stubborn":
            break
"""


@pytest.mark.parametrize(
    ("fault", "scenario", "words"),
    [
        ("torn", "edit", "don't make"),
        ("unknown-label", "edit", "which the bundle doesn't have"),
        ("outside", "edit", "leaves the photo's bounds"),
        ("offset", "edit", "at offset 1001"),
        ("untidy", "tidy", "closed 0"),
        ("gives-up", "busy", "did not come again"),
        ("stubborn", "busy", "it was told"),
        ("stubborn", "overrun", "100 times"),
        ("gives-up", "forgotten", "did not try again"),
        ("stubborn", "refused", "99 more times"),
        ("blind", "too-large", "limits"),
    ],
)
def test_planted_faults_of_a_plugin_are_found(tmp_path: Path, fault: str, scenario: str, words: str) -> None:
    script = tmp_path / "bad.py"
    script.write_text(BAD_PLUGIN)
    (verdict,) = plugin_checks.hold_plugin(f"{sys.executable} {script} {fault}", scenarios(scenario))
    assert verdict.outcome == "failed"
    assert words in verdict.remark


def test_a_plugin_that_ignores_cancel_is_not_taken_for_sound(tmp_path: Path) -> None:
    script = tmp_path / "deaf.py"
    script.write_text(BAD_PLUGIN)
    command = f"{sys.executable} {script} deaf"
    (verdict,) = plugin_checks.hold_plugin(command, scenarios("cancel"), slow_seconds=2.0)
    assert verdict.outcome == "skipped"
    assert "Cancel" in verdict.remark


WEB_PLUGIN = """
import sys, os, time
from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.transports import ConnectTransport
from layoutbrush.plugin_bridge.errors import RemoteError
web = ConnectTransport(sys.argv[1])
def raw(kind, data, order):
    form = v1.PixelFormat(channel_order=order, data_type=v1.DATA_TYPE_UINT8)
    return v1.Layer(kind=kind, bounds=v1.Bounds(width=64, height=64), encoding=v1.ENCODING_RAW, format=form, data=data)
photo = raw(v1.LAYER_KIND_PHOTO, bytes(64 * 64 * 3), v1.CHANNEL_ORDER_RGB)
edited = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bytes(2048) + bytes([4]) * 2048, v1.CHANNEL_ORDER_GRAY)
labels = raw(v1.LAYER_KIND_LABEL_MAP, bytes(4096), v1.CHANNEL_ORDER_GRAY)
if web.call("GetServerInfo", v1.GetServerInfoRequest()).limits.max_side < 64:
    sys.exit("too large")
def edit():
    document = web.call("OpenDocument", v1.OpenDocumentRequest(layers=[photo, labels])).document_id
    render = v1.RenderRequest(document_id=document, edit=v1.Edit(label_map=edited))
    try:
        for attempt in range(4):
            try:
                started = web.call("StartRender", v1.StartRenderRequest(render=render))
                break
            except RemoteError as error:
                if error.retry_after_s is None or attempt == 3:
                    raise
                time.sleep(error.retry_after_s)
        after, polls = 0, 0
        while True:
            poll = v1.PollRenderRequest(render_id=started.render_id, after=after, wait_ms=100)
            answer = web.call("PollRender", poll)
            after, polls = answer.next, polls + 1
            if answer.finished:
                return
            if os.environ["LAYOUTBRUSH_SCRIPT"] == "cancel" and polls > 3:
                web.call("CancelRender", v1.CancelRenderRequest(render_id=started.render_id))
                return
    finally:
        try:
            web.call("CloseDocument", v1.CloseDocumentRequest(document_id=document))
        except RemoteError:
            pass
try:
    edit()
except RemoteError as error:
    if error.reason != "DOCUMENT_NOT_FOUND":
        sys.exit(str(error))
    edit()
web.close()
"""


def test_a_plugin_of_the_web_that_polls_passes(tmp_path: Path) -> None:
    pytest.importorskip("hypercorn", reason="the extra web isn't installed")
    script = tmp_path / "web.py"
    script.write_text(WEB_PLUGIN)
    verdicts = list(plugin_checks.hold_plugin(f"{sys.executable} {script} {{url}}"))
    assert {verdict.check: (verdict.outcome, verdict.remark) for verdict in verdicts} == {
        scenario.name: ("passed", "") for scenario in plugin_checks.SCENARIOS
    }


def test_status_codes_of_the_scripted_server_are_real() -> None:
    with ScriptedServer(Script(refuses=1)) as server:
        transport = GrpcTransport(server.address)
        with pytest.raises(RemoteError) as refused:
            transport.call("CloseDocument", v1.CloseDocumentRequest(document_id="none"))
        assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND")
        transport.close()

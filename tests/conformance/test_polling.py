"""Renders without a stream, over each way to a server: the same events, kept until they have been polled."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, scripted_backend, until

PHOTO = np.random.default_rng(5).integers(0, 256, (96, 128, 3), dtype=np.uint8)
LAYOUT = np.zeros((96, 128), np.uint8)


def open_document(stub: Any, photo: Any = PHOTO) -> str:
    layout = np.zeros(photo.shape[:2], np.uint8)
    layers = [raw_layer(v1.LAYER_KIND_PHOTO, photo), raw_layer(v1.LAYER_KIND_LABEL_MAP, layout)]
    return str(stub.OpenDocument(v1.OpenDocumentRequest(layers=layers)).document_id)


def request(document: str, label: int = 1, **options: Any) -> v1.RenderRequest:
    tile = np.full((16, 16), label, np.uint8)
    edit = v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, tile, 24, 24))
    return v1.RenderRequest(document_id=document, edit=edit, options=v1.RenderOptions(**options))


def start(stub: Any, render: v1.RenderRequest, **more: Any) -> v1.StartRenderResponse:
    answer = stub.StartRender(v1.StartRenderRequest(render=render, **more))
    assert isinstance(answer, v1.StartRenderResponse)
    return answer


def poll(stub: Any, render_id: str, after: int = 0, wait_ms: int = 5000) -> v1.PollRenderResponse:
    answer = stub.PollRender(v1.PollRenderRequest(render_id=render_id, after=after, wait_ms=wait_ms))
    assert isinstance(answer, v1.PollRenderResponse)
    return answer


def collect(stub: Any, render_id: str) -> list[v1.RenderResponse]:
    events: list[v1.RenderResponse] = []
    after, finished = 0, False
    while not finished:
        answer = poll(stub, render_id, after)
        assert answer.next == after + len(answer.events)
        events += answer.events
        after, finished = answer.next, answer.finished
    return events


def timeless(events: list[v1.RenderResponse]) -> list[v1.RenderResponse]:
    for event in events:
        event.revision = 1
        if event.HasField("progress"):
            event.progress.elapsed_ms = 0
    return [event for event in events if not event.HasField("queued")]


def test_polls_bring_what_the_stream_brings(stub: Any) -> None:
    document = open_document(stub)
    options = {"seed": 5, "warped_preview": True, "coarse_preview": True}
    streamed = list(stub.Render(request(document, **options)))
    started = start(stub, request(document, **options))
    assert started.revision == streamed[0].revision + 1
    assert started.idle_seconds >= 10
    polled = collect(stub, started.render_id)
    assert polled[0].HasField("queued")
    assert timeless(polled) == timeless(streamed)


def test_a_lost_poll_is_made_again_and_old_events_are_let_go(stub: Any) -> None:
    render_id = start(stub, request(open_document(stub))).render_id
    until(lambda: poll(stub, render_id).finished)
    first = poll(stub, render_id)
    assert first == poll(stub, render_id)  # nothing was acknowledged, so nothing is lost
    assert [event.WhichOneof("event") for event in first.events][-1] == "result"
    assert poll(stub, render_id, first.next).finished
    with pytest.raises(grpc.RpcError) as refused:
        poll(stub, render_id, 0)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError):
        poll(stub, render_id, first.next + 1)


def test_large_results_come_in_answers_below_the_limit(stub: Any) -> None:
    photo = np.random.default_rng(6).integers(0, 256, (1400, 1500, 3), dtype=np.uint8)
    render = request(open_document(stub, photo))
    render.edit.mask.CopyFrom(raw_layer(v1.LAYER_KIND_MASK, np.full(photo.shape[:2], 255, np.uint8)))
    render_id, after, finished, data = start(stub, render).render_id, 0, False, bytearray()
    while not finished:
        answer = poll(stub, render_id, after)
        assert answer.ByteSize() < 4 << 20
        for event in answer.events:
            if event.HasField("chunk") and event.chunk.transfer_id == 1:
                data += event.chunk.data
        after, finished = answer.next, answer.finished
    assert len(data) == photo.nbytes


def test_an_error_of_the_render_is_the_last_poll(stub: Any, editor: ScriptedEditor) -> None:
    editor.raises = RuntimeError("inner life")
    render_id = start(stub, request(open_document(stub))).render_id
    with pytest.raises(grpc.RpcError) as failed:
        collect(stub, render_id)
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "inner life" not in str(failed.value.details())


def test_bad_requests_are_refused_at_the_start(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        start(stub, request(open_document(stub), label=99))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as unknown:
        start(stub, request("nowhere"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_cancel_ends_the_work(stub: Any, editor: ScriptedEditor) -> None:
    editor.hold = threading.Event()
    render_id = start(stub, request(open_document(stub))).render_id
    until(lambda: editor.steps_begun == 1)
    stub.CancelRender(v1.CancelRenderRequest(render_id=render_id))
    until(lambda: editor.cancelled == 1)
    stub.CancelRender(v1.CancelRenderRequest(render_id=render_id))  # no error
    with pytest.raises(grpc.RpcError) as gone:
        poll(stub, render_id)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_newer_edit_supersedes_streams_and_polls_alike(stub: Any, editor: ScriptedEditor) -> None:
    document = open_document(stub)
    editor.hold = threading.Event()
    first = start(stub, request(document)).render_id
    until(lambda: editor.steps_begun == 1)
    second = start(stub, request(document, supersede=True)).render_id
    editor.hold.set()
    with pytest.raises(grpc.RpcError) as ended:
        collect(stub, first)
    assert ended.value.code() is grpc.StatusCode.ABORTED
    assert collect(stub, second)[-1].HasField("result")


def test_a_closed_document_takes_its_renders_along(stub: Any, editor: ScriptedEditor) -> None:
    document = open_document(stub)
    done = start(stub, request(document)).render_id
    collect(stub, done)
    editor.hold = threading.Event()
    running = start(stub, request(document)).render_id
    stub.CloseDocument(v1.CloseDocumentRequest(document_id=document))
    with pytest.raises(grpc.RpcError) as gone:
        poll(stub, done)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as ended:
        collect(stub, running)
    assert ended.value.code() is grpc.StatusCode.CANCELLED


def test_a_poll_returns_with_nothing_when_its_wait_is_over(stub: Any, editor: ScriptedEditor) -> None:
    editor.hold = threading.Event()
    render_id = start(stub, request(open_document(stub))).render_id
    until(lambda: editor.steps_begun == 1)
    after = poll(stub, render_id, 0, 0).next
    nothing = poll(stub, render_id, after, 1)
    assert (len(nothing.events), nothing.next, nothing.finished) == (0, after, False)
    with pytest.raises(grpc.RpcError) as refused:
        poll(stub, render_id, after, 60_000)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    stub.CancelRender(v1.CancelRenderRequest(render_id=render_id))


def test_time_runs_out(stub: Any, editor: ScriptedEditor) -> None:
    editor.hold = threading.Event()
    render_id = start(stub, request(open_document(stub)), timeout_seconds=1).render_id
    with pytest.raises(grpc.RpcError) as late:
        collect(stub, render_id)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_renders_that_are_kept_are_bounded() -> None:
    editor = ScriptedEditor()
    options = ServerOptions(port=0, limits=Limits(max_polled_renders=2))
    with ServerThread(scripted_backend(editor), options) as server, grpc.insecure_channel(server.address) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        document = open_document(stub)
        ids = [start(stub, request(document)).render_id for _ in range(2)]
        with pytest.raises(grpc.RpcError) as full:
            start(stub, request(document))
        assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stub.CancelRender(v1.CancelRenderRequest(render_id=ids[0]))
        assert collect(stub, start(stub, request(document)).render_id)[-1].HasField("result")
        assert collect(stub, ids[1])[-1].HasField("result")

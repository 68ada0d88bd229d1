"""What goes wrong inside and around a render, and what is left of the server afterwards."""

from __future__ import annotations

import logging
import threading
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from layoutbrush import v1
from layoutbrush.runtime.errors import InvalidArgument
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.testing import ScriptedEditor, raw_layer, until

SECRET = "secret at 0x7f00 in /srv/painter"


def failure(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as failed:
        list(call)
    return failed.value


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET), AssertionError(SECRET), OSError(5, SECRET)])
def test_engine_raises(bench: Any, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    at = bench(ScriptedEditor(raises=error))
    with caplog.at_level(logging.ERROR):
        failed = failure(at.start())
    assert failed.code() is grpc.StatusCode.INTERNAL
    text = f"{failed.details()}{failed.trailing_metadata()}{failed.debug_error_string()}"
    assert "secret" not in text
    assert type(error).__name__ not in text
    incident = str(failed.details()).rstrip(".").split()[-1]
    assert f"incident {incident}" in caplog.text  # the operator finds it
    at.editor.raises = None
    assert list(at.start())[-1].HasField("result")


def test_engine_runs_out_of_memory(bench: Any) -> None:
    at = bench(ScriptedEditor(raises=MemoryError(SECRET)))
    failed = failure(at.start())
    assert failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "secret" not in str(failed.details())
    at.editor.raises = None
    assert list(at.start())[-1].HasField("result")


def test_errors_of_the_pipeline_name_the_clients_field(bench: Any) -> None:
    at = bench(ScriptedEditor(raises=InvalidArgument("Too thin to fill.", "mask")))
    failed = failure(at.start())
    assert (failed.code(), failed.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "Too thin to fill.")


def test_client_cancels_at_work(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    call = at.start()
    until(lambda: at.editor.started == 1)
    call.cancel()
    until(lambda: at.editor.cancelled == 1)
    until(lambda: at.working == 0)
    at.editor.hold.set()
    assert list(at.start())[-1].HasField("result")
    assert at.editor.finished == 1


def test_client_cancels_in_the_queue(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    first = at.start()
    until(lambda: at.working == 1)
    second = at.start()
    until(lambda: at.waiting == 1)
    second.cancel()
    until(lambda: at.waiting == 0)
    at.editor.hold.set()
    assert list(first)[-1].HasField("result")
    assert at.editor.started == 1


def test_client_vanishes(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    with grpc.insecure_channel(at.server.address) as channel:
        edit = v1.Edit(mask=raw_layer(v1.LAYER_KIND_MASK, np.full((80, 96), 255, np.uint8)))
        stub = v1.LayoutbrushServiceStub(channel)
        list(stub.Segment(v1.SegmentRequest(document_id=at.document, store=True)))
        until(lambda: at.working == 0)
        call = stub.Render(v1.RenderRequest(document_id=at.document, edit=edit))
        until(lambda: at.editor.started == 1)
    del call  # held until now: a forgotten call cancels itself
    until(lambda: at.editor.cancelled == 1)
    until(lambda: at.working == 0)
    at.editor.hold.set()
    assert list(at.start())[-1].HasField("result")


def test_client_cancels_while_the_server_writes(bench: Any) -> None:
    """A reader that stops reading holds the answer back; when it goes, everything is let go at once."""
    at = bench(ScriptedEditor())
    photo = np.random.default_rng(1).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    opened = at.stub.OpenDocument(v1.OpenDocumentRequest(layers=[raw_layer(v1.LAYER_KIND_PHOTO, photo)]))
    edited = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((2000, 2000), 1, np.uint8))
    edit = v1.Edit(label_map=edited)
    call = at.stub.Render(v1.RenderRequest(document_id=opened.document_id, edit=edit))
    while not next(call).HasField("result"):
        pass
    with at.server.running.core.store.use(opened.document_id) as document:
        assert document.users == 2  # the render still has 12 MB to write, and we
        call.cancel()
        until(lambda: document.users == 1)
    assert list(at.start())[-1].HasField("result")


def test_deadline_at_work(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    assert failure(at.start(timeout=0.3)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: at.editor.cancelled == 1)
    until(lambda: at.working == 0)


def test_longest_time_of_the_server(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()), limits=Limits(max_seconds=0.2))
    failed = failure(at.start())
    assert failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "ran out" in str(failed.details())
    until(lambda: at.working == 0)


def test_deadline_in_the_queue(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    first = at.start()
    until(lambda: at.working == 1)
    assert failure(at.start(timeout=0.2)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: at.waiting == 0)
    at.editor.hold.set()
    assert list(first)[-1].HasField("result")
    assert at.editor.started == 1


def test_a_deaf_engine_keeps_its_place_until_it_is_done(bench: Any) -> None:
    """An engine in full run can't be stopped: its worker isn't given to another before it really is free."""
    at = bench(ScriptedEditor(hold=threading.Event(), deaf=True))
    call = at.start()
    until(lambda: at.editor.steps_begun == 1)
    call.cancel()
    second = at.start()
    with at.server.running.core.store.use(at.document) as document:
        until(lambda: at.waiting == 1 and document.users == 2)  # the second one and we: the first is not waited for
    assert (at.working, at.editor.started) == (1, 1)
    at.editor.hold.set()
    assert list(second)[-1].HasField("result")
    assert (at.editor.cancelled, at.editor.finished) == (1, 1)


def test_queue_is_bounded_and_says_when_to_come_back(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()), limits=Limits(max_waiting=2))
    calls = [at.start() for _ in range(3)]
    until(lambda: (at.working, at.waiting) == (1, 2))
    failed = failure(at.start())
    assert failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(failed.trailing_metadata())["grpc-status-details-bin"]
    assert b"google.rpc.RetryInfo" in details
    at.editor.hold.set()
    assert all(list(call)[-1].HasField("result") for call in calls)


def test_positions_count_down(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    first = at.start()
    until(lambda: at.working == 1)
    second = at.start()
    until(lambda: at.waiting == 1)
    third = at.start()
    until(lambda: at.waiting == 2)
    at.editor.hold.set()
    assert list(first)[-1].HasField("result")
    assert list(second)[-1].HasField("result")
    assert [r.queued.position for r in third if r.HasField("queued")] == [2, 1, 0]


def test_a_sent_away_edit_has_not_painted(bench: Any) -> None:
    at = bench(ScriptedEditor(), limits=Limits(max_waiting=0))
    revision = list(at.start())[-1].revision
    at.editor.hold = threading.Event()
    running = at.start()
    until(lambda: at.editor.started == 2)
    tile = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((4, 4), 2, np.uint8))
    tiles = v1.TileEdit(base_revision=revision + 1, tiles=[tile])
    request = v1.RenderRequest(document_id=at.document, edit=v1.Edit(tiles=tiles))
    assert failure(at.stub.Render(request)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    at.editor.hold.set()
    assert list(running)[-1].revision == revision + 1
    until(lambda: at.working == 0)
    assert list(at.stub.Render(request))[-1].revision == revision + 2


def test_latest_wins(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    first = at.start(supersede=True)
    until(lambda: at.working == 1)
    second = at.start()
    until(lambda: at.waiting == 1)
    third = at.start(supersede=True)
    for call in (first, second):
        failed = failure(call)
        assert failed.code() is grpc.StatusCode.ABORTED
        assert b"SUPERSEDED" in dict(failed.trailing_metadata())["grpc-status-details-bin"]
    at.editor.hold.set()
    assert list(third)[-1].HasField("result")


def test_an_older_edit_that_takes_longer_to_read_supersedes_no_newer_one(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    with at.server.running.core.store.use(at.document) as document:
        at.server.on_loop(document.editing.acquire)  # edits that arrive wait here to be read
        older = at.start(supersede=True)
        until(lambda: at.working == 1)
        newer = at.start(supersede=True)
        until(lambda: at.waiting == 1)

        async def release() -> None:
            document.editing.release()

        at.server.on_loop(release)
    failed = failure(older)
    assert failed.code() is grpc.StatusCode.ABORTED
    at.editor.hold.set()
    assert list(newer)[-1].HasField("result")


def test_an_invalid_edit_supersedes_nothing(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    first = at.start()
    until(lambda: at.working == 1)
    request = v1.RenderRequest(document_id=at.document, options=v1.RenderOptions(supersede=True))
    assert failure(at.stub.Render(request)).code() is grpc.StatusCode.INVALID_ARGUMENT
    at.editor.hold.set()
    assert list(first)[-1].HasField("result")


def test_closing_a_document_ends_its_renders(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    call = at.start()
    until(lambda: at.editor.started == 1)
    at.stub.CloseDocument(v1.CloseDocumentRequest(document_id=at.document))
    assert failure(call).code() is grpc.StatusCode.CANCELLED
    until(lambda: at.editor.cancelled == 1)


def test_an_idle_server_forgets_by_itself(bench: Any) -> None:
    at = bench(ScriptedEditor(), idle_seconds=0.2)
    until(lambda: len(at.server.running.core.store) == 0)
    assert failure(at.start()).code() is grpc.StatusCode.NOT_FOUND


def test_two_workers_work_at_once(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()), workers=2)
    calls = [at.start(), at.start()]
    until(lambda: at.editor.started == 2)
    at.editor.hold.set()
    assert all(list(call)[-1].HasField("result") for call in calls)
    assert at.editor.opened == 1  # prepared once, by whoever came first


def test_health_while_draining(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    with grpc.insecure_channel(at.server.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "layoutbrush.v1.LayoutbrushService"):
            request = health_pb2.HealthCheckRequest(service=service)
            assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING
        running = at.start()
        until(lambda: at.working == 1)
        watched = health.Watch(health_pb2.HealthCheckRequest())
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        at.server.drain(20.0)
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watched.cancel()
        at.editor.hold.set()
        assert list(running)[-1].HasField("result")  # what was running was finished


def test_draining_gives_up_in_the_end(bench: Any) -> None:
    at = bench(ScriptedEditor(hold=threading.Event()))
    running = at.start()
    until(lambda: at.editor.started == 1)
    at.server.drain(0.2)
    assert failure(running).code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
    until(lambda: at.editor.cancelled == 1)


@pytest.mark.parametrize("flag", [False, True])
def test_reflection_only_behind_its_flag(bench: Any, flag: bool) -> None:
    at = bench(ScriptedEditor(), reflection=flag)
    with grpc.insecure_channel(at.server.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        if flag:
            names = {service.name for service in next(call).list_services_response.service}
            assert "layoutbrush.v1.LayoutbrushService" in names
        else:
            assert failure(call).code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_token_guards_everything_but_health(bench: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        bench(ScriptedEditor(), token="t", reflection=True)  # opens a document without it
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

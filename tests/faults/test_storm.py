"""Many clients at once that cancel, supersede, close and run out of time: afterwards nothing is left at work."""

from __future__ import annotations

import logging
import random
import threading
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.testing import ScriptedEditor, raw_layer, until

CLIENTS, STROKES = 8, 20
EXPECTED = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.NOT_FOUND,
}
PHOTO = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((64, 64, 3), np.uint8))
EDIT = v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((64, 64), 1, np.uint8)))


def paint(stub: v1.LayoutbrushServiceStub, chance: random.Random, codes: list[Any]) -> None:
    """One restless painter."""
    document = stub.OpenDocument(v1.OpenDocumentRequest(layers=[PHOTO])).document_id
    for _ in range(STROKES):
        options = v1.RenderOptions(supersede=chance.random() < 0.4, warped_preview=True)
        request = v1.RenderRequest(document_id=document, edit=EDIT, options=options)
        call: Any = stub.Render(request, timeout=chance.choice([0.005, 0.05, 20.0]))
        other: Any = stub.Render(request) if chance.random() < 0.5 else None
        cancel_at = chance.choice([0, 1, 3, 99])
        try:
            if cancel_at == 0:
                call.cancel()
            for number, _ in enumerate(call, start=1):
                if number == cancel_at:
                    call.cancel()
        except grpc.RpcError as ended:
            codes.append(ended.code())
        if other is not None:
            other.cancel()
        if chance.random() < 0.1:
            stub.CloseDocument(v1.CloseDocumentRequest(document_id=document))
            document = stub.OpenDocument(v1.OpenDocumentRequest(layers=[PHOTO])).document_id


def test_nothing_is_left_after_a_storm(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    at = bench(ScriptedEditor(step_seconds=0.002), workers=2, limits=Limits(max_waiting=6))
    codes: list[Any] = []
    with caplog.at_level(logging.ERROR), grpc.insecure_channel(at.server.address) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        threads = [threading.Thread(target=paint, args=(stub, random.Random(n), codes)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120.0)
        until(lambda: (at.working, at.waiting) == (0, 0))
    assert set(codes) <= EXPECTED
    assert caplog.records == []  # no incidents
    core = at.server.running.core
    with core.store.use(at.document) as document:
        assert document.users == 1
    assert list(at.start())[-1].HasField("result")
    until(lambda: at.working == 0)
    assert at.editor.started == at.editor.finished + at.editor.cancelled

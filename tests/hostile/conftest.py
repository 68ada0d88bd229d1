"""One server for all that is thrown at it, and a reading of what it answers: a clean code, a field, no inner text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no types
from grpc_status import rpc_status

from layoutbrush import v1
from layoutbrush.runtime.server import ServerOptions, open_backend
from layoutbrush.runtime.testing import ServerThread, raw_layer

LEAKS = re.compile(
    r"Traceback|0x[0-9a-f]{4,}|Error\b|Exception|<class|object at|\.py\b|site-packages|/home|/usr|/tmp|numpy|PIL|None"
)
HEIGHT, WIDTH = 70, 80
PHOTO = np.random.default_rng(11).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
LAYOUT = np.zeros((HEIGHT, WIDTH), np.uint8)
EDITED = LAYOUT.copy()
EDITED[10:30, 20:50] = 1


@dataclass(frozen=True)
class Refusal:
    """An error as a client sees it."""

    code: str
    message: str
    field: str = ""
    reason: str = ""
    retry_after_s: float | None = None


def read(error: Any) -> Refusal:
    """Take an error apart; whatever it is, it holds nothing of the server's inner life."""
    assert LEAKS.search(str(error.details())) is None, error.details()
    status = rpc_status.from_call(error)
    field = reason = ""
    retry = None
    for detail in status.details if status is not None else ():
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        wait = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request):
            field = request.field_violations[0].field
            assert LEAKS.search(request.field_violations[0].description) is None
        elif detail.Unpack(wait):
            retry = wait.retry_delay.ToTimedelta().total_seconds()
    return Refusal(error.code().name, str(error.details()), field, reason, retry)


class Victim:
    """A stub, a document that must survive, and `refused`, which expects an error."""

    def __init__(self, stub: v1.LayoutbrushServiceStub, channel: grpc.Channel) -> None:
        self.stub = stub
        self.channel = channel
        layers = [raw_layer(v1.LAYER_KIND_PHOTO, PHOTO), raw_layer(v1.LAYER_KIND_LABEL_MAP, LAYOUT)]
        self.document = stub.OpenDocument(v1.OpenDocumentRequest(layers=layers)).document_id

    def render(self, edit: v1.Edit | None = None, **options: Any) -> list[v1.RenderResponse]:
        """Render an edit of the document, by default a valid one."""
        edit = edit or v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, EDITED))
        request = v1.RenderRequest(document_id=self.document, edit=edit, options=v1.RenderOptions(**options))
        return list(self.stub.Render(request))

    def open(self, *layers: v1.Layer) -> v1.OpenDocumentResponse:
        """Open another document."""
        return self.stub.OpenDocument(v1.OpenDocumentRequest(layers=layers))

    def put(self, layer: v1.Layer) -> v1.LayerState:
        """Put a layer into the document."""
        return self.stub.UploadLayer(v1.UploadLayerRequest(document_id=self.document, layer=layer)).layer

    def refused(self, call: Callable[[], Any]) -> Refusal:
        """Make a call that must fail; the document must still work afterwards."""
        with pytest.raises(grpc.RpcError) as failed:
            call()
        refusal = read(failed.value)
        assert self.render()[-1].HasField("result"), "the document was lost"
        return refusal


@pytest.fixture
def reader() -> Callable[[Any], Refusal]:
    """`read`, for tests that bring a server of their own."""
    return read


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """The real pipeline, with the engine that has no networks."""
    options = ServerOptions(port=0, bundle="stand-in")
    with ServerThread(open_backend(options), options) as running:
        yield running


@pytest.fixture
def victim(server: ServerThread) -> Iterator[Victim]:
    """A fresh document on the module's server."""
    with grpc.insecure_channel(server.address) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        found = Victim(stub, channel)
        yield found
        stub.CloseDocument(v1.CloseDocumentRequest(document_id=found.document))

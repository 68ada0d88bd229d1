"""Servers whose editor misbehaves on command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, scripted_backend

PHOTO = np.random.default_rng(31).integers(0, 256, (80, 96, 3), dtype=np.uint8)
LAYOUT = np.zeros((80, 96), np.uint8)
EDITED = LAYOUT.copy()
EDITED[20:60, 20:60] = 1


class Bench:
    """A server, its editor, a stub and a document."""

    def __init__(self, server: ServerThread, editor: ScriptedEditor, stub: v1.LayoutbrushServiceStub) -> None:
        self.server = server
        self.editor = editor
        self.stub = stub
        # The photo alone: nothing is prepared in the background, so that every count below is a render's.
        self.document = stub.OpenDocument(
            v1.OpenDocumentRequest(layers=[raw_layer(v1.LAYER_KIND_PHOTO, PHOTO)])
        ).document_id

    def start(self, timeout: float | None = None, **options: Any) -> Any:
        """Start a render; iterate over what comes back."""
        edit = v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, EDITED))
        request = v1.RenderRequest(document_id=self.document, edit=edit, options=v1.RenderOptions(**options))
        return self.stub.Render(request, timeout=timeout)

    @property
    def working(self) -> int:
        """Requests at work."""
        return self.server.running.core.admission.working if self.server.running else 0

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return self.server.running.core.admission.waiting if self.server.running else 0


Make = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[Make]:
    """Makes benches; arguments of ServerOptions by name."""
    with ExitStack() as stack:

        def make(editor: ScriptedEditor, **options: Any) -> Bench:
            server = stack.enter_context(ServerThread(scripted_backend(editor), ServerOptions(port=0, **options)))
            channel = stack.enter_context(grpc.insecure_channel(server.address))
            return Bench(server, editor, v1.LayoutbrushServiceStub(channel))

        yield make

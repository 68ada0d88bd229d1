"""A server that follows a script, and stubs made from the contract alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest

from layoutbrush import v1
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

Start = Callable[..., ServerThread]


@pytest.fixture
def editor() -> ScriptedEditor:
    """The editor behind `server`; a test may change its script."""
    return ScriptedEditor()


@pytest.fixture
def server(editor: ScriptedEditor) -> Iterator[ServerThread]:
    """A running server."""
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as running:
        yield running


@pytest.fixture
def stub(server: ServerThread) -> Iterator[v1.LayoutbrushServiceStub]:
    """The generated stub on a channel with grpcio's own defaults."""
    with grpc.insecure_channel(server.address) as channel:
        yield v1.LayoutbrushServiceStub(channel)

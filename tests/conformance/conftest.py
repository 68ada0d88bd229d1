"""A server that follows a script, and stubs made from the contract alone, over each way to a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from layoutbrush.plugin_bridge.conformance.transports import (
    ConnectTransport,
    GrpcTransport,
    GrpcWebTransport,
    Stream,
    Transport,
)
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.runtime.drafts import open_drafter
from layoutbrush.runtime.finding import Library
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend, small_library

Start = Callable[..., ServerThread]
WAYS = ("grpc", "connect", "grpc-web")


@pytest.fixture
def editor() -> ScriptedEditor:
    """The editor behind `server`; a test may change its script."""
    return ScriptedEditor()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A folder of four photos."""
    return small_library(tmp_path_factory.mktemp("library"))


@pytest.fixture
def server(editor: ScriptedEditor, library: Library) -> Iterator[ServerThread]:
    """A running server."""
    backend = scripted_backend(editor, drafter=open_drafter("stand-in"), library=library)
    with ServerThread(backend, ServerOptions(port=0)) as running:
        yield running


@pytest.fixture
def url(server: ServerThread) -> Iterator[str]:
    """The address of a gateway before `server`."""
    testing = pytest.importorskip("layoutbrush.plugin_bridge.gateway.testing", reason="the extra web isn't installed")
    with testing.GatewayThread(server.address) as web:
        yield str(web.url)


@pytest.fixture(params=WAYS)
def transport(request: pytest.FixtureRequest, server: ServerThread) -> Iterator[Transport]:
    """Each way to `server`."""
    made: Transport
    if request.param == "grpc":
        made = GrpcTransport(server.address)
    else:
        url = str(request.getfixturevalue("url"))
        made = ConnectTransport(url) if request.param == "connect" else GrpcWebTransport(url)
    yield made
    made.close()


class Refused(grpc.RpcError):
    """A RemoteError as grpcio's own stub would raise it."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__(str(error))
        self.error = error

    def code(self) -> grpc.StatusCode:
        """As in grpcio."""
        return self.error.code

    def details(self) -> str:
        """As in grpcio."""
        return self.error.message


class Stub:
    """The calls of the generated stub, over any transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __getattr__(self, method: str) -> Callable[[Any], Any]:
        streams = method in ("Render", "Segment", "GenerateDrafts", "FetchReference")

        def call(request: Any) -> Any:
            if streams:
                return self._read(self._transport.stream(method, request))
            try:
                return self._transport.call(method, request)
            except RemoteError as error:
                raise Refused(error) from None

        return call

    def _read(self, stream: Stream) -> Iterator[Any]:
        try:
            yield from stream
        except RemoteError as error:
            raise Refused(error) from None


@pytest.fixture
def stub(transport: Transport) -> Any:
    """The contract's calls; over gRPC, messages have grpcio's own limits."""
    return Stub(transport)

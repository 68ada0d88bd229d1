"""The three ways to a server behind one small interface: gRPC, Connect, gRPC-Web.

The web ones are written here on the standard library's HTTP client, so that the gateway is checked against the
protocols' documents and not against the library that it is made with.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import grpc
from google.protobuf import message_factory
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no types

from layoutbrush import v1
from layoutbrush.plugin_bridge.errors import DETAILS, RemoteError, detailed, ended_early, remote_error
from layoutbrush.v1 import service_pb2

SERVICE = "layoutbrush.v1.LayoutbrushService"
TIMEOUT = 30.0
_CODES = {code.name.lower(): code for code in grpc.StatusCode} | {"canceled": grpc.StatusCode.CANCELLED}
_NUMBERS = {code.value[0]: code for code in grpc.StatusCode}
_END_OF_STREAM, _TRAILERS = 0b10, 0x80


class Stream(ABC):
    """A call that answers many times. Iterating raises RemoteError where the server says one."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...

    @abstractmethod
    def cancel(self) -> None:
        """Go away, as a user who closes the window does."""


class Transport(ABC):
    """A way to a server. `name`: for the report."""

    name: str

    @abstractmethod
    def call(self, method: str, request: Any) -> Any:
        """Make a unary call.

        Raises:
            RemoteError: the server refused.
        """

    @abstractmethod
    def stream(self, method: str, request: Any) -> Stream:
        """Start a server-streaming call."""

    @abstractmethod
    def close(self) -> None:
        """End all calls."""


class GrpcTransport(Transport):
    """Native gRPC. `roots`: PEM of the authority to trust; None = no TLS."""

    name = "gRPC"

    def __init__(self, address: str, token: str = "", roots: bytes | None = None) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        if roots is None:
            self._channel = grpc.insecure_channel(address)
        else:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(roots))
        self._stub = v1.LayoutbrushServiceStub(self._channel)

    def call(self, method: str, request: Any) -> Any:
        """See `Transport`."""
        try:
            return getattr(self._stub, method)(request, timeout=TIMEOUT, metadata=self._metadata)
        except grpc.RpcError as error:
            raise remote_error(error, self._address) from None

    def stream(self, method: str, request: Any) -> Stream:
        """See `Transport`."""
        call = getattr(self._stub, method)(request, timeout=TIMEOUT, metadata=self._metadata)
        return _GrpcStream(call, self._address)

    def close(self) -> None:
        """See `Transport`."""
        self._channel.close()


class _GrpcStream(Stream):
    def __init__(self, call: Any, address: str) -> None:
        self._call = call
        self._address = address

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise remote_error(error, self._address) from None

    def cancel(self) -> None:
        self._call.cancel()


class _WebTransport(Transport):
    """What both web protocols share. `url`: such as http://127.0.0.1:8080. `headers`: sent with every request."""

    unary_type: str
    stream_type: str

    def __init__(
        self, url: str, token: str = "", roots: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = urlsplit(url)
        self._context = ssl.create_default_context(cadata=roots.decode()) if roots is not None else None
        self._headers = {**({"authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        self._open: list[http.client.HTTPConnection] = []

    def post(self, method: str, body: bytes, kind: str) -> http.client.HTTPResponse:
        """Send one request on a connection of its own and return the answer, its body unread.

        Raises:
            RemoteError: nothing answers.
        """
        host, port = self._url.hostname or "", self._url.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._context)
            if self._url.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )
        self._open.append(connection)
        headers = {"content-type": kind, "connect-protocol-version": "1", "x-grpc-web": "1", **self._headers}
        try:
            connection.request("POST", f"/{SERVICE}/{method}", body, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            raise RemoteError(grpc.StatusCode.UNAVAILABLE, f"Nothing answers at {self._url.netloc}.") from None

    def close(self) -> None:
        """See `Transport`."""
        for connection in self._open:
            connection.close()

    def stream(self, method: str, request: Any) -> Stream:
        """See `Transport`."""
        body = _envelope(request.SerializeToString())
        response = self.post(method, body, self.stream_type)
        return _WebStream(self, method, response, self._open[-1].sock)

    @abstractmethod
    def finish(self, flags: int, data: bytes) -> None:
        """Read the last envelope of a stream.

        Raises:
            RemoteError: it holds one.
        """

    def check_head(self, response: http.client.HTTPResponse) -> None:
        """Read what the head of an answer says of errors."""
        if response.status != 200:
            raise _http_error(response)


class ConnectTransport(_WebTransport):
    """Connect, version 1, binary messages."""

    name = "Connect"
    unary_type = "application/proto"
    stream_type = "application/connect+proto"

    def call(self, method: str, request: Any) -> Any:
        """See `Transport`."""
        response = self.post(method, request.SerializeToString(), self.unary_type)
        if response.status != 200:
            raise _http_error(response)
        return _answer_class(method).FromString(response.read())

    def finish(self, flags: int, data: bytes) -> None:
        """See `_WebTransport`."""
        end = json.loads(data)
        if "error" in end:
            raise _connect_error(end["error"])


class GrpcWebTransport(_WebTransport):
    """gRPC-Web, binary."""

    name = "gRPC-Web"
    unary_type = stream_type = "application/grpc-web+proto"

    def call(self, method: str, request: Any) -> Any:
        """See `Transport`."""
        answers = list(self.stream(method, request))
        if len(answers) != 1:
            raise ended_early()
        return answers[0]

    def finish(self, flags: int, data: bytes) -> None:
        """See `_WebTransport`."""
        lines = (line.partition(":") for line in data.decode().splitlines() if line)
        _check_status({key.strip().lower(): value.strip() for key, _, value in lines})

    def check_head(self, response: http.client.HTTPResponse) -> None:
        """See `_WebTransport`: an error may come in the headers alone."""
        super().check_head(response)
        if response.getheader("grpc-status") is not None:
            _check_status({key.lower(): value for key, value in response.getheaders()})


class _WebStream(Stream):
    def __init__(
        self, transport: _WebTransport, method: str, response: http.client.HTTPResponse, link: socket.socket | None
    ) -> None:
        self._transport = transport
        self._kind = _answer_class(method)
        self._response = response
        self._link = link

    def __iter__(self) -> Iterator[Any]:
        self._transport.check_head(self._response)
        while True:
            try:
                flags, data = self._envelope()
            except (OSError, ValueError, http.client.HTTPException):
                raise RemoteError(grpc.StatusCode.UNAVAILABLE, "The connection broke.") from None
            if flags & (_END_OF_STREAM | _TRAILERS):
                self._transport.finish(flags, data)
                return
            yield self._kind.FromString(data)

    def _envelope(self) -> tuple[int, bytes]:
        head = self._response.read(5)
        if len(head) < 5:
            raise http.client.IncompleteRead(head)
        flags, size = struct.unpack(">BI", head)
        data = self._response.read(size)
        if len(data) < size:
            raise http.client.IncompleteRead(data)
        return flags, data

    def cancel(self) -> None:
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.shutdown(socket.SHUT_RDWR)


def _answer_class(method: str) -> Any:
    found = service_pb2.DESCRIPTOR.services_by_name["LayoutbrushService"].methods_by_name[method]
    return message_factory.GetMessageClass(found.output_type)


def _envelope(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


def _http_error(response: http.client.HTTPResponse) -> RemoteError:
    body = response.read()
    if "json" in (response.getheader("content-type") or ""):
        return _connect_error(json.loads(body))
    text = body.decode("utf-8", "replace").strip()[:200] or f"HTTP status {response.status}."
    return RemoteError(grpc.StatusCode.UNKNOWN, text)


def _connect_error(error: Any) -> RemoteError:
    details = [(d["type"], base64.b64decode(d["value"] + "===")) for d in error.get("details", ())]
    code = _CODES.get(error.get("code", ""), grpc.StatusCode.UNKNOWN)
    return detailed(RemoteError(code, error.get("message", "")), details)


def _check_status(trailers: Mapping[str, str]) -> None:
    code = _NUMBERS.get(int(trailers.get("grpc-status", 2)), grpc.StatusCode.UNKNOWN)
    if code is grpc.StatusCode.OK:
        return
    packed = trailers.get(DETAILS, "")
    details = status_pb2.Status.FromString(base64.b64decode(packed + "===")).details if packed else ()
    message = unquote(trailers.get("grpc-message", ""))
    raise detailed(RemoteError(code, message), ((detail.type_url, detail.value) for detail in details))

"""The gateway under fire: slow senders, huge bodies, broken envelopes, bombs; it answers cleanly and lives on."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import numpy as np
import pytest

pytest.importorskip("connectrpc", reason="the extra web isn't installed")
pytest.importorskip("hypercorn", reason="the extra web isn't installed")

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.transports import SERVICE, ConnectTransport, GrpcWebTransport
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.gateway.guard import Patience
from layoutbrush.plugin_bridge.gateway.testing import GatewayThread
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ServerThread, raw_layer, scripted_backend, until

LIMIT = 2 << 20
UNARY = ("application/proto", "application/json", "application/grpc-web+proto")
STREAMS = ("application/connect+proto", "application/connect+json", "application/grpc-web+proto")
INNER_LIFE = ("Traceback", "Error(", "site-packages", ".py", "0x", "hypercorn", "google.protobuf")


@pytest.fixture(scope="module")
def web() -> Iterator[GatewayThread]:
    """A gateway that takes 2 MiB and has little patience."""
    patience = Patience(head_seconds=0.5, piece_seconds=0.5, least_rate=1 << 20, calls=8)
    with (
        ServerThread(scripted_backend(), ServerOptions(port=0)) as server,
        GatewayThread(server.address, max_message_bytes=LIMIT, patience=patience) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def lives_on(web: GatewayThread) -> Iterator[None]:
    """After each attack the gateway still works."""
    yield
    transport = ConnectTransport(web.url)
    assert transport.call("GetServerInfo", v1.GetServerInfoRequest()).bundle.name == "scripted"
    transport.close()


@contextmanager
def post(web: GatewayThread, method: str, body: bytes, kind: str, **headers: str) -> Iterator[tuple[int, bytes]]:
    connection = http.client.HTTPConnection(web.address, timeout=20)
    try:
        lines = {"content-type": kind, **{key.replace("_", "-"): value for key, value in headers.items()}}
        connection.request("POST", f"/{SERVICE}/{method}", body, lines)
        response = connection.getresponse()
        yield response.status, response.read()
    finally:
        connection.close()


def clean(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    assert not [word for word in INNER_LIFE if word in text], text


@pytest.mark.parametrize("kind", UNARY)
@pytest.mark.parametrize("method", ["GetServerInfo", "OpenDocument", "UploadLayer", "StartRender", "PollRender"])
def test_random_bytes_in_unary_calls(web: GatewayThread, method: str, kind: str) -> None:
    generator = random.Random(f"{method} {kind}")
    for size in (0, 1, 4, 5, 40, 3000):
        with post(web, method, generator.randbytes(size), kind) as (status, body):
            assert status in (200, 400, 404, 413, 415, 429, 501)
            clean(body)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0\0\0\0",
        struct.pack(">BI", 0, 100) + b"short",
        struct.pack(">BI", 0, 0xFFFFFFFF),
        struct.pack(">BI", 0, LIMIT + 1),
        struct.pack(">BI", 0xFF, 3) + b"abc",
        struct.pack(">BI", 2, 2) + b"{}",
        struct.pack(">BI", 0x80, 16) + b"grpc-status: 0\r\n",
        struct.pack(">BI", 0, 3) + b"\xff\xff\xff",
        2 * (struct.pack(">BI", 0, 2) + b"{}"),
    ],
    ids=str,
)
def test_broken_envelopes(web: GatewayThread, kind: str, body: bytes) -> None:
    with post(web, "Render", body, kind) as (status, answer):
        assert status in (200, 400, 415)
        clean(answer)
        assert b"error" in answer or b"grpc-status" in answer or status != 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "a" * 300]
)
def test_what_a_form_could_send_is_no_call(web: GatewayThread, kind: str) -> None:
    with post(web, "GetServerInfo", b"{}", kind) as (status, _):
        assert status == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_calls_are_posted(web: GatewayThread, method: str) -> None:
    connection = http.client.HTTPConnection(web.address, timeout=20)
    connection.request(method, f"/{SERVICE}/GetServerInfo?encoding=json&message=%7B%7D")
    assert connection.getresponse().status == 405
    connection.close()


def test_unknown_calls_are_not_found(web: GatewayThread) -> None:
    for method in ("Nothing", "GetServerInfo/", "../GetServerInfo", "Render%00"):
        with post(web, method, b"{}", "application/json") as (status, _):
            assert status in (404, 405)


@pytest.mark.parametrize("make", [ConnectTransport, GrpcWebTransport])
def test_bodies_above_the_limit(web: GatewayThread, make: Any) -> None:
    transport = make(web.url)
    layer = v1.Layer(kind=v1.LAYER_KIND_PHOTO, data=bytes(LIMIT + 100))
    with pytest.raises(RemoteError) as refused:
        transport.call("OpenDocument", v1.OpenDocumentRequest(layers=[layer]))
    # The answer may be lost where the rest of the body is still being sent; either way nothing was taken in.
    assert refused.value.code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    transport.close()


def test_a_length_that_lies(web: GatewayThread) -> None:
    host, _, port = web.address.rpartition(":")
    head = f"POST /{SERVICE}/GetServerInfo HTTP/1.1\r\nHost: {web.address}\r\nContent-Type: application/proto\r\n"
    with socket.create_connection((host, int(port)), 20) as link:
        link.sendall(f"{head}Content-Length: 99999999999\r\n\r\nxx".encode())
        assert b"HTTP/1.1 " in link.recv(4096)  # it says so and does not wait for the rest


@pytest.mark.parametrize("size", [1 << 16, 64 << 20])
def test_bombs_are_not_unpacked(web: GatewayThread, size: int) -> None:
    packed = gzip.compress(bytes(size), 9)
    with post(web, "OpenDocument", packed, "application/proto", content_encoding="gzip") as (status, body):
        assert (status, json.loads(body)["code"]) == (501, "unimplemented")
    wrapped = struct.pack(">BI", 1, len(packed)) + packed
    for kind, name in (("application/connect+proto", "connect_content_encoding"), (UNARY[2], "grpc_encoding")):
        with post(web, "Render", wrapped, kind, **{name: "gzip"}) as (status, body):
            assert status == 200
            assert b"unimplemented" in body or b"grpc-status: 12" in body
        with post(web, "Render", wrapped, kind) as (status, body):  # packed, and not said to be
            clean(body)


def test_deep_and_long_json(web: GatewayThread) -> None:
    deep = b'{"layers":' * 5000 + b"[]" + b"}" * 5000
    with post(web, "OpenDocument", deep, "application/json") as (status, body):
        assert status == 400
        clean(body)
    with post(web, "OpenDocument", b'{"layers":[' + b"{}," * 600_000 + b"{}]}", "application/json") as (status, body):
        assert status in (400, 429)
        clean(body)


def answer_of_slow_sender(web: GatewayThread, text: bytes) -> bytes:
    """What comes back when the sender says so much and then nothing; empty where the connection is just closed."""
    host, _, port = web.address.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as link:
        link.sendall(text)
        found = b""
        while piece := link.recv(4096):
            found += piece
        return found


def test_a_body_that_never_ends_is_given_up(web: GatewayThread) -> None:
    head = f"POST /{SERVICE}/GetServerInfo HTTP/1.1\r\nHost: {web.address}\r\nContent-Type: application/proto\r\n"
    answer = answer_of_slow_sender(web, f"{head}Content-Length: 50\r\n\r\nxx".encode())
    assert b"canceled" in answer


def test_headers_that_never_end_are_given_up(web: GatewayThread) -> None:
    assert answer_of_slow_sender(web, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A:") == b""


def test_headers_without_end(web: GatewayThread) -> None:
    host, _, port = web.address.rpartition(":")
    with socket.create_connection((host, int(port)), 20) as link:
        with suppress(ConnectionError):  # it needn't listen to the end
            link.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"b" * 200_000)
        assert link.recv(4096).startswith(b"HTTP/1.1 4")


def test_two_hosts_are_none(web: GatewayThread) -> None:
    host, _, port = web.address.rpartition(":")
    with socket.create_connection((host, int(port)), 20) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 4")


def test_too_many_at_a_time_are_sent_away(web: GatewayThread) -> None:
    host, _, port = web.address.rpartition(":")
    head = f"POST /{SERVICE}/GetServerInfo HTTP/1.1\r\nHost: {web.address}\r\nContent-Type: application/proto\r\n"
    links: list[socket.socket] = []

    def sent_away() -> bool:
        for _ in range(8):  # each is patient for half a second
            links.append(socket.create_connection((host, int(port)), 20))
            links[-1].sendall(f"{head}Content-Length: 50\r\n\r\n".encode())
        connection = http.client.HTTPConnection(web.address, timeout=20)
        connection.request("GET", "/samples/index.json")
        status = connection.getresponse().status
        connection.close()
        return status == 503

    try:
        until(sent_away, 30.0)
        for link in links:  # and they are given up in turn
            while link.recv(4096):
                pass
    finally:
        for link in links:
            link.close()


def test_who_does_not_read_the_answer_is_given_up() -> None:
    """The render is let go of, and the document can be forgotten, while the reader still holds the connection."""
    side = 3000
    photo = np.zeros((side, side, 3), np.uint8)
    with (
        ServerThread(scripted_backend(), ServerOptions(port=0)) as server,
        GatewayThread(server.address, patience=Patience(read_seconds=0.5)) as web,
    ):
        transport = ConnectTransport(web.url)
        layers = [raw_layer(v1.LAYER_KIND_PHOTO, photo), raw_layer(v1.LAYER_KIND_MASK, photo[..., 0] + 255)]
        document = transport.call("OpenDocument", v1.OpenDocumentRequest(layers=layers)).document_id
        stream = transport.stream("Render", v1.RenderRequest(document_id=document))
        assert server.running is not None
        store = server.running.core.store
        with store.use(document) as held:
            admission = server.running.core.admission
            until(lambda: held.users == 1 and admission.idle)
        with pytest.raises(RemoteError):
            list(stream)
        transport.close()

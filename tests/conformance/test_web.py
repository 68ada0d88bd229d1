"""The gateway as a browser meets it: page, samples, origins, token, TLS, and calls that end when the browser goes."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

pytest.importorskip("connectrpc", reason="the extra web isn't installed")
pytest.importorskip("hypercorn", reason="the extra web isn't installed")

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.transports import SERVICE, ConnectTransport, GrpcTransport, Transport
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.gateway.pages import Pages, Sample
from layoutbrush.plugin_bridge.gateway.testing import GatewayThread
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, scripted_backend, until
from layoutbrush.runtime.tls import Tls

EDITOR = "https://editor.example"
PHOTO = np.random.default_rng(8).integers(0, 256, (80, 96, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built page."""
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>Editor</title>")
    (page / "assets" / "index-5f3a.js").write_text("export const x = 1;")
    (page / ".secret").write_text("no")
    (tmp_path / "outside.txt").write_text("no")
    (page / "way-out.txt").symlink_to(tmp_path / "outside.txt")
    return page


@pytest.fixture
def web(server: ServerThread, folder: Path, tmp_path: Path) -> Iterator[GatewayThread]:
    """A gateway with that page and one named origin."""
    photo = tmp_path / "china.jpg"
    photo.write_bytes(b"\xff\xd8\xff not really")
    pages = Pages(folder, {"china.jpg": Sample(photo, "A temple")})
    with GatewayThread(server.address, pages=pages, origins=(EDITOR,), names=("studio.example",)) as running:
        yield running


class Answer:
    """Status, headers and body of an HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {key.lower(): value for key, value in response.getheaders()}
        self.body = response.read()


def ask(web: GatewayThread, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(web.address, timeout=20)
    try:
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def info(web: GatewayThread, **headers: str) -> Answer:
    return ask(web, "POST", f"/{SERVICE}/GetServerInfo", b"{}", content_type="application/json", **headers)


def test_page_is_served_with_a_policy(web: GatewayThread) -> None:
    page = ask(web, "GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    again = ask(web, "GET", "/", if_none_match=page.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = ask(web, "HEAD", "/index.html")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(page.body)))
    script = ask(web, "GET", "/assets/index-5f3a.js?v=1")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    assert ask(web, "DELETE", "/").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/..%2foutside.txt",
        "/assets/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/assets/%2e%2e/%2e%2e/outside.txt",
        "//etc/passwd",
        "/%00",
        "/.secret",
        "/way-out.txt",
        "/samples/../index.html",
        "/samples/..%2fpage%2findex.html",
        "/assets",
        "/assets/",
        "/" + "a" * 5000,
    ],
)
def test_nothing_else_is_served(web: GatewayThread, path: str) -> None:
    answer = ask(web, "GET", path)
    assert answer.status == 404
    assert answer.body != b"no"


def test_samples(web: GatewayThread) -> None:
    listed = json.loads(ask(web, "GET", "/samples/index.json").body)
    assert listed == {"samples": [{"name": "china.jpg", "title": "A temple", "url": "/samples/china.jpg"}]}
    photo = ask(web, "GET", "/samples/china.jpg")
    assert (photo.status, photo.headers["content-type"]) == (200, "image/jpeg")


def test_a_page_that_was_not_built_says_how(server: ServerThread, tmp_path: Path) -> None:
    with GatewayThread(server.address, pages=Pages(tmp_path / "nothing")) as web:
        answer = ask(web, "GET", "/")
        assert answer.status == 503
        assert b"make web" in answer.body
        assert info(web).status == 200


def test_named_origins_get_cors_and_no_others(web: GatewayThread) -> None:
    path = f"/{SERVICE}/Render"
    allowed = ask(web, "OPTIONS", path, origin=EDITOR, access_control_request_method="POST")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, EDITOR)
    assert "connect-protocol-version" in allowed.headers["access-control-allow-headers"]
    assert info(web, origin=EDITOR).headers["access-control-allow-origin"] == EDITOR
    assert "grpc-status" in info(web, origin=EDITOR).headers["access-control-expose-headers"]
    same = info(web, origin=f"http://{web.address}")
    assert same.status == 200
    assert "access-control-allow-origin" not in same.headers
    for stranger in ("https://evil.example", "null", EDITOR + ".evil.example", "http://editor.example", "*", ""):
        for refused in (info(web, origin=stranger), ask(web, "OPTIONS", path, origin=stranger)):
            assert refused.status == 403, stranger
            assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
def test_strangers_names_are_refused(web: GatewayThread, host: str) -> None:
    assert info(web, host=host).status == 421
    assert ask(web, "GET", "/", host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8080", "studio.example"])
def test_own_names_are_known(web: GatewayThread, host: str) -> None:
    assert info(web, host=host).status == 200


def test_errors_come_through_whole(url: str) -> None:
    transport = ConnectTransport(url)
    bad = raw_layer(v1.LAYER_KIND_LABEL_MAP, np.full((80, 96), 77, np.uint8))
    with pytest.raises(RemoteError) as refused:
        transport.call("OpenDocument", v1.OpenDocumentRequest(layers=[raw_layer(v1.LAYER_KIND_PHOTO, PHOTO), bad]))
    transport.close()
    error = refused.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.field, error.reason) == ("layers[1].data", "UNKNOWN_LABEL")


def test_going_away_cancels_the_render(transport: Transport, server: ServerThread, editor: ScriptedEditor) -> None:
    document = open_document(transport)
    editor.hold = threading.Event()
    stream = transport.stream("Render", render_request(document))
    assert next(iter(stream)).HasField("queued")
    until(lambda: editor.steps_begun == 1)
    stream.cancel()
    until(lambda: editor.cancelled == 1)
    assert server.running is not None
    core = server.running.core
    until(lambda: core.admission.working == 0)


def test_events_come_one_by_one(transport: Transport, editor: ScriptedEditor) -> None:
    """Nothing on the way waits for the end: the first events are here while the editor still stands still."""
    document = open_document(transport)
    editor.hold = threading.Event()
    events = iter(transport.stream("Render", render_request(document)))
    assert next(events).HasField("queued")
    assert "progress" in (next(events).WhichOneof("event") for _ in range(3))
    editor.hold.set()
    assert [event.WhichOneof("event") for event in events][-1] == "result"


def test_the_address_can_be_opened(server: ServerThread) -> None:
    for host, shown in (("0.0.0.0", "http://127.0.0.1:"), ("localhost", "http://localhost:")):
        with GatewayThread(server.address, host=host) as web:
            assert web.url.startswith(shown)
            assert info(web).status == 200


def test_token() -> None:
    with (
        ServerThread(options=ServerOptions(port=0, token="s3cret")) as server,
        GatewayThread(server.address) as web,
    ):
        for wrong in ({}, {"authorization": "Bearer nope"}):
            answer = info(web, **wrong)
            assert (answer.status, json.loads(answer.body)["code"]) == (401, "unauthenticated")
        assert info(web, authorization="Bearer s3cret").status == 200
        assert ask(web, "GET", "/samples/index.json").status == 200  # nothing to hide


def test_tls_for_both(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme", reason="trustme isn't installed")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    roots = authority.cert_pem.bytes()
    tls = Tls.of(str(certificate), str(key))
    assert tls is not None
    with ServerThread(scripted_backend(), ServerOptions(port=0, tls=tls)) as server:
        native = GrpcTransport(server.address, roots=roots)
        credentials = grpc.ssl_channel_credentials(roots)
        with GatewayThread(
            server.address, certificate=str(certificate), key=str(key), credentials=credentials
        ) as running:
            assert running.url.startswith("https://")
            over_http2 = GrpcTransport(running.address, roots=roots)  # gRPC is spoken on the web's port, too
            for transport in (native, over_http2, ConnectTransport(running.url, roots=roots)):
                document = open_document(transport)
                assert list(transport.stream("Render", render_request(document)))[-1].HasField("result")
                transport.close()
            stranger = http.client.HTTPSConnection(running.address, context=ssl.create_default_context())
            with pytest.raises(ssl.SSLError):
                stranger.request("GET", "/")
            stranger.close()


def test_compressed_requests_are_declined(web: GatewayThread) -> None:
    path, body = f"/{SERVICE}/GetServerInfo", gzip.compress(b"{}")
    answer = ask(web, "POST", path, body, content_type="application/json", content_encoding="gzip")
    assert (answer.status, json.loads(answer.body)["code"]) == (501, "unimplemented")


def open_document(transport: Transport) -> str:
    layout = np.zeros(PHOTO.shape[:2], np.uint8)
    layers = [raw_layer(v1.LAYER_KIND_PHOTO, PHOTO), raw_layer(v1.LAYER_KIND_LABEL_MAP, layout)]
    return str(transport.call("OpenDocument", v1.OpenDocumentRequest(layers=layers)).document_id)


def render_request(document: str) -> v1.RenderRequest:
    tile = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((16, 16), 1, np.uint8), 24, 24)
    return v1.RenderRequest(document_id=document, edit=v1.Edit(label_map=tile))

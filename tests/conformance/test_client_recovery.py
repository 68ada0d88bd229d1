"""The client library when things go wrong: nobody answers, servers are restarted, forget, are busy; nothing is lost."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge import AsyncClient, Box, Client, Document, Edit, Picture, RemoteError, Result
from layoutbrush.plugin_bridge.api import EditOptions
from layoutbrush.plugin_bridge.commands.files import Problem
from layoutbrush.plugin_bridge.commands.rendering import ServerChoice, connected
from layoutbrush.plugin_bridge.connection import diagnose
from layoutbrush.plugin_bridge.requests import EditRequest
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend
from layoutbrush.runtime.tls import Tls

PHOTO = np.random.default_rng(15).integers(0, 256, (80, 100, 3), dtype=np.uint8)
PICTURE = Picture(PHOTO.tobytes(), 100, 80, x=5, y=-3)
LAYOUT = np.zeros((80, 100), np.uint8)
BOXES = (Box("sky", 0, 0, 64, 30),)


def gray(values: np.ndarray, x: int = 5, y: int = -3) -> Picture:
    return Picture.gray(values.tobytes(), values.shape[1], values.shape[0], x, y)


def tile(label: int, x: int, y: int) -> Picture:
    return gray(np.full((8, 8), label, np.uint8), x + 5, y - 3)


@contextmanager
def silent_port() -> Iterator[str]:
    """Something that listens and says nothing a server would say."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def check(address: str, **options: object) -> str:
    """What the connection test says of a server that can't be used."""
    with Client(address, timeout=5.0, **options) as client, pytest.raises(RemoteError) as failed:  # type: ignore[arg-type]
        client.check()
    assert "\n" not in str(failed.value)
    return str(failed.value)


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[ServerThread, bytes]]:
    """A server with TLS for the name localhost, and the authority to trust."""
    trustme = pytest.importorskip("trustme", reason="trustme isn't installed")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    options = ServerOptions(port=0, tls=Tls.of(str(certificate), str(key)))
    with ServerThread(scripted_backend(), options) as server:
        yield server, authority.cert_pem.bytes()


def test_each_way_not_to_be_connected_has_its_sentence(server: ServerThread) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed_port = taken.getsockname()[1]
    assert "Nothing listens" in check(f"127.0.0.1:{closed_port}")
    assert "no machine called" in check("no-such-machine.invalid:50051")
    assert "no address" in diagnose("127.0.0.1", False)
    with silent_port() as address:
        assert "no Layoutbrush server" in check(address)
    assert "not encrypted" in check(server.address, tls=True)


def test_encryption_on_one_side_only(encrypted: tuple[ServerThread, bytes]) -> None:
    server, roots = encrypted
    port = server.address.rpartition(":")[2]
    assert "is encrypted; connect to it with TLS" in check(server.address)
    assert "isn't trusted" in check(f"localhost:{port}", tls=True)
    assert "another name" in check(server.address, tls=roots)
    assert "can't be read" in diagnose(f"localhost:{port}", b"no certificate")
    with Client(f"localhost:{port}", tls=roots) as client:
        assert "scripted" in client.check()


async def test_the_same_in_asyncio(encrypted: tuple[ServerThread, bytes]) -> None:
    server, roots = encrypted
    port = server.address.rpartition(":")[2]
    async with AsyncClient(f"localhost:{port}", tls=roots) as client:
        assert "scripted" in await client.check(needs=["polling"])
    async with AsyncClient(server.address, timeout=5.0) as client:
        with pytest.raises(RemoteError, match="with TLS"):
            await client.check()


def test_a_server_without_what_the_plugin_needs(server: ServerThread) -> None:
    with Client(server.address) as client:
        assert client.check(needs=["segmentation", "polling"])
        with pytest.raises(RemoteError, match="too old for this plugin: it lacks teleportation"):
            client.check(needs=["polling", "teleportation"])


def paint_twice(document: Document) -> int:
    """A whole map, then a tile on it; returns the revision."""
    whole = LAYOUT.copy()
    whole[:20] = 2
    first = document.edit(gray(whole))
    first.result()
    second = document.edit(tiles=[tile(3, 40, 40)], base_revision=first.revision)
    second.result()
    return second.revision


def expected() -> np.ndarray:
    painted = LAYOUT.copy()
    painted[:20], painted[40:48, 40:48], painted[60:68, 60:68] = 2, 3, 4
    return painted


@pytest.mark.parametrize("as_file", [False, True])
def test_a_restarted_server_is_told_all_that_was_painted(as_file: bool) -> None:
    port = 0
    editor = ScriptedEditor()
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as first:
        port = int(first.address.rpartition(":")[2])
        client = Client(first.address)
        photo = png(PHOTO) if as_file else PICTURE
        document = client.open(photo, gray(LAYOUT) if not as_file else gray(LAYOUT, 0, 0))
        if as_file:  # without bounds, on the side of the client
            whole = LAYOUT.copy()
            whole[:20] = 2
            edit = document.edit(png(whole))
            edit.result()
            revision = edit.revision
            document.edit(tiles=[gray(np.full((8, 8), 3, np.uint8), 40, 40)], base_revision=revision).result()
            revision += 1
        else:
            revision = paint_twice(document)
    editor = ScriptedEditor()
    with ServerThread(scripted_backend(editor), ServerOptions(port=port)):
        last = tile(4, 60, 60) if not as_file else gray(np.full((8, 8), 4, np.uint8), 60, 60)
        told = until_answered(lambda: document.edit(tiles=[last], base_revision=revision))
        assert np.array_equal(editor.requests[-1].edited, expected())
        document.edit(tiles=[last], base_revision=told).result()  # the numbers of the new server are known now
        assert np.array_equal(editor.requests[-1].edited, expected())
    client.close()


def until_answered(make: Callable[[], Edit], seconds: float = 10.0) -> int:
    """The revision of an edit that is made until the restarted server answers; no other error is let pass."""
    end = time.monotonic() + seconds
    while True:
        edit = make()
        try:
            assert isinstance(edit.result(), Result)
        except RemoteError as error:
            if not error.lost or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return edit.revision


def png(values: np.ndarray) -> Picture:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return Picture.file(file.getvalue())


def test_a_document_made_room_for_another_and_comes_back(server: ServerThread, editor: ScriptedEditor) -> None:
    with Client(server.address) as client:
        document = client.open(PICTURE, gray(LAYOUT))
        revision = paint_twice(document)
        assert server.running is not None
        store = server.running.core.store
        store.discard(document.id)
        document.edit(tiles=[tile(4, 60, 60)], base_revision=revision).result()
        assert np.array_equal(editor.requests[-1].edited, expected())
        store.discard(document.id)
        assert document.segment(store=True).shape == (80, 100, 1)
        store.discard(document.id)
        document.put(v1.LAYER_KIND_MASK, gray(np.full((80, 100), 255, np.uint8)))
        document.edit().result()
        assert set(np.unique(editor.requests[-1].edited)) == {0, 3}  # the label map that was stored came along


def test_threads_open_a_forgotten_document_once(server: ServerThread) -> None:
    with Client(server.address) as client:
        document = client.open(PICTURE, gray(LAYOUT))
        assert server.running is not None
        store = server.running.core.store
        store.discard(document.id)
        results: list[Result] = []
        edited = LAYOUT.copy()
        edited[5:20, 5:20] = 1
        work = [threading.Thread(target=lambda: results.append(document.edit(gray(edited)).result())) for _ in range(4)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join(30.0)
        assert (len(results), len(store)) == (4, 1)


def test_a_server_that_goes_away_in_the_middle_is_said_in_words() -> None:
    editor = ScriptedEditor(hold=threading.Event())
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as server:
        client = Client(server.address)
        edit = client.open(PICTURE, gray(LAYOUT)).edit(tiles=[tile(1, 10, 10)])
        events = iter(edit)
        next(events)
        assert server.running is not None
        server.drain(0.0)
        with pytest.raises(RemoteError) as gone:
            list(events)
    assert gone.value.lost
    assert "went away in the middle" in str(gone.value)
    client.close()


def busy_server() -> ServerThread:
    editor = ScriptedEditor(hold=threading.Event())
    return ServerThread(scripted_backend(editor), ServerOptions(port=0, limits=Limits(max_waiting=0)))


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_waiting_for_a_busy_server_can_be_ended(how: str) -> None:
    with busy_server() as server, Client(server.address, retries=1000) as client:
        document = client.open(PICTURE, gray(LAYOUT))
        holding = iter(document.edit(tiles=[tile(1, 10, 10)]))
        next(holding)
        edit = document.edit(tiles=[tile(2, 30, 30)])
        threading.Timer(0.3, edit.cancel if how == "cancel" else client.close).start()
        with pytest.raises(RemoteError) as ended:
            edit.result()
        assert ended.value.code is grpc.StatusCode.CANCELLED
        holding.close()  # type: ignore[attr-defined]


def test_retries_are_bounded() -> None:
    with busy_server() as server, Client(server.address, retries=2) as client:
        document = client.open(PICTURE, gray(LAYOUT))
        holding = iter(document.edit(tiles=[tile(1, 10, 10)]))
        next(holding)
        with pytest.raises(RemoteError) as refused:
            document.edit(tiles=[tile(2, 30, 30)]).result()
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        holding.close()  # type: ignore[attr-defined]


async def test_asynchronous_waiting_can_be_ended() -> None:
    with busy_server() as server:
        async with AsyncClient(server.address, retries=1000) as client:
            document = await client.open(PICTURE, gray(LAYOUT))
            holding = document.edit(tiles=[tile(1, 10, 10)])
            events = holding.__aiter__()
            await anext(events)
            edit = document.edit(tiles=[tile(2, 30, 30)])
            asyncio.get_running_loop().call_later(0.3, edit.cancel)
            with pytest.raises(RemoteError) as ended:
                await edit.result()
            assert ended.value.code is grpc.StatusCode.CANCELLED
            holding.cancel()
            with pytest.raises(RemoteError):
                await anext(events)


def test_a_closed_client_says_so_whatever_it_is_asked(server: ServerThread) -> None:
    client = Client(server.address)
    document = client.open(PICTURE, gray(LAYOUT))
    client.close()
    for ask in (
        client.info,
        document.edit(tiles=[tile(1, 10, 10)]).result,
        document.segment,
        client.draft(BOXES, 64, 64).drafts,
        lambda: client.fetch_reference("red.png"),
    ):
        with pytest.raises(RemoteError, match="closed") as refused:
            ask()
        assert refused.value.code is grpc.StatusCode.CANCELLED


async def test_a_closed_asynchronous_client_says_so_too(server: ServerThread) -> None:
    client = AsyncClient(server.address)
    document = await client.open(PICTURE, gray(LAYOUT))
    await client.close()
    for ask in (
        client.info,
        document.edit(tiles=[tile(1, 10, 10)]).result,
        document.segment,
        client.draft(BOXES, 64, 64).drafts,
        lambda: client.fetch_reference("red.png"),
    ):
        with pytest.raises(RemoteError, match="closed") as refused:
            await ask()
        assert refused.value.code is grpc.StatusCode.CANCELLED


def test_options_of_an_edit_are_the_fields_of_its_request() -> None:
    assert {field.name for field in fields(EditRequest)} == {"label_map", *EditOptions.__annotations__}


def test_commands_call_a_server_over_tls(
    encrypted: tuple[ServerThread, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, roots = encrypted
    choice = ServerChoice(f"localhost:{server.address.rpartition(':')[2]}")
    (tmp_path / "roots.pem").write_bytes(roots)
    monkeypatch.setenv("LAYOUTBRUSH_TLS_ROOTS", str(tmp_path / "roots.pem"))
    with connected(choice) as client:
        assert "scripted" in client.check()
    monkeypatch.setenv("LAYOUTBRUSH_TLS_ROOTS", str(tmp_path / "nothing.pem"))
    with pytest.raises(Problem, match="LAYOUTBRUSH_TLS_ROOTS"), connected(choice):
        pass

"""The client library, sync and async, against a server."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge import (
    AsyncClient,
    Client,
    Document,
    Picture,
    Preview,
    Progress,
    Queued,
    Reference,
    RemoteError,
    Result,
    Source,
)
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

PHOTO = np.random.default_rng(5).integers(0, 256, (90, 110, 3), dtype=np.uint8)
LAYOUT = np.zeros((90, 110), np.uint8)
EDITED = LAYOUT.copy()
EDITED[30:50, 40:80] = 2
PICTURE = Picture(PHOTO.tobytes(), 110, 90)


def gray(values: np.ndarray, x: int = 0, y: int = 0) -> Picture:
    return Picture.gray(values.tobytes(), values.shape[1], values.shape[0], x, y)


@pytest.fixture
def client(server: ServerThread) -> Iterator[Client]:
    with Client(server.address) as connected:
        yield connected


@pytest.fixture
def document(client: Client) -> Iterator[Document]:
    with client.open(PICTURE, gray(LAYOUT)) as opened:
        yield opened


def test_check_is_readable(client: Client) -> None:
    assert client.check().startswith("Layoutbrush ")
    assert "scripted" in client.check()


def test_no_server_is_said_in_words() -> None:
    with Client("127.0.0.1:1", timeout=5.0) as client, pytest.raises(RemoteError) as gone:
        client.check()
    assert gone.value.code is grpc.StatusCode.UNAVAILABLE
    assert "layoutbrush serve" in str(gone.value)


def test_events_and_result(document: Document) -> None:
    edit = document.edit(gray(EDITED), seed=40, grow=0.0, previews=("warped", "coarse"))
    events = list(edit)
    assert isinstance(events[0], Queued)
    assert [event.kind for event in events if isinstance(event, Preview)] == ["warped", "coarse"]
    assert any(isinstance(event, Progress) for event in events)
    result = events[-1]
    assert isinstance(result, Result)
    assert (result.picture.x, result.picture.y, result.picture.shape) == (40, 30, (20, 40, 3))
    assert set(result.picture.data) == {40}
    assert result.mask.shape == (20, 40, 1)
    assert result.timings["total"] == 2.0
    assert edit.revision == 1


def test_files_and_tiles_and_masks(client: Client, editor: ScriptedEditor) -> None:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    with client.open(
        Picture.file(file.getvalue()), gray(LAYOUT), exclude=gray(np.full((3, 3), 255, np.uint8))
    ) as document:
        edit = document.edit(tiles=[gray(np.full((4, 4), 7, np.uint8), 10, 10)])
        edit.result()
        document.edit(
            tiles=[gray(np.full((4, 4), 8, np.uint8), 20, 20)],
            base_revision=edit.revision,
            mask=gray(np.full((90, 110), 255, np.uint8)),
            bound=True,
        ).result()
    sent = editor.requests[-1]
    assert set(np.unique(sent.edited)) == {0, 7, 8}
    assert sent.mask_use == "bound"
    assert sent.exclude is not None
    assert sent.exclude.sum() == 9


def test_large_layers_go_up_in_parts(client: Client, editor: ScriptedEditor) -> None:
    side = 2048  # 12 MiB of colours; label maps and masks travel as PNG
    photo = np.random.default_rng(6).integers(0, 256, (side, side, 3), dtype=np.uint8)
    edited = np.zeros((side, side), np.uint8)
    edited[100:900, 300:1500] = np.random.default_rng(7).integers(0, 15, (800, 1200))
    with client.open(Picture(photo.tobytes(), side, side), gray(np.zeros((side, side), np.uint8))) as document:
        result = document.edit(gray(edited), seed=3, mask=gray((edited > 0).astype(np.uint8) * 255)).result()
        assert document.segment(store=True).shape == (side, side, 1)
    assert np.array_equal(editor.requests[-1].edited, edited)
    got = np.frombuffer(result.picture.data, np.uint8).reshape(result.picture.shape)
    mask = np.frombuffer(result.mask.data, np.uint8).reshape(result.mask.shape)[:, :, 0]
    top, left = result.picture.y, result.picture.x
    under = photo[top : top + got.shape[0], left : left + got.shape[1]]
    assert np.array_equal(got[mask == 0], under[mask == 0])
    assert (got[mask == 255] == 3).all()


def test_refusals_name_field_and_reason(document: Document) -> None:
    wrong = EDITED.copy()
    wrong[0, 0] = 99
    with pytest.raises(RemoteError) as refused:
        document.edit(gray(wrong)).result()
    assert (refused.value.code, refused.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, "edit.label_map.data")
    assert refused.value.reason == "UNKNOWN_LABEL"
    assert document.edit(gray(EDITED)).result()


def test_put_replaces_a_layer(document: Document, editor: ScriptedEditor) -> None:
    document.put(v1.LAYER_KIND_LABEL_MAP, gray(np.full((90, 110), 4, np.uint8)))
    document.edit(tiles=[gray(np.full((4, 4), 7, np.uint8), 10, 10)]).result()
    assert set(np.unique(editor.requests[-1].edited)) == {4, 7}


def test_sources_travel(client: Client) -> None:
    reference = Reference("dusk", PICTURE, gray(np.full((90, 110), 2, np.uint8)))
    with client.open(PICTURE, gray(LAYOUT), references=[reference]) as document:
        assert document.edit(gray(EDITED), sources=[Source(label=2, reference="dusk")]).result()
        with pytest.raises(RemoteError) as lacking:
            document.edit(gray(EDITED), sources=[Source(label=3, reference="dusk")]).result()
        assert lacking.value.field == "edit.sources[0].reference_id"


def test_forgotten_documents_are_opened_again(client: Client, document: Document, server: ServerThread) -> None:
    assert server.running is not None
    server.running.core.store.discard(document.id)
    before = document.id
    assert isinstance(document.edit(gray(EDITED)).result(), Result)
    assert document.id != before


def test_cancel_from_another_thread(document: Document, editor: ScriptedEditor) -> None:
    editor.hold = threading.Event()
    edit = document.edit(gray(EDITED))
    threading.Timer(0.1, edit.cancel).start()
    with pytest.raises(RemoteError) as ended:
        edit.result()
    assert ended.value.code is grpc.StatusCode.CANCELLED
    editor.hold.set()


def test_busy_servers_are_asked_again() -> None:
    editor = ScriptedEditor(step_seconds=0.05)
    options = ServerOptions(port=0, limits=Limits(max_waiting=0))
    with ServerThread(scripted_backend(editor), options) as server, Client(server.address, retries=20) as client:
        document = client.open(PICTURE, gray(LAYOUT))
        results: list[Result] = []
        threads = [threading.Thread(target=lambda: results.append(document.edit(gray(EDITED)).result())) for _ in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
        assert len(results) == 2


def test_token() -> None:
    options = ServerOptions(port=0, token="swordfish")
    with ServerThread(options=options) as server:
        for token in ("", "herring"):
            with Client(server.address, token=token) as client, pytest.raises(RemoteError) as refused:
                client.check()
            assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED
        with Client(server.address, token="swordfish") as client:
            assert client.check()


async def test_asynchronous_client(server: ServerThread, editor: ScriptedEditor) -> None:
    async with AsyncClient(server.address) as client:
        assert "scripted" in await client.check()
        async with await client.open(PICTURE, gray(LAYOUT)) as document:
            events = [event async for event in document.edit(gray(EDITED), seed=8, previews=("warped",))]
            assert isinstance(events[-1], Result)
            assert (await document.segment()).shape == (90, 110, 1)
            await document.put(v1.LAYER_KIND_MASK, gray(np.full((90, 110), 255, np.uint8)))
            assert (await document.edit().result()).picture.shape == (90, 110, 3)
            assert server.running is not None
            server.running.core.store.discard(document.id)
            assert isinstance(await document.edit(gray(EDITED)).result(), Result)
            with pytest.raises(RemoteError) as refused:
                await document.edit(gray(EDITED, x=50)).result()
            assert refused.value.field == "edit.label_map.bounds"


async def test_asynchronous_cancel(server: ServerThread, editor: ScriptedEditor) -> None:
    editor.hold = threading.Event()
    async with AsyncClient(server.address) as client:
        document = await client.open(PICTURE, gray(LAYOUT))
        edit = document.edit(gray(EDITED))
        asyncio.get_running_loop().call_later(0.1, edit.cancel)
        with pytest.raises(RemoteError) as ended:
            await edit.result()
        assert ended.value.code is grpc.StatusCode.CANCELLED
        editor.hold.set()

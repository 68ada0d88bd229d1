"""Found references, over each way to a server, with both clients and the mock: what a plugin author may rely on."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge import AsyncClient, Client, MockClient, Picture, Reference, RemoteError
from layoutbrush.plugin_bridge.found import reference_id
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.finding import Describer, Library
from layoutbrush.runtime.testing import ServerThread, raw_layer, scripted_backend, small_library, until

SKY_ABOVE_GRASS = np.repeat(np.array([[0], [3]], np.uint8), 40, axis=0).repeat(120, axis=1)
GRASS_ABOVE_SKY = SKY_ABOVE_GRASS[::-1].copy()


def gray(values: np.ndarray) -> Picture:
    return Picture.gray(values.tobytes(), values.shape[1], values.shape[0])


def plain(color: tuple[int, int, int]) -> Picture:
    noise = np.random.default_rng(9).normal(color, 12, (80, 120, 3))
    return Picture(np.clip(noise, 0, 255).astype(np.uint8).tobytes(), 120, 80)


def test_photos_are_ranked_by_layout(stub: Any) -> None:
    scores = []
    for layout in (SKY_ABOVE_GRASS, GRASS_ABOVE_SKY):
        request = v1.FindReferencesRequest(label_map=raw_layer(v1.LAYER_KIND_LABEL_MAP, layout), count=3)
        answer = stub.FindReferences(request)
        assert (len(answer.references), answer.ranked, answer.pending) == (3, 4, 0)
        scores.append(answer.references[0].score)
    assert scores[0] > 0.95
    assert scores[1] < 0.5


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((200, 60, 50), "red.png"),
        ((60, 180, 70), "green.png"),
        ((50, 70, 190), "blue.jpg"),
        ((128,) * 3, "more/grey.png"),
    ],
)
def test_photos_are_ranked_by_what_a_picture_looks_like(
    server: ServerThread, color: tuple[int, int, int], name: str
) -> None:
    with Client(server.address) as client:
        best = client.find_references(picture=plain(color)).references[0]
    assert best.name == name
    shown = np.frombuffer(best.thumbnail.data, np.uint8).reshape(-1, 3).mean(0)
    np.testing.assert_allclose(shown, color, atol=6)


def test_a_found_photo_is_fetched_and_becomes_a_reference(server: ServerThread, library: Library) -> None:
    with Client(server.address) as client:
        assert client.info().capabilities.found_references
        found = client.find_references(gray(SKY_ABOVE_GRASS), plain((128,) * 3), count=1, png=True).references[0]
        assert Image.open(io.BytesIO(found.thumbnail.data)).size == (120, 128)
        reference = client.fetch_reference(found.name)
        assert reference.name == reference_id("more/grey.png") != "more/grey.png"
        pixels = np.frombuffer(reference.photo.data, np.uint8).reshape(reference.photo.shape)
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(library.folder / found.name)))
        assert reference.label_map is not None
        assert set(reference.label_map.data) == {0, 3}
        with client.open(plain((0, 0, 0)), references=[reference]) as document:
            assert document.segment(reference_id=reference.name).size == (found.width, found.height)
        small = client.fetch_reference(found.name, max_side=96)
        assert small.photo.size == (90, 96)


def test_large_photos_come_in_chunks(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (900, 1300, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "large.png")
    library = Library(folder, Describer(StandInEngine(), STAND_IN_MANIFEST), tmp_path / "index")
    for _ in library.update():
        pass
    with ServerThread(scripted_backend(library=library)) as server, Client(server.address) as client:
        fetched = client.fetch_reference("large.png").photo
        assert fetched.data == pixels.tobytes()
        with grpc.insecure_channel(server.address) as channel:
            stub = v1.LayoutbrushServiceStub(channel)
            events = list(stub.FetchReference(v1.FetchReferenceRequest(name="large.png")))
    assert max(event.ByteSize() for event in events) < 4 << 20
    assert [e.WhichOneof("event") for e in events if e.HasField("photo") or e.HasField("label_map")] == [
        "photo",
        "label_map",
    ]


def test_the_asyncio_client_does_the_same(server: ServerThread) -> None:
    async def run() -> tuple[Any, Any]:
        async with AsyncClient(server.address) as client:
            found = await client.find_references(picture=plain((50, 70, 190)), count=2)
            return found, await client.fetch_reference(found.references[0].name)

    with Client(server.address) as client:
        expected = client.find_references(picture=plain((50, 70, 190)), count=2)
    found, reference = asyncio.run(run())
    assert found == expected
    assert reference.name == "blue.jpg"


def test_a_server_without_a_folder_says_so() -> None:
    with ServerThread(scripted_backend()) as server, Client(server.address) as client:
        assert not client.info().capabilities.found_references
        for call in (lambda: client.find_references(gray(SKY_ABOVE_GRASS)), lambda: client.fetch_reference("a.png")):
            with pytest.raises(RemoteError, match="folder") as refused:
                call()
            assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


def test_a_photo_that_waits_is_looked_at_while_the_server_is_idle(tmp_path: Path) -> None:
    library = small_library(tmp_path)
    Image.fromarray(np.full((70, 70, 3), 250, np.uint8)).save(library.folder / "white.png")
    library.refresh()
    assert library.pending == 1
    with ServerThread(scripted_backend(library=library)) as server, Client(server.address) as client:
        until(lambda: library.pending == 0)
        found = client.find_references(gray(SKY_ABOVE_GRASS))
    assert (found.ranked, found.pending) == (5, 0)


def test_the_mock_finds_among_its_own_photos() -> None:
    references = [
        Reference("night", plain((20, 20, 40)), gray(GRASS_ABOVE_SKY)),
        Reference("day", plain((180, 200, 240)), gray(SKY_ABOVE_GRASS)),
    ]
    client = MockClient(photos=references)
    assert client.info().capabilities.found_references
    assert not MockClient().info().capabilities.found_references
    assert [item.name for item in client.find_references(gray(SKY_ABOVE_GRASS)).references] == ["day", "night"]
    assert client.find_references(picture=plain((0, 0, 0)), count=1).references[0].name == "night"
    assert client.fetch_reference("day") is references[1]
    with pytest.raises(RemoteError) as refused:
        client.fetch_reference("../day")
    assert refused.value.reason == "REFERENCE_NOT_FOUND"
    assert [call.name for call in client.calls] == ["find", "find", "fetch", "fetch"]


def test_names_become_ids_that_differ() -> None:
    names = ["a b.jpg", "a_b.jpg", "sub/a.jpg", "sub_a.jpg", "x" * 100, "x" * 101, "Höhe.png"]
    ids = [reference_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(0 < len(item) <= 64 for item in ids)

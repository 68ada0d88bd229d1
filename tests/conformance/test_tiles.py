"""Results in tiles: asked for, joined in any order, ended early, sent again; and as ever for who doesn't ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.plugin_bridge import Client, Document, MockClient, Picture, RemoteError, Result, Tile
from layoutbrush.plugin_bridge.conformance.scripted_server import Script, ScriptedServer
from layoutbrush.plugin_bridge.events import Assembler
from layoutbrush.plugin_bridge.tiles import joined
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, until

SHAPE = (700, 1300)
PHOTO = np.random.default_rng(7).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
LAYOUT = np.zeros(SHAPE, np.uint8)
EDITED = LAYOUT.copy()
EDITED[20:690, 100:1250] = 2


def picture(values: np.ndarray) -> Picture:
    return Picture(values.tobytes(), values.shape[1], values.shape[0], "RGB" if values.ndim == 3 else "GRAY")


@pytest.fixture
def document(server: ServerThread) -> Iterator[Document]:
    with Client(server.address) as client, client.open(picture(PHOTO), picture(LAYOUT)) as opened:
        yield opened


@pytest.mark.parametrize("channels", ["RGB", "BGRA"])
def test_tiles_make_the_whole_result(document: Document, channels: str) -> None:
    whole = document.edit(picture(EDITED), seed=3, channels=channels).result()
    events = list(document.edit(picture(EDITED), seed=3, channels=channels, stream_tiles=True))
    tiles = [event for event in events if isinstance(event, Tile)]
    assert len(tiles) == 6
    assert events.index(tiles[-1]) < len(events) - 1
    assert isinstance(events[-1], Result)
    assert (events[-1].picture, events[-1].mask) == (whole.picture, whole.mask)
    assert {(tile.mask.x, tile.mask.y) for tile in tiles} == {(tile.picture.x, tile.picture.y) for tile in tiles}


def test_each_tile_is_one_message(server: ServerThread, document: Document) -> None:
    with Client(server.address) as client:
        options = v1.RenderOptions(tiles=True, channel_order=v1.CHANNEL_ORDER_RGBA)
        layer = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, EDITED)
        request = v1.RenderRequest(document_id=document.id, edit=v1.Edit(label_map=layer), options=options)
        for response in client.stream("Render", request, None):
            assert response.ByteSize() < 2 << 20
            assert not response.HasField("chunk")
            if response.HasField("result"):
                assert response.result.layer.data_size == response.result.mask.data_size == 0
                assert response.result.layer.bounds == response.result.mask.bounds


def test_tiles_travel_by_polling_too(server: ServerThread, document: Document) -> None:
    layer = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, EDITED)
    request = v1.RenderRequest(
        document_id=document.id, edit=v1.Edit(label_map=layer), options=v1.RenderOptions(seed=3, tiles=True)
    )
    assembler, after, found = Assembler(), 0, []
    with Client(server.address) as client:
        stub = v1.LayoutbrushServiceStub(client._channel)
        started = stub.StartRender(v1.StartRenderRequest(render=request))
        finished = False
        while not finished:
            answer = stub.PollRender(v1.PollRenderRequest(render_id=started.render_id, after=after, wait_ms=2000))
            for event in answer.events:
                found += [done for done in assembler.feed(event) if isinstance(done, Result)]
            after, finished = answer.next, answer.finished
    assert found[0].picture == document.edit(picture(EDITED), seed=3).result().picture


def test_any_order_joins_and_gaps_are_noticed() -> None:
    values = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    layer = raw_layer(v1.LAYER_KIND_PHOTO, values, -5, 9)
    places = [(0, 0, 3, 2), (3, 0, 3, 2), (0, 2, 1, 2), (1, 2, 5, 2)]
    parts = [
        Picture(values[y : y + height, x : x + width].tobytes(), width, height, x=x - 5, y=y + 9)
        for x, y, width, height in places
    ]
    for order in permutations(parts):
        assert joined(layer, order).data == values.tobytes()
    outside = Picture(parts[0].data, 3, 2, x=-6, y=9)
    for wrong in (parts[1:], [*parts, parts[0]], [outside, *parts[1:]]):
        with pytest.raises(RemoteError):
            joined(layer, wrong)


def test_cancelling_between_tiles_ends_the_work(document: Document, editor: ScriptedEditor) -> None:
    editor.hold, editor.free = threading.Event(), editor.steps + 1  # the first tile comes, the second one doesn't
    edit = document.edit(picture(EDITED), stream_tiles=True)
    events = iter(edit)
    while not isinstance(next(events), Tile):
        pass
    edit.cancel()
    with pytest.raises(RemoteError):
        list(events)
    until(lambda: editor.cancelled == 1)
    editor.hold.set()
    assert document.edit(picture(EDITED)).result().mask.data
    assert (editor.started, editor.finished) == (2, 1)


def test_a_forgotten_document_is_opened_again_for_tiles() -> None:
    with ScriptedServer(Script(forgets=1)) as server, Client(server.address) as client:
        with client.open(picture(PHOTO[:200, :300]), picture(LAYOUT[:200, :300])) as document:
            events = list(document.edit(picture(EDITED[:200, :300]), stream_tiles=True))
            whole = document.edit(picture(EDITED[:200, :300])).result()
        assert isinstance(events[-1], Result)
        assert sum(isinstance(event, Tile) for event in events) > 1
        assert events[-1].picture == whole.picture
        assert len(server.calls("OpenDocument")) == 2
        assert not server.complaints


def test_a_server_without_tiles_answers_whole(document: Document, editor: ScriptedEditor) -> None:
    """An older server passes over the option."""
    response = v1.RenderResponse(
        result=v1.Result(
            layer=raw_layer(v1.LAYER_KIND_PHOTO, PHOTO[:2, :2]), mask=raw_layer(v1.LAYER_KIND_MASK, LAYOUT[:2, :2])
        )
    )
    response.result.layer.data_size, response.result.mask.data_size = 12, 4
    (result,) = Assembler().feed(response)
    assert isinstance(result, Result)
    assert result.picture.data == PHOTO[:2, :2].tobytes()


def test_tiles_of_the_mock_make_its_result() -> None:
    with MockClient().open(picture(PHOTO[:20, :20]), picture(LAYOUT[:20, :20])) as document:
        edited = LAYOUT[:20, :20].copy()
        edited[3:9, 5:12] = 2
        events = list(document.edit(picture(edited), stream_tiles=True))
    tiles = [event for event in events if isinstance(event, Tile)]
    assert b"".join(tile.picture.data for tile in reversed(tiles)) == events[-1].picture.data  # type: ignore[union-attr]


def test_tiles_and_png_are_refused_by_the_client(document: Document) -> None:
    with pytest.raises(ValueError, match="raw"):
        document.edit(picture(EDITED), stream_tiles=True, png=True).result()

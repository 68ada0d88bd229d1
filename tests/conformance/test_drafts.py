"""Drafts from boxes, over each way to a server and with both clients: what a plugin author may rely on."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.plugin_bridge import AsyncClient, Box, Client, Draft, Picture, Progress, Queued, RemoteError
from layoutbrush.runtime.drafts import open_drafter
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS
from layoutbrush.runtime.server import ServerOptions, open_backend
from layoutbrush.runtime.testing import ScriptedDrafter, ServerThread, scripted_backend, until

UNKNOWN = 255
BOXES = (
    Box("sky", 0, 0, 120, 40, look=11),
    Box("grass", 0, 40, 120, 40, look=12),
    Box("tree", 15, 20, 30, 50, look=13),
    Box("car", 75, 50, 30, 20, look=14),
)


def request(boxes: Sequence[Box] = BOXES, **values: Any) -> v1.GenerateDraftsRequest:
    return v1.GenerateDraftsRequest(
        extent=v1.Extent(width=120, height=80), boxes=[box.message() for box in boxes], **values
    )


def pixels(picture: Picture) -> np.ndarray:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.shape)


def draw(server: ServerThread, boxes: Sequence[Box] = BOXES, **options: Any) -> list[Draft]:
    with Client(server.address) as client:
        return client.draft(boxes, 120, 80, **options).drafts()


def test_each_draft_comes_as_it_is_done(stub: Any) -> None:
    responses = list(stub.GenerateDrafts(request(count=3)))
    kinds = [str(response.WhichOneof("event")) for response in responses]
    assert kinds == ["queued", "progress", *["draft", "progress"] * 3]
    assert [response.draft.index for response in responses if response.HasField("draft")] == [0, 1, 2]
    done = [response.progress.done for response in responses if response.HasField("progress")]
    assert done == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert {response.progress.stage for response in responses if response.HasField("progress")} == {"draft"}
    picture = responses[2].draft.picture
    assert (picture.bounds.width, picture.bounds.height, len(picture.data)) == (64, 64, 64 * 64 * 3)


def test_boxes_at_the_extent_of_the_label_map(server: ServerThread) -> None:
    (draft,) = draw(server, layout_size=(600, 240))
    assert draft.label_map is not None
    labels = pixels(draft.label_map)[..., 0]
    wanted = np.zeros((240, 600), np.uint8)
    wanted[120:] = 3
    wanted[60:210, 75:225] = 1
    wanted[150:210, 375:525] = 8
    np.testing.assert_array_equal(labels, wanted)
    (draft,) = draw(server, BOXES[2:])
    assert draft.label_map is not None
    assert pixels(draft.label_map).shape == (64, 64, 1)
    assert set(np.unique(pixels(draft.label_map))) == {1, 8, UNKNOWN}


def test_the_seed_and_the_number_decide_and_nothing_else_does(server: ServerThread) -> None:
    eight = draw(server, count=8, seed=5)
    assert [draft.picture.data for draft in draw(server, count=3, seed=5)] == [d.picture.data for d in eight[:3]]
    assert len({draft.picture.data for draft in eight}) == 8
    assert draw(server, seed=6)[0].picture.data != eight[0].picture.data


def test_a_moved_box_leaves_all_others_as_they_were(server: ServerThread) -> None:
    moved = [*BOXES[:3], dataclasses.replace(BOXES[3], x=50)]
    for before, after in zip(draw(server, count=4), draw(server, moved, count=4), strict=True):
        old, new = pixels(before.picture), pixels(after.picture)
        rows, was, is_ = slice(40, 56), slice(40, 56), slice(27, 43)  # in 64ths of the extent
        np.testing.assert_array_equal(new[rows, is_], old[rows, was])  # it looks the same there
        same = np.ones((64, 64), bool)
        same[rows, 27:56] = False
        np.testing.assert_array_equal(new[same], old[same])


def test_drafts_that_follow_others(server: ServerThread) -> None:
    moved = [*BOXES[:3], dataclasses.replace(BOXES[3], x=50)]
    old, new = draw(server, count=3), draw(server, moved, count=3, before=[BOXES])
    assert [draft.picture for draft in new] == [draft.picture for draft in draw(server, moved, count=3)]  # the stand-in
    assert all(a.picture != b.picture for a, b in zip(old, new, strict=True))
    with pytest.raises(RemoteError) as refused:
        draw(server, moved, before=[BOXES, [Box("unicorn", 0, 0, 1, 1)]])
    assert refused.value.field == "before[1].boxes[0].label"


def test_order_changes_who_is_in_front_not_how_they_look(server: ServerThread) -> None:
    (front,), (behind,) = draw(server), draw(server, [BOXES[2], BOXES[0], BOXES[1], BOXES[3]])
    trunk = (slice(20, 50), slice(10, 22))
    assert (pixels(front.picture)[trunk] != pixels(behind.picture)[trunk]).any()
    assert pixels(front.picture)[2, 60].tolist() == pixels(behind.picture)[2, 60].tolist()  # the sky


def test_drafts_of_a_bundle_with_other_labels_fit_the_one_that_edits() -> None:
    """Ids are looked up by name: 254 kinds of things may be drawn, those that the editing bundle knows are painted."""
    drafter = open_drafter("stand-in")
    labels = tuple(label for label in STAND_IN_LABELS if label.name != "car")
    backend = dataclasses.replace(scripted_backend(drafter=drafter), labels=labels)
    with ServerThread(backend, ServerOptions(port=0)) as server:
        (draft,) = draw(server)
    assert draft.label_map is not None
    assert set(np.unique(pixels(draft.label_map))) == {0, 1, 3, UNKNOWN}


def test_the_async_client_gets_the_same(server: ServerThread) -> None:
    async def work() -> tuple[list[Any], list[Draft]]:
        async with AsyncClient(server.address) as client:
            events = [event async for event in client.draft(BOXES, 120, 80, count=2, png=True)]
            return events, await client.draft(BOXES, 120, 80, count=2).drafts()

    events, drafts = asyncio.run(work())
    assert drafts == draw(server, count=2)
    assert isinstance(events[0], Queued)
    assert [event.index for event in events if isinstance(event, Draft)] == [0, 1]
    assert all(event.picture.data.startswith(b"\x89PNG") for event in events if isinstance(event, Draft))


def test_clients_cancel_and_wait_for_a_busy_server() -> None:
    drafter = ScriptedDrafter(hold=threading.Event())
    with ServerThread(scripted_backend(drafter=drafter), ServerOptions(port=0)) as server, Client(server.address) as c:
        drafting = c.draft(BOXES, 120, 80, count=3)

        def cancel_at_once() -> None:
            for event in drafting:
                if isinstance(event, Progress):
                    drafting.cancel()

        with pytest.raises(RemoteError) as ended:
            cancel_at_once()
        assert ended.value.code is grpc.StatusCode.CANCELLED
        assert str(ended.value) == "The drafts were cancelled."

        async def cancel() -> None:
            async with AsyncClient(server.address) as client:
                drafting = client.draft(BOXES, 120, 80)
                async for event in drafting:
                    if isinstance(event, Progress):
                        drafting.cancel()

        with pytest.raises(RemoteError) as ended:
            asyncio.run(cancel())
        assert ended.value.code is grpc.StatusCode.CANCELLED
        assert server.running is not None
        admission = server.running.core.admission
        until(lambda: admission.idle)  # the server knows that both have left
        drafter.hold.set()  # type: ignore[union-attr]
        assert len(c.draft(BOXES, 120, 80).drafts()) == 1
    assert drafter.finished == 1


def test_refusals_reach_the_client(server: ServerThread) -> None:
    with pytest.raises(RemoteError) as refused:
        draw(server, [BOXES[0], Box("unicorn", 0, 0, 3, 3)])
    assert (refused.value.field, refused.value.reason) == ("boxes[1].label", "UNKNOWN_LABEL")


@pytest.mark.parametrize(
    ("drafts", "code", "words"),
    [
        ("none", grpc.StatusCode.UNIMPLEMENTED, "makes no drafts"),
        ("drafts", grpc.StatusCode.FAILED_PRECONDITION, "bundle 'drafts'"),
    ],
)
def test_a_server_without_drafts_edits_all_the_same(
    drafts: str, code: grpc.StatusCode, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from layoutbrush.runtime import bundle as bundles
    from layoutbrush.runtime.drafts import opening

    monkeypatch.setattr(bundles, "SHIPPED", tmp_path)
    monkeypatch.setattr(opening, "STAND_IN", "")  # so that the stand-in brings no drafts of its own
    options = ServerOptions(port=0, bundle="stand-in", drafts=drafts)
    with ServerThread(open_backend(options), options) as server, Client(server.address) as client:
        info = client.info()
        assert (info.capabilities.drafts, list(info.draft_labels)) == (False, [])
        with pytest.raises(RemoteError) as refused:
            client.draft(BOXES, 120, 80).drafts()
        assert refused.value.code is code
        assert words in refused.value.message
        photo = Picture(bytes(64 * 64 * 3), 64, 64)
        with client.open(photo, Picture.gray(bytes(64 * 64), 64, 64)) as document:
            edited = Picture.gray(bytes([1]) * 64, 8, 8, 30, 30)
            assert document.edit(edited).result().picture.data

"""The mock of the client: right places and shapes, the same pixels each time, and every refusal."""

from __future__ import annotations

import threading

import grpc
import pytest

from layoutbrush import v1
from layoutbrush.plugin_bridge import (
    AbstractClient,
    Box,
    MockClient,
    Picture,
    Preview,
    Reference,
    RemoteError,
    Result,
    Source,
)

WIDTH, HEIGHT = 16, 12
RED, BLUE = (200, 30, 30), (20, 40, 180)


def photo(channels: str = "RGB") -> Picture:
    """Left half red, right half blue."""
    red, blue = (bytes(color) if channels == "RGB" else bytes((*color[::-1], 255)) for color in (RED, BLUE))
    row = red * (WIDTH // 2) + blue * (WIDTH // 2)
    return Picture(row * HEIGHT, WIDTH, HEIGHT, channels, x=100, y=50)


def labels(*rectangles: tuple[int, int, int, int, int]) -> Picture:
    """2 on the left, 4 on the right; then (label, x, y, width, height)."""
    ids = bytearray((b"\2" * (WIDTH // 2) + b"\4" * (WIDTH // 2)) * HEIGHT)
    for label, x, y, width, height in rectangles:
        for row in range(y, y + height):
            ids[row * WIDTH + x : row * WIDTH + x + width] = bytes([label]) * width
    return Picture.gray(bytes(ids), WIDTH, HEIGHT, 100, 50)


def edit(client: AbstractClient, **options: object) -> Result:
    with client.open(photo(), labels()) as document:
        return document.edit(labels((4, 2, 3, 4, 5)), **options).result()  # type: ignore[arg-type]


def test_result_lies_where_the_label_map_changed_and_has_its_colours() -> None:
    result = edit(MockClient())
    assert (result.picture.x, result.picture.y) == (102, 53)
    assert result.picture.shape == (5, 4, 3)
    assert result.mask.data == b"\xff" * 20
    pixels = [result.picture.data[i : i + 3] for i in range(0, 60, 3)]
    assert all(abs(value - blue) <= 4 for pixel in pixels for value, blue in zip(pixel, BLUE, strict=True))


def test_seeds_make_variants_and_nothing_else_does() -> None:
    assert edit(MockClient()) == edit(MockClient())
    assert edit(MockClient(), seed=1).picture.data != edit(MockClient(), seed=2).picture.data


def test_channels_masks_and_tiles() -> None:
    client = MockClient()
    mask = Picture.gray(b"\xff" * 4, 2, 2, 103, 54)
    result = edit(client, mask=mask, bound=True, channels="BGRA", previews=("warped",))
    assert result.picture.shape == (2, 2, 4)
    assert result.picture.data[3::4] == b"\xff" * 4
    document = client.open(photo("BGRA"), labels())
    first = document.edit(labels((4, 0, 0, 2, 2)))
    events = list(first)
    assert not any(isinstance(event, Preview) for event in events)
    second = document.edit(tiles=[Picture.gray(b"\4", 1, 1, 106, 60)], base_revision=first.revision).result()
    assert second.picture.shape == (11, 7, 3)
    assert second.mask.data.count(255) == 5
    with pytest.raises(RemoteError) as stale:
        document.edit(tiles=[mask], base_revision=77).result()
    assert stale.value.reason == "STALE_REVISION"


def test_segmentation_goes_by_colour() -> None:
    found = MockClient().open(photo()).segment()
    assert (found.x, found.y, found.shape) == (100, 50, (HEIGHT, WIDTH, 1))
    assert len(set(found.data)) == 2


def test_refusals_and_problems() -> None:
    busy = RemoteError(grpc.StatusCode.RESOURCE_EXHAUSTED, "The server is busy.", retry_after_s=1.0)
    client = MockClient(problems=[None, busy], capabilities=())
    with pytest.raises(RemoteError, match="busy"):
        edit(client)
    assert [call.name for call in client.calls] == ["open", "edit", "close"]
    document = client.open(photo(), labels())
    for wrong, field in ((labels((99, 0, 0, 1, 1)), "edit.label_map.data"), (labels(), "edit")):
        with pytest.raises(RemoteError) as refused:
            document.edit(wrong).result()
        assert refused.value.field == field
    with pytest.raises(RemoteError, match="polling"):
        client.check(needs=["polling"])
    with pytest.raises(ValueError, match="raw"):
        client.open(Picture.file(b"\x89PNG"))


def test_cancel_and_put() -> None:
    client = MockClient(hold=threading.Event())
    document = client.open(photo(), labels())
    document.put(v1.LAYER_KIND_LABEL_MAP, labels((5, 0, 0, 4, 4)))
    running = document.edit(labels())
    events = iter(running)
    next(events)
    running.cancel()
    with pytest.raises(RemoteError) as ended:
        list(events)
    assert ended.value.code is grpc.StatusCode.CANCELLED
    assert MockClient().check().startswith("Layoutbrush 0 with the bundle mock")


BOXES = (Box("sky", 0, 0, 80, 40), Box("tree", 20, 20, 10, 60), Box("road", 60, 60, 20, 20))


def test_sources_fill_with_the_references_colour_and_are_part_of_the_mask() -> None:
    green = Reference("r", Picture(bytes((10, 150, 10)) * 6, 3, 2), Picture.gray(b"\2\2\2\2\2\1", 3, 2))
    client = MockClient()
    with client.open(photo(), labels(), references=[green]) as document:
        result = document.edit(labels(), sources=[Source(label=2, reference="r")]).result()
        assert (result.picture.x, result.picture.width, result.picture.height) == (100, WIDTH // 2, HEIGHT)
        pixels = [result.picture.data[i : i + 3] for i in range(0, len(result.picture.data), 3)]
        assert all(abs(value - color) <= 4 for p in pixels for value, color in zip(p, (10, 150, 10), strict=True))
        region = Picture.gray(b"\xff" * 4, 2, 2, 112, 52)
        own = document.edit(labels(), sources=[Source(region=region, source_label=2)]).result()
        assert (own.picture.x, own.picture.y, own.picture.shape) == (112, 52, (2, 2, 3))
        assert abs(own.picture.data[0] - RED[0]) <= 4
        for source, field in (
            (Source(label=4, reference="r"), "edit.sources[0].reference_id"),
            (Source(label=2, reference="gone"), "edit.sources[0].reference_id"),
            (Source(region=Picture.gray(bytes(4), 2, 2, 112, 52), reference="r"), "edit.sources[0].region"),
        ):
            with pytest.raises(RemoteError) as refused:
                document.edit(labels(), sources=[source]).result()
            assert (refused.value.code, refused.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


def test_drafts_show_each_box_in_its_colour() -> None:
    client = MockClient()
    assert list(client.info().draft_labels)[:2] == ["sky", "tree"]
    first, second = client.draft(BOXES, 80, 80, count=2, layout_size=(8, 4)).drafts()
    assert first.label_map is not None
    assert [list(first.label_map.data[8 * row :][:8]) for row in range(4)] == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 0],
        [255, 255, 1, 255, 255, 255, 255, 255],
        [255, 255, 1, 255, 255, 255, 2, 2],
    ]
    assert first.picture.shape == (64, 64, 3)
    assert first.picture.data != second.picture.data
    assert client.draft(BOXES, 80, 80).drafts()[0].picture == first.picture
    assert [call.name for call in client.calls] == ["draft", "draft"]


def test_a_moved_box_of_a_draft_leaves_the_others_alone() -> None:
    moved = [*BOXES[:2], Box("road", 40, 60, 20, 20)]
    (old,), (new,) = (MockClient().draft(boxes, 80, 80, seed=3).drafts() for boxes in (BOXES, moved))
    assert new.picture.data[: 48 * 64 * 3] == old.picture.data[: 48 * 64 * 3]
    assert new.picture.data != old.picture.data


def test_drafts_are_refused_cancelled_and_lost() -> None:
    with pytest.raises(RemoteError) as refused:
        MockClient().draft([*BOXES, Box("unicorn", 0, 0, 1, 1)], 80, 80).drafts()
    assert (refused.value.field, refused.value.reason) == ("boxes[3].label", "UNKNOWN_LABEL")
    with pytest.raises(RemoteError, match="beyond"):
        MockClient().draft([Box("sky", 70, 0, 20, 20)], 80, 80).drafts()
    drafting = MockClient(hold=threading.Event()).draft(BOXES, 80, 80)
    drafting.cancel()
    with pytest.raises(RemoteError) as ended:
        drafting.drafts()
    assert ended.value.code is grpc.StatusCode.CANCELLED
    client = MockClient(problems=[RemoteError(grpc.StatusCode.UNAVAILABLE, "Nobody answers.")])
    with pytest.raises(RemoteError, match="Nobody"):
        client.draft(BOXES, 80, 80).drafts()

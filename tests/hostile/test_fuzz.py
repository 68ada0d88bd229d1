"""Random messages and random bytes: the server lives, answers with clean codes, and says nothing of itself."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layoutbrush import v1
from layoutbrush.runtime.testing import ServerThread, raw_layer, until

METHODS = ("GetServerInfo", "OpenDocument", "UploadLayer", "Segment", "Render", "CloseDocument", "GenerateDrafts")
CLEAN = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
}
SETTINGS = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
COORDINATES = st.one_of(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-70, 70))
SIDES = st.one_of(st.integers(0, (1 << 32) - 1), st.integers(0, 90), st.sampled_from([64, 70, 80, 8192, 16384, 16385]))
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
IDS = st.sampled_from(["", "r", "x" * 65, "ü"])
BOUNDS = st.builds(v1.Bounds, x=COORDINATES, y=COORDINATES, width=SIDES, height=SIDES)
FORMATS = st.builds(
    v1.PixelFormat,
    channel_order=st.integers(0, 8),
    data_type=st.integers(0, 7),
    plane_order=st.integers(0, 3),
    row_stride=st.one_of(st.just(0), st.integers(0, (1 << 32) - 1)),
)
DATA = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc0\x00\x11\x08", bytes(70 * 80), bytes(64 * 64 * 3)]),
)
LAYERS = st.builds(
    v1.Layer,
    kind=st.integers(0, 9),
    bounds=st.one_of(st.none(), BOUNDS),
    encoding=st.integers(0, 4),
    format=st.one_of(st.none(), FORMATS),
    data=DATA,
    data_size=st.one_of(st.just(0), st.integers(0, (1 << 64) - 1)),
    transfer_id=st.integers(0, 3),
    reference_id=IDS,
)
TARGETS = st.one_of(
    st.builds(v1.Source, label_id=st.integers(0, 300)), st.builds(v1.Source, region=LAYERS), st.builds(v1.Source)
)
ORIGINS = st.builds(
    v1.Source,
    reference_id=IDS,
    source_label_id=st.one_of(st.none(), st.integers(0, 300)),
    source_region=st.one_of(st.none(), LAYERS),
    place=st.one_of(st.none(), BOUNDS),
)


def merged(target: v1.Source, origin: v1.Source) -> v1.Source:
    source = v1.Source()
    source.MergeFrom(target)
    source.MergeFrom(origin)
    return source


SOURCES = st.builds(merged, TARGETS, ORIGINS)
EDITS = st.builds(
    v1.Edit,
    label_map=st.one_of(st.none(), LAYERS),
    mask=st.one_of(st.none(), LAYERS),
    mask_use=st.integers(0, 4),
    exclude=st.one_of(st.none(), LAYERS),
    sources=st.lists(SOURCES, max_size=2),
)
OPTIONS = st.builds(
    v1.RenderOptions,
    seed=st.integers(0, (1 << 32) - 1),
    grow=st.one_of(st.none(), FLOATS),
    warped_preview=st.booleans(),
    preview_side=st.integers(0, (1 << 32) - 1),
    encoding=st.integers(0, 5),
    channel_order=st.integers(0, 8),
    supersede=st.booleans(),
)
LABELS = st.one_of(st.just("tree"), st.text(max_size=5))
LOOKS = st.one_of(st.none(), st.integers(0, (1 << 32) - 1))
BOXES = st.builds(v1.Box, label=LABELS, x=FLOATS, y=FLOATS, width=FLOATS, height=FLOATS, look=LOOKS)


def attempt(call: Any) -> None:
    """Make a call; it works, or fails with a clean code and a clean sentence."""
    from_server = None
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            list(answer)
    except grpc.RpcError as error:
        from_server = error
    if from_server is not None:
        assert from_server.code() in CLEAN, (from_server.code(), from_server.details())
        text = str(from_server.details())
        assert "Traceback" not in text
        assert "Error" not in text
        assert "0x" not in text


@SETTINGS
@given(layers=st.lists(LAYERS, max_size=3))
def test_open(victim: Any, layers: list[v1.Layer]) -> None:
    def call() -> None:
        opened = victim.open(*layers)
        victim.stub.CloseDocument(v1.CloseDocumentRequest(document_id=opened.document_id))

    attempt(call)


@SETTINGS
@given(layer=LAYERS, offset=st.one_of(st.just(0), st.integers(0, (1 << 64) - 1)))
def test_upload(victim: Any, layer: v1.Layer, offset: int) -> None:
    request = v1.UploadLayerRequest(document_id=victim.document, layer=layer, offset=offset)
    attempt(lambda: victim.stub.UploadLayer(request))


@SETTINGS
@given(edit=EDITS, options=OPTIONS)
def test_render(victim: Any, edit: v1.Edit, options: v1.RenderOptions) -> None:
    request = v1.RenderRequest(document_id=victim.document, edit=edit, options=options)
    attempt(lambda: victim.stub.Render(request))


@SETTINGS
@given(tiles=st.lists(LAYERS, max_size=3), base=st.integers(0, (1 << 64) - 1))
def test_tiles(victim: Any, tiles: list[v1.Layer], base: int) -> None:
    edit = v1.Edit(tiles=v1.TileEdit(base_revision=base, tiles=tiles))
    attempt(lambda: victim.stub.Render(v1.RenderRequest(document_id=victim.document, edit=edit)))


@SETTINGS
@given(
    boxes=st.lists(BOXES, max_size=3),
    count=st.one_of(st.integers(0, (1 << 32) - 1), st.integers(0, 3)),
    side=SIDES,
    layout=st.one_of(st.none(), st.builds(v1.Extent, width=SIDES, height=st.integers(0, 90))),
    encoding=st.integers(0, 4),
)
def test_drafts(
    victim: Any, boxes: list[v1.Box], count: int, side: int, layout: v1.Extent | None, encoding: int
) -> None:
    request = v1.GenerateDraftsRequest(
        extent=v1.Extent(width=side, height=side), boxes=boxes, count=count, layout_extent=layout
    )
    request.encoding = encoding  # type: ignore[assignment]  # values that the contract doesn't know
    attempt(lambda: victim.stub.GenerateDrafts(request))


SHARES = st.floats(0, 1, width=32)


@SETTINGS
@given(edges=st.lists(st.tuples(SHARES, SHARES, SHARES, SHARES), min_size=1, max_size=64), width=st.integers(1, 8192))
def test_boxes_inside_are_drawn(victim: Any, edges: list[tuple[float, float, float, float]], width: int) -> None:
    """However thin: a box whose edges are inside by float32's own arithmetic is never refused."""
    boxes = []
    for left, top, right, bottom in edges:
        x, y = (np.float32(min(pair)) * np.float32(width) for pair in ((left, right), (top, bottom)))
        w, h = (np.float32(abs(a - b)) * np.float32(width) for a, b in ((left, right), (top, bottom)))
        if w > 0 and h > 0 and x < width and y < width:
            boxes.append(v1.Box(label="tree", x=float(x), y=float(y), width=float(w), height=float(h)))
    if not boxes:
        return
    request = v1.GenerateDraftsRequest(extent=v1.Extent(width=width, height=width), boxes=boxes)
    drafts = [response.draft for response in victim.stub.GenerateDrafts(request) if response.HasField("draft")]
    assert [len(draft.picture.data) for draft in drafts] == [64 * 64 * 3]
    assert 1 in drafts[0].label_map.data  # the last box has kept a pixel


@SETTINGS
@given(method=st.sampled_from(METHODS), payload=st.binary(max_size=300))
def test_bytes_that_are_no_message(victim: Any, method: str, payload: bytes) -> None:
    streaming = method in ("Segment", "Render", "GenerateDrafts")
    make = victim.channel.unary_stream if streaming else victim.channel.unary_unary
    attempt(lambda: make(f"/layoutbrush.v1.LayoutbrushService/{method}")(payload))


@SETTINGS
@given(damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_messages(victim: Any, damage: list[tuple[int, int]]) -> None:
    """A valid request with a few bytes overwritten."""
    edited = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.ones((8, 8), np.uint8), 8, 8)
    request = v1.RenderRequest(document_id=victim.document, edit=v1.Edit(label_map=edited))
    payload = bytearray(request.SerializeToString())
    for place, value in damage:
        payload[place % len(payload)] = value
    call = victim.channel.unary_stream("/layoutbrush.v1.LayoutbrushService/Render")
    attempt(lambda: call(bytes(payload)))


def test_unknown_methods_and_services(victim: Any) -> None:
    for path in ("/layoutbrush.v1.LayoutbrushService/Shutdown", "/layoutbrush.v2.X/Y", "/"):
        attempt(lambda path=path: victim.channel.unary_unary(path)(b""))


def test_the_server_is_still_there(victim: Any, server: ServerThread) -> None:
    assert victim.render()[-1].HasField("result")
    assert server.running is not None
    admission = server.running.core.admission
    until(lambda: (admission.working, admission.waiting) == (0, 0))  # a place is free a moment after its last word

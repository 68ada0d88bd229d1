"""Sources over the wire: what reaches the pipeline, what is kept between renders, and what is refused by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

from layoutbrush import v1
from layoutbrush.plugin_bridge import Client, Picture, Reference, Source
from layoutbrush.plugin_bridge.connection import channel
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.pipeline import Editor
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, raw_layer, scripted_backend, until

HEIGHT, WIDTH = 96, 128
PHOTO = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
LAYOUT = np.zeros((HEIGHT, WIDTH), np.uint8)
LAYOUT[60:] = 3
OTHER = np.full((80, 100, 3), 200, np.uint8)
OTHER_LAYOUT = np.full((80, 100), 3, np.uint8)
OTHER_LAYOUT[:40] = 5


@pytest.fixture
def scripted() -> Iterator[tuple[v1.LayoutbrushServiceStub, ScriptedEditor, ServerThread]]:
    editor = ScriptedEditor(steps=1)
    with ServerThread(scripted_backend(editor)) as server, channel(server.address, False) as open_channel:
        yield v1.LayoutbrushServiceStub(open_channel), editor, server


def layers(x: int = 0, y: int = 0) -> list[v1.Layer]:
    return [raw_layer(v1.LAYER_KIND_PHOTO, PHOTO, x, y), raw_layer(v1.LAYER_KIND_LABEL_MAP, LAYOUT, x, y)]


def reference(name: str = "dusk", labelled: bool = True, x: int = 0, y: int = 0) -> list[v1.Layer]:
    found = [raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, OTHER, x, y, name)]
    return [*found, raw_layer(v1.LAYER_KIND_REFERENCE_LABEL_MAP, OTHER_LAYOUT, x, y, name)] if labelled else found


def opened(stub: v1.LayoutbrushServiceStub, *more: v1.Layer, x: int = 0, y: int = 0) -> str:
    return stub.OpenDocument(v1.OpenDocumentRequest(layers=[*layers(x, y), *more])).document_id


def render(stub: v1.LayoutbrushServiceStub, document: str, *sources: v1.Source) -> v1.Result:
    edit = v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, LAYOUT, *origin(sources)), sources=sources)
    return list(stub.Render(v1.RenderRequest(document_id=document, edit=edit)))[-1].result


def origin(sources: Any) -> tuple[int, int]:
    regions = [source.region.bounds for source in sources if source.HasField("region")]
    return (regions[0].x, regions[0].y) if regions else (0, 0)


def mask(values: np.ndarray, x: int = 0, y: int = 0) -> v1.Layer:
    return raw_layer(v1.LAYER_KIND_MASK, values.astype(np.uint8) * np.uint8(255), x, y)


def refused(call: Any) -> tuple[str, str, str]:
    """Code, field and sentence of a refusal."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    trailers = {entry.key: entry.value for entry in caught.value.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(bad)
    field = bad.field_violations[0].field if bad.field_violations else ""
    return caught.value.code().name, field, str(caught.value.details())


def test_sources_reach_the_pipeline_in_the_photos_own_pixels(scripted: Any) -> None:
    stub, editor, _ = scripted
    document = opened(stub, *reference(x=7, y=-9), x=-20, y=40)
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[70:80, 10:30] = True
    part = np.ones((30, 40), np.bool_)
    source = v1.Source(region=mask(region, -20, 40), reference_id="dusk", source_label_id=5)
    source.source_region.CopyFrom(mask(part, 17, -4))
    source.place.MergeFrom(v1.Bounds(x=-30, y=50, width=50, height=40))
    result = render(stub, document, source)
    (found,) = editor.requests[-1].sources
    assert np.array_equal(found.region, region)
    assert (found.reference, found.source_label, found.label) == ("dusk", 5, None)
    assert found.place == Bounds(-10, 10, 50, 40)
    expected = np.zeros((80, 100), np.bool_)
    expected[5:35, 10:50] = True
    assert np.array_equal(found.source_region, expected)
    prepared = editor.requests[-1].references["dusk"]
    assert np.array_equal(prepared.photo, OTHER)
    assert np.array_equal(prepared.layout, OTHER_LAYOUT)
    bounds = result.layer.bounds  # the region and its rim, though no label changed
    assert (bounds.x, bounds.y, bounds.width, bounds.height) == (-20 + 7, 40 + 67, 26, 16)


def test_references_are_prepared_once_and_anew_when_they_change(scripted: Any) -> None:
    stub, editor, server = scripted
    document = opened(stub, *reference())
    source = v1.Source(label_id=3, reference_id="dusk")
    for _ in range(3):
        render(stub, document, source)
    assert editor.opened == 2  # the photo and the reference
    before = server.running.core.store.nbytes
    assert before > PHOTO.nbytes + 2 * OTHER.nbytes
    changed = raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, np.full_like(OTHER, 9), reference_id="dusk")
    stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=changed))
    render(stub, document, source)
    assert editor.opened == 3
    assert (editor.requests[-1].references["dusk"].photo == 9).all()


@pytest.mark.parametrize("busy", [False, True])
def test_references_are_prepared_as_soon_as_a_worker_is_idle(scripted: Any, busy: bool) -> None:
    stub, editor, server = scripted
    document = opened(stub)
    slots = server.running.core.store._documents[document].references
    editor.hold = threading.Event()
    edit = v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, LAYOUT[::-1].copy()))
    calls = [stub.Render(v1.RenderRequest(document_id=document, edit=edit))] if busy else []
    for call in calls:
        while not next(call).HasField("progress"):
            pass
    for layer in reference():
        stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer))
    assert not (busy and slots)
    editor.hold.set()
    assert all(list(call)[-1].HasField("result") for call in calls)
    until(lambda: "dusk" in slots and slots["dusk"].ready)
    render(stub, document, v1.Source(label_id=3, reference_id="dusk"))
    assert editor.opened == 2


def test_a_reference_without_a_label_map_is_segmented(scripted: Any) -> None:
    stub, editor, _ = scripted
    document = opened(stub, *reference(labelled=False))
    render(stub, document, v1.Source(label_id=3, reference_id="dusk"))
    assert set(np.unique(editor.requests[-1].references["dusk"].layout)) == {0, 3}
    stub.Segment(v1.SegmentRequest(document_id=document, reference_id="dusk", store=True)).__iter__().__next__()


def test_clear_pixels_of_a_reference_are_not_drawn_from(scripted: Any) -> None:
    stub, editor, _ = scripted
    clear = np.dstack([OTHER, np.where(OTHER_LAYOUT == 5, 0, 255).astype(np.uint8)])
    document = opened(
        stub,
        raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, clear, reference_id="dusk"),
        raw_layer(v1.LAYER_KIND_REFERENCE_LABEL_MAP, OTHER_LAYOUT, reference_id="dusk"),
    )
    render(stub, document, v1.Source(label_id=3, reference_id="dusk"))
    assert np.array_equal(editor.requests[-1].sources[0].source_region, OTHER_LAYOUT == 3)
    code, field, _ = refused(lambda: render(stub, document, v1.Source(label_id=5, reference_id="dusk")))
    assert (code, field) == ("INVALID_ARGUMENT", "edit.sources[0].reference_id")


def with_place(**place: int) -> v1.Source:
    return v1.Source(label_id=3, reference_id="dusk", place=v1.Bounds(**place))


REFUSALS: dict[str, tuple[v1.Source, str, str]] = {
    "not sent": (v1.Source(label_id=3, reference_id="dawn"), "edit.sources[0].reference_id", '"dawn"'),
    "lacks the label": (v1.Source(label_id=0, reference_id="dusk"), "edit.sources[0].reference_id", '"dusk"'),
    "lacks the label there": (
        v1.Source(label_id=3, reference_id="dusk", source_region=mask(np.ones((20, 20), np.bool_))),
        "edit.sources[0].reference_id",
        "where it may be drawn from",
    ),
    "empty part": (
        v1.Source(label_id=3, reference_id="dusk", source_region=mask(np.zeros((80, 100), np.bool_))),
        "edit.sources[0].source_region",
        "empty",
    ),
    "part beyond the reference": (
        v1.Source(label_id=3, reference_id="dusk", source_region=mask(np.ones((96, 128), np.bool_))),
        "edit.sources[0].source_region.bounds",
        "100 x 80",
    ),
    "unknown label there": (
        v1.Source(label_id=3, reference_id="dusk", source_label_id=77),
        "edit.sources[0].source_label_id",
        "77",
    ),
    "place of the photo itself": (
        v1.Source(label_id=3, source_label_id=0, place=v1.Bounds(width=9, height=9)),
        "edit.sources[0].place",
        "own photo",
    ),
    "empty place": (with_place(width=0, height=80), "edit.sources[0].place", "1/64"),
    "huge place": (with_place(width=100, height=80 * 65), "edit.sources[0].place", "64"),
    "far place": (with_place(x=1 << 21, width=100, height=80), "edit.sources[0].place", "within"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_name_the_reference_or_the_field(scripted: Any, name: str) -> None:
    stub, _, _ = scripted
    source, field, words = REFUSALS[name]
    document = opened(stub, *reference())
    code, found, sentence = refused(lambda: render(stub, document, source))
    assert (code, found) == ("INVALID_ARGUMENT", field)
    assert words in sentence
    assert render(stub, document, v1.Source(label_id=3, reference_id="dusk")).layer.data_size


def test_half_a_reference_is_refused(scripted: Any) -> None:
    stub, _, _ = scripted
    document = opened(stub, *reference())
    part = raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, OTHER, reference_id="dusk")
    part.data_size, part.data = len(part.data), part.data[:100]
    stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=part))
    code, field, _ = refused(lambda: render(stub, document, v1.Source(label_id=3, reference_id="dusk")))
    assert (code, field) == ("INVALID_ARGUMENT", "layers[REFERENCE_PHOTO].data")


def test_references_are_bounded_in_number_and_bytes() -> None:
    limits = Limits(max_references=2, max_total_bytes=400_000)
    options = ServerOptions(port=0, limits=limits)
    with ServerThread(scripted_backend(), options) as server, channel(server.address, False) as open_channel:
        stub = v1.LayoutbrushServiceStub(open_channel)
        document = opened(stub, *reference("a", labelled=False), *reference("b"))
        third = reference("c", labelled=False)[0]
        code, _, sentence = refused(lambda: stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=third)))
        assert code == "RESOURCE_EXHAUSTED"
        assert "2 references" in sentence
        large = raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, np.zeros((500, 500, 3), np.uint8), reference_id="a")
        stub.CloseDocument(v1.CloseDocumentRequest(document_id=document))
        document = opened(stub)
        code, _, _ = refused(lambda: stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=large)))
        assert code == "RESOURCE_EXHAUSTED"


def test_a_backend_without_references_says_so() -> None:
    with (
        ServerThread(scripted_backend(references=False)) as server,
        channel(server.address, False) as open_channel,
    ):
        stub = v1.LayoutbrushServiceStub(open_channel)
        document = opened(stub, *reference())
        assert not stub.GetServerInfo(v1.GetServerInfoRequest()).capabilities.references
        code, field, _ = refused(lambda: render(stub, document, v1.Source(label_id=3, reference_id="dusk")))
        assert (code, field) == ("UNIMPLEMENTED", "edit.sources")


def picture(pixels: np.ndarray) -> Picture:
    return Picture(pixels.tobytes(), pixels.shape[1], pixels.shape[0])


def gray(values: np.ndarray) -> Picture:
    return Picture.gray(values.tobytes(), values.shape[1], values.shape[0])


def test_the_client_draws_from_a_reference_and_tells_a_forgetful_server_again() -> None:
    editor = Editor(StandInEngine(), STAND_IN_MANIFEST)
    backend = Backend(editor, "stand-in", "1", STAND_IN_LABELS, references=editor.references)
    with ServerThread(backend) as server, Client(server.address) as client:
        assert client.info().capabilities.references
        dusk = Reference("dusk", picture(OTHER), gray(OTHER_LAYOUT))
        with client.open(picture(PHOTO), gray(LAYOUT), references=[dusk]) as document:
            sources = [Source(label=3, reference="dusk")]
            first = document.edit(gray(LAYOUT), sources=sources, seed=4).result()
            assert server.running is not None
            server.running.core.store.discard(document.id)
            again = document.edit(gray(LAYOUT), sources=sources, seed=4).result()
        assert first.picture == again.picture
        pixels = np.frombuffer(first.picture.data, np.uint8).reshape(first.picture.shape)
        top = first.picture.y
        assert top == 57
        grass = pixels[66 - top : 90 - top]
        assert (np.abs(grass.astype(int) - 200) < 12).all(), "the reference is grey 200 everywhere"
        under = PHOTO[top : top + pixels.shape[0]]
        kept = np.frombuffer(first.mask.data, np.uint8).reshape(pixels.shape[:2]) == 0
        assert np.array_equal(pixels[kept], under[kept])

"""Opens, renders, segments with nothing but the contract: what a plugin author may rely on."""

from __future__ import annotations

import io
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush import v1
from layoutbrush.runtime.testing import ScriptedEditor, raw_layer

Array = NDArray[Any]
HEIGHT, WIDTH = 96, 128
PHOTO = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
LAYOUT = np.zeros((HEIGHT, WIDTH), np.uint8)
LAYOUT[60:] = 3
EDITED = LAYOUT.copy()
EDITED[20:40, 30:70] = 1


def open_document(stub: v1.LayoutbrushServiceStub, *extra: v1.Layer, x: int = 0, y: int = 0) -> str:
    layers = [raw_layer(v1.LAYER_KIND_PHOTO, PHOTO, x, y), raw_layer(v1.LAYER_KIND_LABEL_MAP, LAYOUT, x, y), *extra]
    return stub.OpenDocument(v1.OpenDocumentRequest(layers=layers)).document_id


def painted(x: int = 0, y: int = 0) -> v1.Edit:
    return v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, EDITED, x, y))


def render(stub: v1.LayoutbrushServiceStub, document: str, edit: v1.Edit, **options: Any) -> list[v1.RenderResponse]:
    request = v1.RenderRequest(document_id=document, edit=edit, options=v1.RenderOptions(**options))
    return list(stub.Render(request))


def pixels(layer: v1.Layer, channels: int) -> Array:
    assert layer.data_size == len(layer.data)
    shape = (layer.bounds.height, layer.bounds.width, channels)
    return np.frombuffer(layer.data, np.uint8).reshape(shape)


def test_server_says_what_it_is(stub: v1.LayoutbrushServiceStub) -> None:
    info = stub.GetServerInfo(v1.GetServerInfoRequest())
    assert (info.bundle.name, info.bundle.version) == ("scripted", "1")
    assert [label.id for label in info.bundle.labels] == list(range(15))
    assert info.bundle.labels[0].name == "sky"
    assert (info.limits.max_side, info.limits.max_layer_pixels, info.limits.max_layers) == (16384, 64 << 20, 64)
    assert [engine.name for engine in info.engines if engine.active] == ["scripted"]
    assert info.capabilities.drafts
    assert list(info.draft_labels)[:2] == ["sky", "tree"]
    assert info.capabilities.segmentation


def test_events_come_in_order(stub: v1.LayoutbrushServiceStub) -> None:
    document = open_document(stub)
    responses = render(stub, document, painted(), warped_preview=True, coarse_preview=True)
    kinds = [str(response.WhichOneof("event")) for response in responses]
    assert kinds[0] == "queued"
    assert kinds[-1] == "result"
    assert [r.preview.kind for r in responses if r.HasField("preview")] == [
        v1.PREVIEW_KIND_WARPED,
        v1.PREVIEW_KIND_COARSE,
    ]
    done = [response.progress.done for response in responses if response.HasField("progress")]
    assert done == sorted(done)
    assert {response.revision for response in responses} == {1}


def test_result_is_the_photo_outside_its_mask(stub: v1.LayoutbrushServiceStub) -> None:
    document = open_document(stub, x=-7, y=100)
    result = render(stub, document, painted(-7, 100), seed=77, grow=0.0)[-1].result
    bounds = result.layer.bounds
    assert (bounds.x, bounds.y, bounds.width, bounds.height) == (30 - 7, 20 + 100, 40, 20)
    assert result.mask.bounds == bounds
    layer, mask = pixels(result.layer, 3), pixels(result.mask, 1)[:, :, 0]
    assert (mask == 255).all()  # a rectangle, not grown
    assert (layer == 77).all()
    wider = render(stub, document, painted(-7, 100), seed=77, grow=0.2)[-1].result
    layer, mask = pixels(wider.layer, 3), pixels(wider.mask, 1)[:, :, 0]
    top, left = wider.layer.bounds.y - 100, wider.layer.bounds.x + 7
    under = PHOTO[top : top + layer.shape[0], left : left + layer.shape[1]]
    assert 0 < (mask == 0).sum() < mask.size
    assert np.array_equal(layer[mask == 0], under[mask == 0])
    assert (layer[mask == 255] == 77).all()


def test_result_as_png_with_the_mask_as_alpha(stub: v1.LayoutbrushServiceStub) -> None:
    options = {"encoding": v1.ENCODING_PNG, "channel_order": v1.CHANNEL_ORDER_RGBA}
    result = render(stub, open_document(stub), painted(), **options)[-1].result
    picture = np.asarray(Image.open(io.BytesIO(result.layer.data)))
    mask = np.asarray(Image.open(io.BytesIO(result.mask.data)))
    assert picture.shape[2] == 4
    assert np.array_equal(picture[:, :, 3], mask)


@pytest.mark.parametrize("order", [v1.CHANNEL_ORDER_BGR, v1.CHANNEL_ORDER_BGRA, v1.CHANNEL_ORDER_RGBA])
def test_channel_order_of_the_result(stub: v1.LayoutbrushServiceStub, order: v1.ChannelOrder) -> None:
    document = open_document(stub)
    plain = render(stub, document, painted())[-1].result
    other = render(stub, document, painted(), channel_order=order)[-1].result
    assert other.layer.format.channel_order == order
    rgb = pixels(plain.layer, 3)
    got = pixels(other.layer, 3 if order == v1.CHANNEL_ORDER_BGR else 4)
    colors = got[:, :, :3] if order == v1.CHANNEL_ORDER_RGBA else got[:, :, 2::-1]
    assert np.array_equal(colors, rgb)


def test_masks_replace_or_bound(stub: v1.LayoutbrushServiceStub) -> None:
    selected = np.zeros((10, 10), np.uint8)
    selected[:] = 255
    mask = raw_layer(v1.LAYER_KIND_MASK, selected, 64, 34)
    edit = painted()
    edit.mask.CopyFrom(mask)
    document = open_document(stub)
    replaced = render(stub, document, edit)[-1].result
    assert (replaced.layer.bounds.width, replaced.layer.bounds.height) == (10, 10)
    edit.mask_use = v1.MASK_USE_BOUND
    bounded = render(stub, document, edit, grow=0.0)[-1].result
    assert (bounded.layer.bounds.width, bounded.layer.bounds.height) == (6, 6)


def test_mask_and_exclude_of_the_document(stub: v1.LayoutbrushServiceStub, editor: ScriptedEditor) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[5:9, 5:9] = 0.75
    exclude = np.full((4, 4), 255, np.uint8)
    document = open_document(
        stub, raw_layer(v1.LAYER_KIND_MASK, mask), raw_layer(v1.LAYER_KIND_EXCLUDE, exclude, 50, 60)
    )
    result = render(stub, document, v1.Edit())[-1].result  # no label map: made anew under the labels that are there
    assert (result.layer.bounds.x, result.layer.bounds.width) == (5, 4)
    sent = editor.requests[-1]
    assert np.array_equal(sent.edited, LAYOUT)
    assert sent.exclude is not None
    assert sent.exclude.sum() == 16
    assert sent.exclude[60:64, 50:54].all()


def test_part_of_a_label_map_is_laid_over_the_document(stub: v1.LayoutbrushServiceStub, editor: ScriptedEditor) -> None:
    document = open_document(stub)
    part = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((5, 6), 4, np.uint8), 10, 58)
    render(stub, document, v1.Edit(label_map=part))
    expected = LAYOUT.copy()
    expected[58:63, 10:16] = 4
    assert np.array_equal(editor.requests[-1].edited, expected)


def test_tiles_go_on_from_a_revision(stub: v1.LayoutbrushServiceStub, editor: ScriptedEditor) -> None:
    document = open_document(stub)

    def paint(base: int, label: int, x: int) -> int:
        tile = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((8, 8), label, np.uint8), x, 8)
        edit = v1.Edit(tiles=v1.TileEdit(base_revision=base, tiles=[tile]))
        return render(stub, document, edit)[0].revision

    first = paint(0, 1, 8)
    second = paint(first, 2, 32)
    expected = LAYOUT.copy()
    expected[8:16, 8:16] = 1
    expected[8:16, 32:40] = 2
    assert second == first + 1
    assert np.array_equal(editor.requests[-1].edited, expected)
    with pytest.raises(grpc.RpcError) as stale:
        paint(first, 1, 64)
    assert stale.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    paint(0, 5, 64)  # from the document's own label map it always works
    assert (editor.requests[-1].edited[8:16, 8:16] == 0).all()


def test_without_a_label_map_the_photo_is_segmented(stub: v1.LayoutbrushServiceStub, editor: ScriptedEditor) -> None:
    opened = stub.OpenDocument(v1.OpenDocumentRequest(layers=[raw_layer(v1.LAYER_KIND_PHOTO, PHOTO)]))
    result = render(stub, opened.document_id, painted())[-1]
    assert result.HasField("result")
    tile = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((8, 8), 1, np.uint8), 0, 0)
    render(stub, opened.document_id, v1.Edit(tiles=v1.TileEdit(tiles=[tile])))
    assert (editor.requests[-1].edited[HEIGHT // 2 :] == 3).all()  # what the segmentation found


@pytest.mark.parametrize("encoding", [v1.ENCODING_RAW, v1.ENCODING_PNG])
def test_segment(stub: v1.LayoutbrushServiceStub, encoding: v1.Encoding) -> None:
    document = open_document(stub)
    request = v1.SegmentRequest(document_id=document, encoding=encoding, store=True)
    responses = list(stub.Segment(request))
    kinds = [str(response.WhichOneof("event")) for response in responses]
    assert (kinds[0], kinds[-1]) == ("queued", "label_map")
    layer = responses[-1].label_map
    raw = encoding == v1.ENCODING_RAW
    found = pixels(layer, 1)[:, :, 0] if raw else np.asarray(Image.open(io.BytesIO(layer.data)))
    assert set(np.unique(found)) == {0, 3}
    assert layer.kind == v1.LAYER_KIND_LABEL_MAP


def test_references_are_kept_segmented_and_checked(stub: v1.LayoutbrushServiceStub) -> None:
    other = np.random.default_rng(2).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    document = open_document(stub, raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, other, reference_id="dusk"))
    found = list(stub.Segment(v1.SegmentRequest(document_id=document, reference_id="dusk", store=True)))[-1]
    assert (found.label_map.bounds.width, found.label_map.bounds.height) == (90, 70)
    edit = painted()
    edit.sources.add(label_id=3, reference_id="dusk")
    result = render(stub, document, edit)[-1].result
    assert result.layer.bounds.y + result.layer.bounds.height == HEIGHT  # label 3 is part of the mask


def test_closed_documents_are_gone(stub: v1.LayoutbrushServiceStub) -> None:
    document = open_document(stub)
    stub.CloseDocument(v1.CloseDocumentRequest(document_id=document))
    with pytest.raises(grpc.RpcError) as gone:
        render(stub, document, painted())
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND

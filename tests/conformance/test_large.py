"""Layers larger than a message: up in parts, down in chunks."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.testing import raw_layer

SIDE = 1536
PHOTO = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
DEFAULT_LIMIT = 4 << 20


def upload(stub: v1.LayoutbrushServiceStub, document: str, layer: v1.Layer, part: int) -> v1.LayerState:
    data, state = layer.data, v1.LayerState()
    for offset in range(0, len(data), part):
        piece = v1.Layer()
        piece.CopyFrom(layer)
        piece.data, piece.data_size = data[offset : offset + part], len(data)
        request = v1.UploadLayerRequest(document_id=document, layer=piece, offset=offset)
        state = stub.UploadLayer(request).layer
        assert state.received_size == offset + len(piece.data)
    return state


def test_up_in_parts_and_down_in_chunks(stub: v1.LayoutbrushServiceStub) -> None:
    document = stub.OpenDocument(v1.OpenDocumentRequest()).document_id
    state = upload(stub, document, raw_layer(v1.LAYER_KIND_PHOTO, PHOTO), 1_000_000)
    assert state.complete
    assert (state.bounds.width, state.bounds.height) == (SIDE, SIDE)
    whole = raw_layer(v1.LAYER_KIND_MASK, np.full((SIDE, SIDE), 255, np.uint8))
    layout = raw_layer(v1.LAYER_KIND_LABEL_MAP, np.zeros((SIDE, SIDE), np.uint8))
    assert upload(stub, document, layout, 4 << 20).complete
    request = v1.RenderRequest(
        document_id=document, edit=v1.Edit(mask=whole), options=v1.RenderOptions(seed=9, warped_preview=True)
    )
    layers: dict[int, v1.Layer] = {}
    data: dict[int, bytearray] = {}
    for response in stub.Render(request):
        assert response.ByteSize() < DEFAULT_LIMIT
        event = response.WhichOneof("event")
        if event == "preview":
            layers[response.preview.layer.transfer_id] = response.preview.layer
        elif event == "result":
            layers[response.result.layer.transfer_id] = response.result.layer
            layers[response.result.mask.transfer_id] = response.result.mask
        elif event == "chunk":
            chunk = response.chunk
            held = data.setdefault(chunk.transfer_id, bytearray())
            assert chunk.offset == len(held)
            held += chunk.data
            assert chunk.last == (len(held) == layers[chunk.transfer_id].data_size)
    assert len(layers) == 3
    assert 0 not in layers
    assert {number: len(held) for number, held in data.items()} == {n: layer.data_size for n, layer in layers.items()}
    result, mask = sorted(layers)[1:]
    assert set(data[result]) == {9}
    assert set(data[mask]) == {255}


def test_first_part_inside_open_document(stub: v1.LayoutbrushServiceStub) -> None:
    layer = raw_layer(v1.LAYER_KIND_PHOTO, PHOTO)
    data = layer.data
    layer.data, layer.data_size = data[:1000], len(data)
    opened = stub.OpenDocument(v1.OpenDocumentRequest(layers=[layer]))
    assert not opened.layers[0].complete
    layer.data = data[1000:]
    request = v1.UploadLayerRequest(document_id=opened.document_id, layer=layer, offset=1000)
    assert stub.UploadLayer(request).layer.complete


def test_truncated_upload_names_the_layer_and_can_go_on(stub: v1.LayoutbrushServiceStub) -> None:
    document = stub.OpenDocument(v1.OpenDocumentRequest()).document_id
    layer = raw_layer(v1.LAYER_KIND_PHOTO, PHOTO[:64, :64])
    data = layer.data
    layer.data, layer.data_size = data[:5000], len(data)
    stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer))
    with pytest.raises(grpc.RpcError) as early:
        list(stub.Segment(v1.SegmentRequest(document_id=document)))
    assert early.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "5000 of 12288" in str(early.value.details())
    layer.data = data[5000:]
    assert stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer, offset=5000)).layer.complete
    assert list(stub.Segment(v1.SegmentRequest(document_id=document)))[-1].HasField("label_map")


@pytest.mark.parametrize(("offset", "size"), [(1, 0), (4999, 0), (5001, 0), (5000, 99)])
def test_parts_must_follow_each_other(stub: v1.LayoutbrushServiceStub, offset: int, size: int) -> None:
    document = stub.OpenDocument(v1.OpenDocumentRequest()).document_id
    layer = raw_layer(v1.LAYER_KIND_PHOTO, PHOTO[:64, :64])
    data = layer.data
    layer.data, layer.data_size = data[:5000], len(data)
    stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer))
    layer.data, layer.data_size = data[5000:], size or len(data)
    with pytest.raises(grpc.RpcError) as wrong:
        stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer, offset=offset))
    assert wrong.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    layer.data, layer.data_size = data[5000:], len(data)
    assert stub.UploadLayer(v1.UploadLayerRequest(document_id=document, layer=layer, offset=5000)).layer.complete

"""Limits hold on headers, before anything is decoded; what a server holds is bounded; it says when to come back."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.documents import Store
from layoutbrush.runtime.errors import DocumentNotFound, LimitExceeded, ResourceExhausted
from layoutbrush.runtime.layers import Encoding, LayerHeader, LayerKey, LayerKind, decode
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ServerThread, raw_layer, scripted_backend

MIB = 1 << 20


def png_bomb(width: int, height: int, body: bytes = b"") -> bytes:
    """A valid PNG header of any size; the data behind it inflates to whatever `body` does."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(body, 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    )


def jpeg_bomb(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


@pytest.mark.parametrize(("width", "height"), [(16385, 64), (64, 16385), (8192, 8193), ((1 << 31) - 1, (1 << 31) - 1)])
def test_png_headers(width: int, height: int) -> None:
    data = png_bomb(width, height, bytes(MIB))
    header = LayerHeader(LayerKey(LayerKind.PHOTO), Encoding.PNG, len(data), fields="layer")
    tracemalloc.start()
    with pytest.raises(LimitExceeded) as refused:
        decode(header, data, Limits(), range(15), None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.field == "layer.data"
    assert peak < MIB  # nothing was decoded


def test_jpeg_headers() -> None:
    data = jpeg_bomb(65535, 65535)
    header = LayerHeader(LayerKey(LayerKind.PHOTO), Encoding.JPEG, len(data), fields="layer")
    with pytest.raises(LimitExceeded):
        decode(header, data, Limits(), range(15), None)


def test_hidden_bytes_are_not_inflated(victim: Any) -> None:
    """64 MiB of zeros behind the header of a small picture: the surplus is left alone, as every reader does."""
    bomb = png_bomb(64, 64, bytes(64 * MIB))
    layer = v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG, data=bomb)
    assert victim.open(layer).layers[0].complete


LARGE: dict[str, v1.Layer] = {
    "raw side": v1.Layer(data=b"x", data_size=3 * 17000 * 64, bounds=v1.Bounds(width=17000, height=64)),
    "raw pixels": v1.Layer(data=b"x", data_size=3 * 8192 * 8200, bounds=v1.Bounds(width=8192, height=8200)),
    "bytes": v1.Layer(data=b"x", data_size=1 << 62, bounds=v1.Bounds(width=64, height=64)),
}


@pytest.mark.parametrize("name", LARGE)
def test_announced_sizes(victim: Any, name: str) -> None:
    layer = v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_RAW)
    layer.format.channel_order, layer.format.data_type = v1.CHANNEL_ORDER_RGB, v1.DATA_TYPE_UINT8
    layer.MergeFrom(LARGE[name])
    refusal = victim.refused(lambda: victim.open(layer))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    assert refusal.field in ("layers[0].bounds", "layers[0].data")
    assert refusal.retry_after_s is None  # waiting doesn't help


def test_number_of_layers(victim: Any) -> None:
    photo = np.zeros((64, 64, 3), np.uint8)
    layers = [raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, photo, reference_id=f"r{i}") for i in range(65)]
    refusal = victim.refused(lambda: victim.open(*layers))
    assert (refusal.code, refusal.field) == ("RESOURCE_EXHAUSTED", "layers")
    for layer in layers[:16]:
        assert victim.put(layer).complete
    refusal = victim.refused(lambda: victim.put(layers[16]))
    assert (refusal.code, refusal.field) == ("RESOURCE_EXHAUSTED", "layer.kind")


@pytest.fixture
def small() -> Iterator[v1.LayoutbrushServiceStub]:
    """A server that holds little."""
    limits = Limits(max_message_bytes=MIB, max_documents=3, max_total_bytes=2 * MIB)
    options = ServerOptions(port=0, limits=limits, grace_seconds=60.0)
    with ServerThread(scripted_backend(), options) as server, grpc.insecure_channel(server.address) as channel:
        yield v1.LayoutbrushServiceStub(channel)


def test_message_size(small: v1.LayoutbrushServiceStub) -> None:
    layer = v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG, data=bytes(2 * MIB))
    with pytest.raises(grpc.RpcError) as refused:
        small.OpenDocument(v1.OpenDocumentRequest(layers=[layer]))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert small.GetServerInfo(v1.GetServerInfoRequest()).limits.max_message_bytes == MIB


def test_number_of_documents(small: v1.LayoutbrushServiceStub, reader: Any) -> None:
    first = small.OpenDocument(v1.OpenDocumentRequest()).document_id
    for _ in range(2):
        small.OpenDocument(v1.OpenDocumentRequest())
    with pytest.raises(grpc.RpcError) as full:
        small.OpenDocument(v1.OpenDocumentRequest())
    assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    refusal = reader(full.value)
    assert (refusal.reason, refusal.retry_after_s) == ("RESOURCE_EXHAUSTED", 60.0)
    small.CloseDocument(v1.CloseDocumentRequest(document_id=first))
    assert small.OpenDocument(v1.OpenDocumentRequest()).document_id


def test_bytes_of_all_documents(small: v1.LayoutbrushServiceStub) -> None:
    photo = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((500, 500, 3), np.uint8))
    for _ in range(2):
        small.OpenDocument(v1.OpenDocumentRequest(layers=[photo]))
    with pytest.raises(grpc.RpcError) as full:
        small.OpenDocument(v1.OpenDocumentRequest(layers=[photo]))
    assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert small.OpenDocument(v1.OpenDocumentRequest()).document_id  # the failed one left nothing behind


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_least_recently_used_makes_room() -> None:
    clock = Clock()
    store = Store(Limits(max_documents=2), idle_seconds=1000.0, grace_seconds=10.0, clock=clock)
    first, second = store.open(), store.open()
    with pytest.raises(ResourceExhausted):
        store.open()
    clock.now = 20.0
    with store.use(first.id):
        pass
    third = store.open()
    with pytest.raises(DocumentNotFound), store.use(second.id):
        pass
    with store.use(first.id), store.use(third.id):
        pass


def test_documents_in_use_are_never_forgotten() -> None:
    clock = Clock()
    store = Store(Limits(max_documents=1), idle_seconds=100.0, grace_seconds=1.0, clock=clock)
    document = store.open()
    with store.use(document.id):
        clock.now = 1000.0
        store.expire()
        with pytest.raises(ResourceExhausted):
            store.open()
        assert len(store) == 1
    clock.now = 1101.0
    store.expire()
    assert len(store) == 0

"""Found references under attack: traps in the folder, names that look like paths, requests of all kinds of nonsense."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from layoutbrush import v1
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.finding import Describer, Library, Query
from layoutbrush.runtime.testing import ServerThread, raw_layer, scripted_backend, small_library

LAYOUT = raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.zeros((16, 16), np.uint8))
SECRET = b"root:x:0:0:"


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[v1.LayoutbrushServiceStub]:
    folder = tmp_path_factory.mktemp("finding")
    library = small_library(folder)
    (folder / "secret.txt").write_bytes(SECRET)
    with ServerThread(scripted_backend(library=library)) as server, grpc.insecure_channel(server.address) as channel:
        yield v1.LayoutbrushServiceStub(channel)


def works(stub: v1.LayoutbrushServiceStub) -> None:
    answer = stub.FindReferences(v1.FindReferencesRequest(label_map=LAYOUT))
    assert (len(answer.references), answer.ranked) == (4, 4)
    fetched = list(stub.FetchReference(v1.FetchReferenceRequest(name="red.png")))
    assert any(event.HasField("label_map") for event in fetched)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it holds that many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1 << 16))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def test_traps_in_the_folder_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (80, 80), (5, 6, 7)).save(folder / "good.png")
    (folder / "bomb.png").write_bytes(bomb(60_000, 60_000))
    (folder / "long.png").write_bytes(bomb(1 << 30, 1))
    (folder / "script.png").write_text("#!/bin/sh\necho gotcha\n")
    (folder / "passwd.png").symlink_to("/etc/passwd")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "outside").symlink_to("/")
    (folder / "around").symlink_to(folder)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / os.fsdecode(b"not-utf8-\xff.png")).write_bytes((folder / "good.png").read_bytes())
    library = Library(folder, Describer(StandInEngine(), STAND_IN_MANIFEST), tmp_path / "index")
    for _ in library.update():
        pass
    assert [found.name for found in library.find(Query(), 99)] == ["good.png"]
    left = {item.name for item in library.skipped}
    assert left >= {"bomb.png", "long.png", "script.png", "passwd.png", "device.png", "loop.png", "pipe.png"}
    assert all("/etc" not in item.why and str(tmp_path) not in item.why for item in library.skipped)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "../photos/red.png",
        "..",
        "/",
        "more",
        "more/",
        "red.png\0",
        "%2e%2e/secret.txt",
        "\\..\\x",
        "red.png ",
    ],
)
def test_names_are_never_paths(stub: v1.LayoutbrushServiceStub, reader: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        list(stub.FetchReference(v1.FetchReferenceRequest(name=name)))
    refusal = reader(failed.value)
    assert (refusal.code, refusal.field, refusal.reason) == ("NOT_FOUND", "name", "REFERENCE_NOT_FOUND")
    works(stub)


def test_a_photo_that_becomes_something_else_is_gone(tmp_path: Path, reader: Callable[[Any], Any]) -> None:
    library = small_library(tmp_path)
    (tmp_path / "secret.png").write_bytes((library.folder / "green.png").read_bytes())
    changes: dict[str, Callable[[Path], object]] = {
        "red.png": lambda path: path.symlink_to(tmp_path / "secret.png"),
        "green.png": lambda path: path.write_bytes(bomb(50_000, 50_000)),
        "blue.jpg": lambda path: path.mkdir(),
        "more/grey.png": lambda path: path.write_bytes(SECRET),
    }
    with ServerThread(scripted_backend(library=library)) as server, grpc.insecure_channel(server.address) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        for name, change in changes.items():
            (library.folder / name).unlink()
            change(library.folder / name)
            with pytest.raises(grpc.RpcError) as failed:
                list(stub.FetchReference(v1.FetchReferenceRequest(name=name)))
            assert reader(failed.value).reason == "REFERENCE_NOT_FOUND"


MAPS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown label": (
        {"label_map": raw_layer(v1.LAYER_KIND_LABEL_MAP, np.full((8, 8), 200, np.uint8))}, "label_map.data"
    ),
    "a photo for a label map": (
        {"label_map": raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((80, 80, 3), np.uint8))}, "label_map.kind"
    ),
    "a tiny picture": ({"picture": raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((8, 8, 3), np.uint8))}, "picture.bounds"),
    "a bomb": (
        {"picture": v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG, data=bomb(60_000, 60_000))},
        "picture.data",
    ),
    "no bytes": ({"picture": v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG)}, "picture.data"),
    "a part": (
        {"picture": v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG, data=b"12", data_size=3)},
        "picture.data",
    ),
    "nothing": ({}, "label_map"),
    "too many": ({"label_map": LAYOUT, "count": 1 << 31}, "count"),
    "too large": ({"label_map": LAYOUT, "thumbnail_side": 1 << 31}, "thumbnail_side"),
    "too small": ({"label_map": LAYOUT, "thumbnail_side": 15}, "thumbnail_side"),
    "JPEG": ({"label_map": LAYOUT, "encoding": v1.ENCODING_JPEG}, "encoding"),
    "an unknown encoding": ({"label_map": LAYOUT, "encoding": 77}, "encoding"),
}  # fmt: skip


@pytest.mark.parametrize("what", MAPS)
def test_bad_searches_are_refused(stub: v1.LayoutbrushServiceStub, reader: Callable[[Any], Any], what: str) -> None:
    values, field = MAPS[what]
    with pytest.raises(grpc.RpcError) as failed:
        stub.FindReferences(v1.FindReferencesRequest(**values))
    refusal = reader(failed.value)
    assert refusal.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
    assert refusal.field == field
    works(stub)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_answered_cleanly(
    stub: v1.LayoutbrushServiceStub, reader: Callable[[Any], Any], data: bytes
) -> None:
    for call, kind in (
        (stub.FindReferences, v1.FindReferencesRequest),
        (stub.FetchReference, v1.FetchReferenceRequest),
    ):
        try:
            request = kind.FromString(data)
        except DecodeError:  # what isn't a message never reaches the service
            continue
        refused = attempt(lambda call=call, request=request: call(request))  # type: ignore[misc]
        assert refused is None or reader(refused).code in ("INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED")


def attempt(call: Callable[[], Any]) -> grpc.RpcError | None:
    """The error of a call; None where it is answered."""
    try:
        answer = call()
        if isinstance(answer, grpc.Call):
            for _ in answer:  # type: ignore[attr-defined]  # a stream
                pass
    except grpc.RpcError as error:
        return error
    return None


def test_everything_at_once_fits_into_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(64):
        Image.fromarray(random.integers(0, 256, (200, 200, 3), np.uint8)).save(
            folder / f"{number}.png", compress_level=0
        )
    library = Library(folder, Describer(StandInEngine(), STAND_IN_MANIFEST), tmp_path / "index")
    for _ in library.update():
        pass
    with ServerThread(scripted_backend(library=library)) as server, grpc.insecure_channel(server.address) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        for encoding in (v1.ENCODING_RAW, v1.ENCODING_PNG):
            request = v1.FindReferencesRequest(label_map=LAYOUT, count=64, thumbnail_side=192, encoding=encoding)
            answer = stub.FindReferences(request)
            assert len(answer.references) == 64
            assert answer.ByteSize() < 4 << 20
            assert not any(item.thumbnail.transfer_id for item in answer.references)

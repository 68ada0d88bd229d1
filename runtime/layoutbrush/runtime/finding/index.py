"""The index of a folder on disk: one file, written whole or not at all, read as far as it is sound.

    MAGIC, features (32 bytes), then records: length (u32), CRC-32 (u32), payload
    payload: length of the JSON (u32), JSON, layout (uint8), vectors (float16), thumbnail (JPEG)

Nothing in it is run or unpickled. A record that doesn't match its check sum costs that one photo, which is looked at
anew; an index of other networks, or of another format, is as good as none.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.errors import FailedPrecondition, InvalidArgument
from layoutbrush.runtime.finding.folder import Stamp
from layoutbrush.runtime.finding.layouts import GRID, Shares
from layoutbrush.runtime.geometry import Extent

_KIND = b"layoutbrush references "
MAGIC = _KIND + b"1\n"
_LARGEST_RECORD = 4 << 20
_HEAD = struct.Struct("<II")


@dataclass(frozen=True, eq=False)
class Look:
    """What a photo looks like, label by label. `labels`: uint8 (K,) of those it shows. `shares`: float16 (K,) of the
    picture. `vectors`: float16 (K, D), see `looks`.
    """

    labels: NDArray[np.uint8]
    shares: NDArray[np.float16]
    vectors: NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Description:
    """What the index knows of a content. `thumbnail`: a JPEG."""

    extent: Extent
    layout: Shares
    look: Look
    thumbnail: bytes


@dataclass(frozen=True, eq=False)
class Entry:
    """A photo of the folder. `described`: None where it can't be read; `why` then says so. `digest`: SHA-256 of the
    file.
    """

    name: str
    stamp: Stamp
    digest: str
    described: Description | None
    why: str = ""


def read_index(path: Path, features: bytes) -> list[Entry]:
    """Return the entries of an index; those of a missing, foreign or damaged one as far as they are sound.

    `features`: 32 bytes that name what the descriptions were made with.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return []
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : len(MAGIC) + 32] != features:
        return []
    return list(_records(data, len(MAGIC) + 32))


def check_place(path: Path) -> None:
    """Refuse a place where something lies that is no index: writing one would destroy it.

    Raises:
        InvalidArgument: says so.
    """
    if path.is_dir():
        raise InvalidArgument(f"{path.name} is a folder; name a file.", "index")
    try:
        with path.open("rb") as file:
            head = file.read(len(_KIND))
    except FileNotFoundError:
        return
    if head not in (b"", _KIND):
        raise InvalidArgument(f"{path.name} is no index of photos, and is not written over.", "index")


def write_index(path: Path, features: bytes, entries: Iterable[Entry]) -> None:
    """Write an index, for its owner only.

    Raises:
        FailedPrecondition: its folder can't be written to.
    """
    parts = [MAGIC, features]
    for entry in entries:
        payload = _packed(entry)
        parts += [_HEAD.pack(len(payload), zlib.crc32(payload)), payload]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        private_cache.write(path, b"".join(parts))
    except OSError:
        raise FailedPrecondition("The index can't be written: no room or no permission.", "index") from None


def _records(data: bytes, at: int) -> Iterator[Entry]:
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        payload = data[at : at + length]
        if length > _LARGEST_RECORD or len(payload) != length:
            return
        if zlib.crc32(payload) == check and (entry := _unpacked(payload)) is not None:
            yield entry
        at += length


def _packed(entry: Entry) -> bytes:
    about: dict[str, object] = {
        "name": entry.name,
        "size": entry.stamp.size,
        "changed": entry.stamp.changed,
        "digest": entry.digest,
        "why": entry.why,
    }
    arrays = b""
    if (found := entry.described) is not None:
        look = found.look
        about |= {
            "extent": [found.extent.width, found.extent.height],
            "layers": found.layout.shape[2],
            "labels": look.labels.tolist(),
            "shares": [float(share) for share in look.shares],
            "length": look.vectors.shape[1],
        }
        arrays = found.layout.tobytes() + look.vectors.astype("<f2").tobytes() + found.thumbnail
    head = json.dumps(about).encode()
    return struct.pack("<I", len(head)) + head + arrays


def _unpacked(payload: bytes) -> Entry | None:
    """The entry of a payload; None where it isn't one (its check sum agrees: made by somebody else)."""
    try:
        (size,) = struct.unpack_from("<I", payload)
        about = json.loads(payload[4 : 4 + size])
        stamp = Stamp(int(about["size"]), int(about["changed"]))
        described = _described(about, payload[4 + size :]) if "extent" in about else None
        return Entry(str(about["name"]), stamp, str(about["digest"]), described, str(about["why"]))
    except (ValueError, KeyError, TypeError, OverflowError, struct.error):
        return None


def _described(about: dict[str, list[int]], data: bytes) -> Description:
    layers, count, length = (int(str(number)) for number in (about["layers"], len(about["labels"]), about["length"]))
    first = GRID * GRID * layers
    second = first + 2 * count * length
    look = Look(
        np.array(about["labels"], np.uint8),
        np.array(about["shares"], np.float16),
        np.frombuffer(data[first:second], "<f2").reshape(count, length).astype(np.float16),
    )
    layout = np.frombuffer(data[:first], np.uint8).reshape(GRID, GRID, layers)
    return Description(Extent(*about["extent"]), layout, look, data[second:])

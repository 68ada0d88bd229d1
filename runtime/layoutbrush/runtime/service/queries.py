"""Requests for found references, checked."""

from __future__ import annotations

from dataclasses import dataclass

from layoutbrush import v1
from layoutbrush.runtime.errors import InvalidArgument, OutOfRange
from layoutbrush.runtime.finding.folder import LONGEST_NAME
from layoutbrush.runtime.layers import Encoding, LayerHeader, LayerKind
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service import read

MOST = 64
"""Photos in one answer."""
_COUNT, _SIDE = 12, 128
_SMALLEST_SIDE, _LARGEST_SIDE = 16, 192
_THUMBNAIL_BYTES = 3_500_000
"""All thumbnails of one answer, bytes: with all else it stays below 4 MiB."""
_REDUCED = "A reduced picture does as well."


@dataclass(frozen=True)
class Search:
    """A FindReferencesRequest. `side`: longer side of the thumbnails, pixels. At least one of the headers is there."""

    count: int
    side: int
    encoding: Encoding
    label_map: LayerHeader | None
    picture: LayerHeader | None


@dataclass(frozen=True)
class Fetch:
    """A FetchReferenceRequest. `max_side`: pixels, 0 = as the photo is."""

    name: str
    encoding: Encoding
    max_side: int


def search(message: v1.FindReferencesRequest) -> Search:
    """Return a checked request.

    Raises:
        InvalidArgument: a value is missing, unknown or out of its range.
    """
    count = message.count or _COUNT
    if count > MOST:
        raise OutOfRange(f"At most {MOST} photos are found at once.", "count")
    side = message.thumbnail_side or _SIDE
    if not _SMALLEST_SIDE <= side <= _LARGEST_SIDE:
        raise OutOfRange(f"thumbnail_side is {_SMALLEST_SIDE} to {_LARGEST_SIDE}.", "thumbnail_side")
    if not (message.HasField("label_map") or message.HasField("picture")):
        raise InvalidArgument("Say what to look for: a label_map, a picture, or both.", "label_map")
    label_map = picture = None
    if message.HasField("label_map"):
        own = message.label_map.kind == v1.LAYER_KIND_LABEL_MAP
        kind = LayerKind.LABEL_MAP if own else LayerKind.EDITED_LABEL_MAP
        label_map = read.whole_header(message.label_map, "label_map", kind, _REDUCED)
    if message.HasField("picture"):
        picture = read.whole_header(message.picture, "picture", LayerKind.PHOTO, _REDUCED)
    fitting = int((_THUMBNAIL_BYTES / 3 / count) ** 0.5)
    return Search(count, min(side, fitting), read.outgoing_encoding(message.encoding, "encoding"), label_map, picture)


def fetch(message: v1.FetchReferenceRequest, limits: Limits) -> Fetch:
    """Return a checked request.

    Raises:
        InvalidArgument: a value is missing, unknown or out of its range.
    """
    if not 1 <= len(message.name) <= LONGEST_NAME:
        raise OutOfRange(f"A name has 1 to {LONGEST_NAME} characters.", "name")
    if message.max_side and not limits.min_side <= message.max_side <= limits.max_side:
        raise OutOfRange(f"max_side is {limits.min_side} to {limits.max_side}, or 0.", "max_side")
    return Fetch(message.name, read.outgoing_encoding(message.encoding, "encoding"), message.max_side)

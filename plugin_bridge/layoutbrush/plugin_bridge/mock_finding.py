"""Found references of the mock: its own photos, compared at a few points."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.found import FoundReference, FoundReferences
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import Reference

_POINTS = 8
"""Points a side."""
_COUNT = 12


def ranked(
    photos: Sequence[Reference], label_map: Picture | None, picture: Picture | None, count: int
) -> FoundReferences:
    """Photos by the share of points whose labels agree, or whose colours are near."""
    if label_map is None and picture is None:
        text = "Say what to look for: a label_map, a picture, or both."
        raise RemoteError(grpc.StatusCode.INVALID_ARGUMENT, text, "label_map", "INVALID_ARGUMENT")
    found = []
    for photo in photos:
        scores = []
        if label_map is not None and photo.label_map is not None:
            pairs = list(zip(_points(label_map), _points(photo.label_map), strict=True))
            scores.append(sum(asked == has for asked, has in pairs) / len(pairs))
        if picture is not None:
            numbers = [
                abs(a - b)
                for asked, has in zip(_points(picture), _points(photo.photo), strict=True)
                for a, b in zip(asked, has, strict=False)
            ]
            scores.append(1 - sum(numbers) / len(numbers) / 255)
        score = sum(scores) / max(1, len(scores))
        found.append(FoundReference(photo.name, score, photo.photo.width, photo.photo.height, photo.photo))
    found.sort(key=lambda item: (-item.score, item.name))
    return FoundReferences(tuple(found[: count or _COUNT]), len(found))


def fetched(photos: Sequence[Reference], name: str) -> Reference:
    """The photo of that name."""
    for photo in photos:
        if photo.name == name:
            return photo
    text = "The server has no photo of that name."
    raise RemoteError(grpc.StatusCode.NOT_FOUND, text, "name", "REFERENCE_NOT_FOUND")


def _points(picture: Picture) -> list[bytes]:
    """The pixels at points spread over a raw 8-bit picture."""
    rows, columns, channels = picture.shape
    if picture.encoding != "RAW" or len(picture.data) != rows * columns * channels:
        raise ValueError("the mock reads raw, interleaved 8-bit pictures only")
    places = [(2 * i + 1) / (2 * _POINTS) for i in range(_POINTS)]
    starts = [channels * (int(y * rows) * columns + int(x * columns)) for y in places for x in places]
    return [picture.data[start : start + channels] for start in starts]

"""Photos of the server's folder, found by likeness: arguments to messages, and messages to pictures; free of I/O."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from layoutbrush import v1
from layoutbrush.plugin_bridge.events import Incoming
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import Reference

_ID_LENGTH = 64


@dataclass(frozen=True)
class FoundReference:
    """A photo that was found. `name`: to fetch it by and to be shown. `score`: likeness, 0 to 1. `width`, `height`: of
    the photo. `thumbnail`: RGB, at a small size.
    """

    name: str
    score: float
    width: int
    height: int
    thumbnail: Picture


@dataclass(frozen=True)
class FoundReferences:
    """The answer to a search, best first. `ranked`: photos that were compared. `pending`: photos that the server hasn't
    looked at yet; search again later.
    """

    references: tuple[FoundReference, ...]
    ranked: int = 0
    pending: int = 0


def search_message(
    label_map: Picture | None, picture: Picture | None, count: int, thumbnail_side: int, png: bool
) -> v1.FindReferencesRequest:
    """The request of a search."""
    message = v1.FindReferencesRequest(
        count=count, thumbnail_side=thumbnail_side, encoding=v1.ENCODING_PNG if png else v1.ENCODING_RAW
    )
    if label_map is not None:
        message.label_map.CopyFrom(label_map.packed().layer(v1.LAYER_KIND_EDITED_LABEL_MAP))
    if picture is not None:
        message.picture.CopyFrom(picture.layer(v1.LAYER_KIND_PHOTO))
    return message


def read_answer(message: v1.FindReferencesResponse) -> FoundReferences:
    """The photos of an answer."""
    references = tuple(
        FoundReference(
            item.name,
            item.score,
            item.extent.width,
            item.extent.height,
            Picture.received(item.thumbnail, item.thumbnail.data),
        )
        for item in message.references
    )
    return FoundReferences(references, message.ranked, message.pending)


def fetch_message(name: str, max_side: int) -> v1.FetchReferenceRequest:
    """The request of a photo."""
    return v1.FetchReferenceRequest(name=name, encoding=v1.ENCODING_RAW, max_side=max_side)


class Fetched:
    """Puts the messages of one FetchReference together."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._photo: Incoming | None = None
        self._label_map: Incoming | None = None

    def feed(self, response: v1.FetchReferenceResponse) -> Reference | None:
        """Take a message; returns the photo with its label map once both are complete."""
        if response.HasField("photo"):
            self._photo = Incoming(response.photo)
        elif response.HasField("label_map"):
            self._label_map = Incoming(response.label_map)
        elif response.HasField("chunk"):
            for layer in (self._photo, self._label_map):
                if layer is not None:
                    layer.take(response.chunk)
        if self._photo is None or self._label_map is None or not (self._photo.complete and self._label_map.complete):
            return None
        return Reference(reference_id(self._name), self._photo.picture(), self._label_map.picture())


def reference_id(name: str) -> str:
    """A reference's id for a document, made of a found photo's name: the same name gives the same id, and another one
    another.
    """
    if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        return name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{plain[: _ID_LENGTH - 1 - len(mark)]}-{mark}"

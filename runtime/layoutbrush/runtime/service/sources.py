"""From Edit.sources to what the pipeline draws from: which photo, which part of it, and what that is to fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layoutbrush import v1
from layoutbrush.runtime.documents import Document
from layoutbrush.runtime.documents.prepared import PreparedSlot
from layoutbrush.runtime.errors import InvalidArgument, OutOfRange, SizeMismatch, Unimplemented
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers import Decoded, LayerKind, place
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.manifest import Label, in_words
from layoutbrush.runtime.pipeline.events import BoolMap, Source
from layoutbrush.runtime.service import read
from layoutbrush.runtime.service.backend import Backend, Editor, Poll
from layoutbrush.runtime.service.uploads import Uploads

SMALLEST, LARGEST = 1 / 64, 64
"""Scales at which a reference may lie over a photo."""
FARTHEST = 1 << 20
"""Coordinates of a place, pixels from the origin."""


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """A photo to draw from, not prepared yet: pixels uint8 (H, W, 3), label map uint8 (H, W) or None, its slot."""

    photo: NDArray[np.uint8]
    layout: NDArray[np.uint8] | None
    slot: PreparedSlot

    def prepared(self, editor: Editor, cancelled: Poll) -> Any:
        """What the editor made of it, once; from a worker thread."""
        return self.slot.get(lambda: editor.open(self.photo, self.layout, cancelled), cancelled)


class Sources:
    """Reads sources of edits and checks them against the document's references."""

    def __init__(self, backend: Backend, uploads: Uploads, limits: Limits) -> None:
        self._backend = backend
        self._uploads = uploads
        self._limits = limits

    async def resolve(
        self, document: Document, sources: Sequence[v1.Source]
    ) -> tuple[tuple[Source, ...], dict[str, ReferencePhoto]]:
        """Return the sources, and the references that they name.

        Raises:
            LayoutbrushError: a source can't work; its field is named.
        """
        if len(sources) > self._limits.max_sources:
            raise OutOfRange(f"An edit has at most {self._limits.max_sources} sources.", "edit.sources")
        resolved = [
            await self._source(document, source, f"edit.sources[{index}]") for index, source in enumerate(sources)
        ]
        if sources and not self._backend.references:
            raise Unimplemented("This server doesn't draw from other photos or labels.", "edit.sources")
        names = dict.fromkeys(source.reference for source in resolved if source.reference)
        return tuple(resolved), {name: _reference(document, name) for name in names}

    async def _source(self, document: Document, source: v1.Source, fields: str) -> Source:
        target = source.WhichOneof("target")
        region = None
        if target == "label_id":
            read.label_id(source.label_id, self._backend, f"{fields}.label_id")
        elif target == "region":
            region = await self._mask(source.region, document.photo.bounds, f"{fields}.region")
        else:
            raise InvalidArgument("A source needs a label_id or a region to fill.", f"{fields}.label_id")
        wanted = source.source_label_id if source.HasField("source_label_id") else None
        if wanted is not None:
            read.label_id(wanted, self._backend, f"{fields}.source_label_id")
        photo = _photo(document, source.reference_id, fields)
        part = None
        if source.HasField("source_region"):
            part = await self._mask(source.source_region, photo.bounds, f"{fields}.source_region")
        if source.reference_id and photo.opaque is not None:
            part = photo.opaque if part is None else part & photo.opaque
        label = source.label_id if target == "label_id" else None
        if source.reference_id:
            drawn = wanted if wanted is not None else label
            _check_label(document, source.reference_id, drawn, part, self._backend.labels, fields)
        return Source(
            label, region, source.reference_id, wanted, part, _place(source, photo, document.photo.bounds, fields)
        )

    async def _mask(self, layer: v1.Layer, photo: Bounds, fields: str) -> BoolMap:
        header = read.whole_header(layer, fields, LayerKind.MASK)
        decoded = await self._uploads.decode(header, layer.data, photo)
        if not decoded.pixels.any():
            raise InvalidArgument("The region is empty.", fields)
        mask: BoolMap = place(decoded.pixels, decoded.bounds, photo, np.False_, header.at("bounds"))
        return mask


def _photo(document: Document, reference_id: str, fields: str) -> Decoded:
    """The photo that a source draws from."""
    if not reference_id:
        return document.photo
    document.check_uploads(LayerKind.REFERENCE_PHOTO, LayerKind.REFERENCE_LABEL_MAP)
    photo = document.layer(LayerKind.REFERENCE_PHOTO, reference_id)
    if photo is None:
        raise InvalidArgument(f'The document has no reference "{reference_id[:64]}".', f"{fields}.reference_id")
    layout = document.layer(LayerKind.REFERENCE_LABEL_MAP, reference_id)
    if layout is not None and layout.bounds != photo.bounds:
        raise SizeMismatch(
            f'The label map of the reference "{reference_id}" covers {layout.bounds}, its photo {photo.bounds}.',
            f"{fields}.reference_id",
        )
    return photo


def _check_label(
    document: Document,
    reference_id: str,
    wanted: int | None,
    part: BoolMap | None,
    labels: Sequence[Label],
    fields: str,
) -> None:
    """Refuse a reference that has nothing of what is wanted, where its label map is there to tell."""
    layout = document.layer(LayerKind.REFERENCE_LABEL_MAP, reference_id)
    if layout is None or wanted is None:
        return
    found = layout.pixels == wanted
    if not (found if part is None else found & part).any():
        where = "" if part is None else " where it may be drawn from"
        raise InvalidArgument(
            f'The reference "{reference_id}" has no pixel of {in_words(wanted, labels)}{where}.',
            f"{fields}.reference_id",
        )


def _place(source: v1.Source, photo: Decoded, canvas: Bounds, fields: str) -> Bounds | None:
    """Where the reference lies, in the document's photo's own pixels."""
    if not source.HasField("place"):
        return None
    field = f"{fields}.place"
    if not source.reference_id:
        raise InvalidArgument("The document's own photo has no place but its own.", field)
    if max(abs(source.place.x), abs(source.place.y)) > FARTHEST:
        raise OutOfRange(f"A place lies within {FARTHEST} pixels.", field)
    sides = ((source.place.width, photo.bounds.width), (source.place.height, photo.bounds.height))
    if not all(SMALLEST <= there / own <= LARGEST for there, own in sides):
        raise OutOfRange(f"A reference lies at 1/{LARGEST} to {LARGEST} times its size.", field)
    place = Bounds(source.place.x, source.place.y, source.place.width, source.place.height)
    return place.moved(-canvas.x, -canvas.y)


def _reference(document: Document, reference_id: str) -> ReferencePhoto:
    photo = document.layer(LayerKind.REFERENCE_PHOTO, reference_id)
    layout = document.layer(LayerKind.REFERENCE_LABEL_MAP, reference_id)
    if photo is None:
        raise InvalidArgument(f'The document has no reference "{reference_id}".', "edit.sources")
    return ReferencePhoto(photo.pixels, None if layout is None else layout.pixels, document.reference(reference_id))

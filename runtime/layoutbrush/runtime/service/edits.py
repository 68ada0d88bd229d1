"""From an Edit message to an EditRequest: label map or tiles, masks, sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layoutbrush import v1
from layoutbrush.runtime.documents import Document
from layoutbrush.runtime.errors import (
    FailedPrecondition,
    InvalidArgument,
    LayoutbrushError,
    OutOfRange,
)
from layoutbrush.runtime.layers import LayerKind, place
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.pipeline.events import EditRequest
from layoutbrush.runtime.service import read
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.service.sources import ReferencePhoto, Sources
from layoutbrush.runtime.service.uploads import Uploads

_MASK_USES: dict[int, Literal["replace", "bound"]] = {
    v1.MASK_USE_UNSPECIFIED: "replace",
    v1.MASK_USE_REPLACE: "replace",
    v1.MASK_USE_BOUND: "bound",
}


@dataclass(frozen=True)
class Prepared:
    """An edit ready to run, but for the references that it draws from, and the revision of the label map that it
    shows.
    """

    request: EditRequest
    revision: int
    references: Mapping[str, ReferencePhoto]


class Edits:
    """Reads edits of documents."""

    def __init__(self, backend: Backend, uploads: Uploads, limits: Limits) -> None:
        self._backend = backend
        self._uploads = uploads
        self._limits = limits
        self._sources = Sources(backend, uploads, limits)

    async def resolve(self, document: Document, edit: v1.Edit, options: read.Options) -> Prepared:
        """Check an edit against its document, paint its tiles, and return what the pipeline wants.

        Raises:
            LayoutbrushError: the edit can't work; the field is named, the document is unchanged.
        """
        photo = document.photo
        if edit.mask_use not in _MASK_USES:
            raise InvalidArgument("The field has an unknown value.", "edit.mask_use")
        sources, references = await self._sources.resolve(document, edit.sources)
        mask = await self._selection(document, edit.mask if edit.HasField("mask") else None, LayerKind.MASK)
        exclude = await self._selection(document, edit.exclude if edit.HasField("exclude") else None, LayerKind.EXCLUDE)
        if photo.opaque is not None:
            exclude = ~photo.opaque if exclude is None else exclude | ~photo.opaque
        async with document.editing:
            edited = await self._edited(document, edit, mask is not None)
            revision = document.next_revision(edited)
        request = EditRequest(
            edited=edited,
            mask=mask,
            exclude=exclude,
            seed=options.seed,
            grow=options.grow,
            mask_use=_MASK_USES[edit.mask_use],
            previews=options.previews,  # type: ignore[arg-type]  # checked by read.options
            preview_side=options.preview_side,
            tiles=options.tiles,
            sources=sources,
        )
        return Prepared(request, revision, references)

    async def _edited(self, document: Document, edit: v1.Edit, masked: bool) -> NDArray[np.uint8]:
        """The edited label map over the whole photo, (H, W)."""
        bounds = document.photo.bounds
        which = edit.WhichOneof("layout")
        if which == "tiles":
            return await self._paint(document, edit.tiles)
        if which == "label_map":
            header = read.whole_header(edit.label_map, "edit.label_map", LayerKind.EDITED_LABEL_MAP)
            layer = await self._uploads.decode(header, edit.label_map.data, bounds)
            field = header.at("bounds")
        else:
            document.check_uploads(LayerKind.EDITED_LABEL_MAP)
            stored = document.layer(LayerKind.EDITED_LABEL_MAP)
            if stored is None:
                if masked:
                    return self._base(document)  # repaint the masked pixels under the labels that they have
                raise InvalidArgument("The edit has no label map, no tiles and no mask.", "edit.label_map")
            layer, field = stored, "edit.label_map"
        base = np.uint8(0) if layer.bounds == bounds else self._base(document)
        return place(layer.pixels, layer.bounds, bounds, base, field)

    def _base(self, document: Document) -> NDArray[np.uint8]:
        document.check_uploads(LayerKind.LABEL_MAP)
        layout = document.whole(LayerKind.LABEL_MAP)
        if layout is None:
            raise FailedPrecondition(
                "The document has no label map to edit a part of: send one, or call Segment with store.", "document_id"
            )
        return layout

    async def _paint(self, document: Document, edit: v1.TileEdit) -> NDArray[np.uint8]:
        if not 1 <= len(edit.tiles) <= self._limits.max_tiles:
            raise OutOfRange(f"An edit has 1 to {self._limits.max_tiles} tiles.", "edit.tiles.tiles")
        bounds = document.photo.bounds
        base = document.edited_at(edit.base_revision) if edit.base_revision else self._base(document)
        layers = []
        for index, tile in enumerate(edit.tiles):
            fields = f"edit.tiles.tiles[{index}]"
            header = read.whole_header(tile, fields, LayerKind.EDITED_LABEL_MAP)
            if header.bounds is None:
                raise InvalidArgument("A tile needs bounds.", f"{fields}.bounds")
            layers.append(await self._uploads.decode(header, tile.data, bounds))
        painted = base.copy()
        for layer in layers:
            painted[layer.bounds.moved(-bounds.x, -bounds.y).slices] = layer.pixels
        return painted

    async def _selection(self, document: Document, layer: v1.Layer | None, kind: LayerKind) -> NDArray[np.bool_] | None:
        """A mask over the whole photo, (H, W): the edit's own, or the document's, or None."""
        if layer is None:
            document.check_uploads(kind)
            return document.whole(kind)
        bounds = document.photo.bounds
        header = read.whole_header(layer, f"edit.{kind.name.lower()}", kind)
        decoded = await self._uploads.decode(header, layer.data, bounds)
        return place(decoded.pixels, decoded.bounds, bounds, np.False_, header.at("bounds"))


_FIELDS = {
    "layout": "layers[LABEL_MAP]",
    "edited": "edit.label_map",
    "mask": "edit.mask",
    "exclude": "edit.exclude",
    "seed": "options.seed",
    "grow": "options.grow",
}
_SOURCE_FIELDS = {"label": "label_id", "reference": "reference_id", "source_label": "source_label_id"}


def as_sent(error: LayoutbrushError) -> LayoutbrushError:
    """Rename a field of EditRequest, which an error of the pipeline names, to the client's own."""
    source, _, field = error.field.partition("].")
    if source.startswith("sources["):
        error.field = f"edit.{source}].{_SOURCE_FIELDS.get(field, field)}"
    error.field = _FIELDS.get(error.field, error.field)
    return error

"""One document. Belongs to the event loop: nothing here may be changed from a worker thread, except `Prepared`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.documents.prepared import PreparedSlot
from layoutbrush.runtime.documents.upload import Upload
from layoutbrush.runtime.errors import (
    DamagedData,
    FailedPrecondition,
    LayoutbrushError,
    LimitExceeded,
    SizeMismatch,
    StaleRevision,
)
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers import Decoded, LayerHeader, LayerKey, LayerKind, place
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.manifest import UNKNOWN_LABEL

PHOTO = LayerKey(LayerKind.PHOTO)
LABEL_MAP = LayerKey(LayerKind.LABEL_MAP)


class Running(Protocol):
    """A render of a document, waiting or at work."""

    def stop(self, reason: LayoutbrushError) -> None:
        """End it with `reason`."""


class Document:
    """The layers of one photo, the edited label map's latest state, and the renders under way.

    Decoded layers are never written to once they are here: worker threads may read them while the document moves on.
    """

    def __init__(self, document_id: str, now: float) -> None:
        self.id = document_id
        self.used = now
        self.users = 0
        self.layers: dict[LayerKey, Decoded] = {}
        self.uploads: dict[LayerKey, Upload] = {}
        self.running: dict[Running, None] = {}  # in the order of their arrival
        self.editing = asyncio.Lock()  # edits of the label map are applied one after the other
        self.revision = 0
        self.prepared = PreparedSlot()
        self.references: dict[str, PreparedSlot] = {}
        self._edited: tuple[int, NDArray[np.uint8]] | None = None

    @property
    def nbytes(self) -> int:
        """Memory held, bytes: layers, unfinished uploads, cached features."""
        edited = 0 if self._edited is None else self._edited[1].nbytes
        held = sum(layer.nbytes for layer in self.layers.values())
        return held + sum(len(upload.data) for upload in self.uploads.values()) + edited + self._prepared_bytes

    @property
    def _prepared_bytes(self) -> int:
        return self.prepared.nbytes + sum(slot.nbytes for slot in self.references.values())

    @property
    def photo(self) -> Decoded:
        """The photo.

        Raises:
            DamagedData: its upload isn't complete.
            FailedPrecondition: there is none.
        """
        self.check_uploads(LayerKind.PHOTO)
        try:
            return self.layers[PHOTO]
        except KeyError:
            raise FailedPrecondition("The document has no photo yet.", "document_id") from None

    def bounds_for(self, key: LayerKey) -> Bounds | None:
        """What a layer without bounds covers: the document's photo, or the reference's own."""
        home = LayerKey(LayerKind.REFERENCE_PHOTO, key.reference_id) if key.kind.is_reference else PHOTO
        layer = self.layers.get(home)
        return None if layer is None else layer.bounds

    def layer(self, kind: LayerKind, reference_id: str = "") -> Decoded | None:
        """A complete layer, or None where there is none."""
        return self.layers.get(LayerKey(kind, reference_id))

    def check_uploads(self, *kinds: LayerKind) -> None:
        """Refuse to work while a layer of these kinds (any, where none is named) is only partly there.

        Raises:
            DamagedData: naming the layer.
        """
        for key, upload in self.uploads.items():
            if not kinds or key.kind in kinds:
                raise DamagedData(
                    f"Only {len(upload.data)} of {upload.header.data_size} bytes of the {key.kind.words} arrived.",
                    f"layers[{key.kind.name}].data",
                )

    def check_room(self, key: LayerKey, limits: Limits, field: str) -> None:
        """Check that a layer may be added.

        Raises:
            LimitExceeded: the document has as many layers as it may.
        """
        present = self.layers.keys() | self.uploads.keys()
        if key not in present and len(present) >= limits.max_layers:
            raise LimitExceeded(f"A document has at most {limits.max_layers} layers.", field)
        names = {other.reference_id for other in present if other.kind.is_reference}
        if key.kind.is_reference and key.reference_id not in names and len(names) >= limits.max_references:
            raise LimitExceeded(f"A document has at most {limits.max_references} references.", field)

    def reference(self, reference_id: str) -> PreparedSlot:
        """The slot of what is computed once for a reference photo."""
        return self.references.setdefault(reference_id, PreparedSlot())

    def check_size(self, header: LayerHeader, decoded: Decoded) -> None:
        """Check a decoded layer against those that are there.

        Raises:
            SizeMismatch: a new photo has other bounds than the one that it replaces; another layer reaches beyond the
                photo; a reference and its label map differ.
        """
        at = header.at("bounds" if header.bounds is not None else "data")
        if header.kind.is_photo:
            old = self.layers.get(header.key)
            if old is not None and old.bounds != decoded.bounds:
                raise SizeMismatch(
                    f"The document's {header.kind.words} covers {old.bounds}, this one {decoded.bounds}; "
                    "open another document for it.",
                    at,
                )
            for key, layer in self.layers.items():
                if self.bounds_for(key) is None and key.reference_id == header.key.reference_id:
                    self._check_inside(key, layer.bounds, decoded.bounds, at)
        else:
            photo = self.bounds_for(header.key)
            if photo is not None:
                self._check_inside(header.key, decoded.bounds, photo, at)

    def _check_inside(self, key: LayerKey, layer: Bounds, photo: Bounds, field: str) -> None:
        same = key.kind is LayerKind.REFERENCE_LABEL_MAP
        if layer != photo if same else not photo.contains(layer):
            raise SizeMismatch(f"The {key.kind.words} covers {layer}, the photo {photo}.", field)

    def put(self, key: LayerKey, decoded: Decoded) -> None:
        """Add or replace a layer; what depended on the old one is forgotten."""
        self.layers[key] = decoded
        self.uploads.pop(key, None)
        if key in (PHOTO, LABEL_MAP):
            self.prepared = PreparedSlot()
        if key.kind.is_reference:
            self.references.pop(key.reference_id, None)
        if key.kind in (LayerKind.LABEL_MAP, LayerKind.EDITED_LABEL_MAP):
            self._edited = None

    def whole(self, kind: LayerKind) -> NDArray[Any] | None:
        """A layer's pixels laid over the whole photo, (H, W); None where there is no such layer.

        Outside a layer's bounds a label map is unknown, a mask False.
        """
        layer = self.layer(kind)
        if layer is None:
            return None
        base = np.uint8(UNKNOWN_LABEL) if kind.is_labels else np.False_
        return place(layer.pixels, layer.bounds, self.photo.bounds, base)

    def adopt_label_map(self, layout: NDArray[np.uint8], slot: PreparedSlot) -> None:
        """Take over the label map (H, W) that segmentation found while filling `slot`, unless the document moved on."""
        if slot is self.prepared and LABEL_MAP not in self.layers:
            self.layers[LABEL_MAP] = Decoded(self.photo.bounds, layout)

    def edited_at(self, revision: int) -> NDArray[np.uint8]:
        """The edited label map (H, W) of the latest revision.

        Raises:
            StaleRevision: another revision was asked for.
        """
        if self._edited is None or self._edited[0] != revision:
            raise StaleRevision(
                "That revision of the edited label map is gone; send the whole map.", "edit.tiles.base_revision"
            )
        return self._edited[1]

    def next_revision(self, edited: NDArray[np.uint8]) -> int:
        """Keep `edited` (H, W) as the latest state and return its number."""
        self.revision += 1
        self._edited = (self.revision, edited)
        return self.revision

    def stop_all(self, reason: Callable[[], LayoutbrushError], before: Running | None = None) -> None:
        """End every render, waiting or at work; with `before`, those that arrived before it."""
        for running in tuple(self.running):
            if running is before:
                return
            running.stop(reason())

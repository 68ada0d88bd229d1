"""From pixels to what the index keeps of them: the graph `segment`, run once on a small picture, gives labels and
features.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.engines import Engine
from layoutbrush.runtime.errors import Cancelled, FailedPrecondition
from layoutbrush.runtime.finding.index import Description, Look
from layoutbrush.runtime.finding.layouts import layout_shares
from layoutbrush.runtime.finding.looks import look_of
from layoutbrush.runtime.finding.ranking import Query
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.segmenting import look_extent

VERSION = 1
"""Of the descriptions: another one makes all indices anew."""

SIDE = 432
"""Longer side in pixels at which photos are looked at, of `pipeline.segmenting` the cheaper of two looks."""

THUMBNAIL = 192
"""Longer side of the thumbnails that are kept."""

_CELL = 16
"""Pixels a side that one place of the features stands for."""


class Describer:
    """Describes photos with an engine. Safe to use from several threads.

    Raises:
        FailedPrecondition: the bundle's graph `segment` gives no features.
    """

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        graph = manifest.graphs.get("segment")
        names = {tensor.name for tensor in graph.outputs} if graph else set()
        if graph is None or (names and "features" not in names):
            raise FailedPrecondition(
                f"The bundle {manifest.name} {manifest.version} can't compare photos: its graph segment gives no "
                "features.",
                "bundle",
            )
        self._engine = engine
        self._manifest = manifest
        self._labels = tuple(label.id for label in manifest.labels)
        made_with = [VERSION, manifest.name, graph.sha256, self._labels]
        self.key = hashlib.sha256(json.dumps(made_with).encode()).digest()
        """32 bytes that change when descriptions can't be compared any more."""

    def describe(self, photo: NDArray[np.uint8], cancelled: Callable[[], bool] = lambda: False) -> Description:
        """Return what the index keeps of a photo, uint8 (H, W, 3).

        Raises:
            Cancelled: `cancelled()` turned True before the network ran.
        """
        labels, look = self._seen(photo, None, cancelled)
        extent = Extent.of_shape(photo.shape)
        small = extent.scaled(min(1.0, THUMBNAIL / extent.longer))
        thumbnail = Image.fromarray(resample.scale_photo(photo, Bounds.of(extent), small))
        file = io.BytesIO()
        thumbnail.save(file, "JPEG", quality=85)
        return Description(extent, layout_shares(labels, self._labels), look, file.getvalue())

    def query(
        self,
        layout: NDArray[np.uint8] | None,
        picture: NDArray[np.uint8] | None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Query:
        """Return what to look for: a label map uint8 (H, W), a picture uint8 (h, w, 3), or both. A picture without a
        label map is segmented.
        """
        look, asked = None, layout is not None
        if picture is not None:
            layout, look = self._seen(picture, layout, cancelled)
        return Query(None if layout is None else layout_shares(layout, self._labels), look, asked)

    def _seen(
        self, photo: NDArray[np.uint8], layout: NDArray[np.uint8] | None, cancelled: Callable[[], bool]
    ) -> tuple[NDArray[np.uint8], Look]:
        """The label map, the given one or that of the network, and the look."""
        extent, smallest = Extent.of_shape(photo.shape), self._manifest.smallest
        small = look_extent(extent, SIDE, smallest)
        image = resample.scale_photo(photo, Bounds.of(extent), small)
        padded = resample.padded_extent(small, max(_CELL, self._manifest.alignment), smallest)
        if cancelled():
            raise Cancelled
        planes = resample.to_planes(resample.pad(image, padded, edge=True))
        found = self._engine.run("segment", {"image": planes}, ("labels", "features"))
        own = found["labels"][0, : small.height, : small.width].astype(np.uint8)
        shown = own if layout is None else resample.scale_labels(layout, small)
        whole = np.full(padded.shape, UNKNOWN_LABEL, np.uint8)
        whole[: small.height, : small.width] = shown
        return own if layout is None else layout, look_of(found["features"][0], whole, self._labels)

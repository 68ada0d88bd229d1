"""A region of the photo as the networks see it, with its features; made once and used by every edit of that region."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Arrays, Runner
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import LabelMap, Photo

KEYS = ("keys_8", "keys_4", "keys_2", "keys_1", "labels_8", "labels_4", "labels_2")
"""Outputs of `encode_image`: features at 1/8, 1/4, 1/2 and full size; the most frequent label of each cell."""

MAX_BYTES = 160 << 20
"""Scenes kept for one document, the latest used ones (one of 512 x 512 is about 60 MB); one is always kept."""


@dataclass(frozen=True, eq=False)
class Scene:
    """`region` of the photo at `extent` network pixels, padded to `padded`.

    `image`: float32 (1, 3, H, W) in [0, 1]. `layout`: int32 (1, H, W). `features`: what `encode_image` made of them.
    Features hold positions within their region: those of a part can't be cut out of those of the whole.
    """

    region: Bounds
    extent: Extent
    padded: Extent
    image: NDArray[np.float32]
    layout: NDArray[np.int32]
    features: Arrays

    @property
    def native(self) -> bool:
        """True where a network pixel is a photo pixel."""
        return self.extent == self.region.extent

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(array.nbytes for array in (self.image, self.layout, *self.features.values()))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo that was opened: its label map and the scenes made so far. Safe to use from several threads.

    `photo`: uint8 (H, W, 3). `layout`: uint8 (H, W), given or segmented (`segmented`). `given`: the layout as it was
    given where that said too little and `layout` holds what the segmenter found; None otherwise.
    """

    photo: Photo
    layout: LabelMap
    segmented: bool = False
    given: LabelMap | None = None
    _scenes: OrderedDict[tuple[Bounds, Extent], Scene] = field(default_factory=OrderedDict)
    _variants: dict[bytes, Prepared] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def extent(self) -> Extent:
        """The photo's size."""
        return Extent.of_shape(self.photo.shape)

    @property
    def painted(self) -> LabelMap:
        """The layout with which an edited one is compared: as it was given, gaps and all."""
        return self.layout if self.given is None else self.given

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        with self._lock:
            variants = list(self._variants.values())
        shared = self.photo.nbytes + (0 if self.given is None else self.given.nbytes)
        return shared + self._own_bytes() + sum(variant._own_bytes() for variant in variants)

    def _own_bytes(self) -> int:
        """Bytes held of what no variant shares: the label map and the features."""
        with self._lock:
            return self.layout.nbytes + sum(scene.nbytes for scene in self._scenes.values())

    def variant(self, key: bytes) -> Prepared | None:
        """Return the photo with other labels, as it was kept under `key`."""
        with self._lock:
            return self._variants.get(key)

    def keep_variant(self, key: bytes, variant: Prepared) -> None:
        """Keep the photo with other labels, one at a time: a mask is often drawn in several times in a row."""
        with self._lock:
            self._variants.clear()
            self._variants[key] = variant

    def find(self, region: Bounds, extent: Extent) -> Scene | None:
        """Return a scene made before."""
        with self._lock:
            scene = self._scenes.get((region, extent))
            if scene is not None:
                self._scenes.move_to_end((region, extent))
            return scene

    def keep(self, scene: Scene) -> None:
        """Keep a scene for later edits."""
        with self._lock:
            self._scenes[scene.region, scene.extent] = scene
            while len(self._scenes) > 1 and sum(kept.nbytes for kept in self._scenes.values()) > MAX_BYTES:
                self._scenes.popitem(last=False)


def make_scene(
    engine: Runner, manifest: Manifest, photo: Photo, layout: LabelMap, region: Bounds, extent: Extent
) -> Scene:
    """Return the scene of `region` at `extent`: scale, pad, encode."""
    padded = resample.padded_extent(extent, manifest.alignment, manifest.smallest)
    image = resample.to_planes(resample.pad(resample.scale_photo(photo, region, extent), padded, edge=True))
    labels = resample.pad(resample.scale_labels(layout[region.slices], extent), padded, edge=True)
    values = np.ascontiguousarray(labels.astype(np.int32)[None])
    features = engine.run("encode_image", {"image": image, "layout": values}, KEYS)
    return Scene(region, extent, padded, image, values, features)

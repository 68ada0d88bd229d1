"""A region of the photo as the networks see it, with its features; made once and used by every edit of that region."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Arrays, Engine
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import LabelMap, Photo

KEYS = {"keys_8": 8, "keys_4": 4, "keys_2": 2, "keys_1": 1}
"""Outputs of `encode_image` with the number of network pixels, a side, that one of their vectors stands for."""

MAX_SCENES = 2
"""Scenes kept for one document, the latest used ones (one of 512 x 512 is some tens of megabytes)."""


@dataclass(frozen=True, eq=False)
class Scene:
    """`region` of the photo at `extent` network pixels, padded to `padded`.

    `image`: float32 (1, 3, H, W) in [0, 1]. `layout`: int32 (1, H, W). `features`: what `encode_image` made of them.
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

    def window(self, bounds: Bounds) -> Mapping[str, NDArray[np.generic]]:
        """Return image, layout and features cut to `bounds` (network pixels of this scene, on the grid of 16)."""
        rows, columns = bounds.slices
        cut: dict[str, NDArray[np.generic]] = {
            "image": self.image[:, :, rows, columns],
            "layout": self.layout[:, rows, columns],
        }
        for name, step in KEYS.items():
            near = Bounds(bounds.x // step, bounds.y // step, bounds.width // step, bounds.height // step).slices
            cut[name] = self.features[name][:, near[0], near[1]]
        return cut


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo that was opened: its label map and the scenes made so far. Safe to use from several threads.

    `photo`: uint8 (H, W, 3). `layout`: uint8 (H, W), given or segmented (`segmented`).
    """

    photo: Photo
    layout: LabelMap
    segmented: bool = False
    _scenes: OrderedDict[tuple[Bounds, Extent], Scene] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def extent(self) -> Extent:
        """The photo's size."""
        return Extent.of_shape(self.photo.shape)

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        with self._lock:
            scenes = list(self._scenes.values())
        arrays = [array for scene in scenes for array in (scene.image, scene.layout, *scene.features.values())]
        return self.photo.nbytes + self.layout.nbytes + sum(array.nbytes for array in arrays)

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
            while len(self._scenes) > MAX_SCENES:
                self._scenes.popitem(last=False)


def make_scene(
    engine: Engine, manifest: Manifest, photo: Photo, layout: LabelMap, region: Bounds, extent: Extent
) -> Scene:
    """Return the scene of `region` at `extent`: scale, pad, encode."""
    padded = resample.padded_extent(extent, manifest.alignment, manifest.smallest)
    image = resample.to_planes(resample.pad(resample.scale_photo(photo, region, extent), padded, edge=True))
    labels = resample.pad(resample.scale_labels(layout[region.slices], extent), padded, edge=True)
    values = np.ascontiguousarray(labels.astype(np.int32)[None])
    features = engine.run("encode_image", {"image": image, "layout": values}, tuple(KEYS))
    return Scene(region, extent, padded, image, values, features)

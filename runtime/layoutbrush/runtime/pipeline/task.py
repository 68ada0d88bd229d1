"""One edit in a scene: the maps that the graphs want, at the networks' scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import BoolMap, EditRequest
from layoutbrush.runtime.pipeline.harmony import doubt, harmonised
from layoutbrush.runtime.pipeline.mask import EXCLUDE_RIM, Mask, grow
from layoutbrush.runtime.pipeline.scene import Scene


@dataclass(frozen=True, eq=False)
class Task:
    """`mask`: in the photo's pixels. `edited` int32, `inside` (True = may change) and `source` (True = may be copied)
    bool: (1, h, w) in the scene's padded pixels.
    """

    request: EditRequest
    mask: Mask
    scene: Scene
    edited: NDArray[np.int32]
    inside: BoolMap
    source: BoolMap

    def doubt(self, confidence: Array) -> NDArray[np.float32]:
        """Return how unsure the warp is, float32 (h, w) in 0 to 1, of its best scores, float32 (1, 1, h, w)."""
        return doubt(confidence[0, 0], self.inside[0])

    def settled(self, planes: Array, warped: Array, unsure: NDArray[np.float32], keep: float) -> Array:
        """Return a picture of the refiner, float32 (1, 3, h, w), of which the warp's share is `keep` where the warp is
        sure, and nothing where it guesses. What is a true copy of the photo is repainted least.
        """
        share = np.float32(keep) * (1 - unsure) * self.inside[0]
        mixed: Array = planes + (warped - planes) * share
        return mixed

    def harmonised(self, planes: Array, unsure: NDArray[np.float32], strength: float) -> Array:
        """Return a picture of the networks, float32 (1, 3, h, w), without the seam at the mask's rim."""
        if strength <= 0:
            return planes
        scene = self.scene
        maps = (self.inside[0], scene.layout[0], self.edited[0], self.source[0])
        return harmonised(planes[0], scene.image[0], *maps, strength, unsure)[None]


def make_task(request: EditRequest, mask: Mask, scene: Scene) -> Task:
    """Return the maps of an edit at the scene's scale; padding may neither change nor be copied."""
    region, extent, padded = scene.region, scene.extent, scene.padded
    edited = resample.pad(resample.scale_labels(request.edited[region.slices], extent), padded, edge=True)
    inside = resample.pad(resample.any_owned(mask.crop(region), extent), padded, edge=False)
    source = np.zeros(padded.shape, np.bool_)
    source[: extent.height, : extent.width] = True
    if request.exclude is not None:
        excluded = resample.any_owned(request.exclude[region.slices], extent)
        source[: extent.height, : extent.width] &= ~grow(excluded, EXCLUDE_RIM)
    return Task(request, mask, scene, edited.astype(np.int32)[None], inside[None], source[None])

"""One edit in a scene: the maps that the graphs want, at the networks' scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import BoolMap, EditRequest
from layoutbrush.runtime.pipeline.fading import Shares, fresh_shares
from layoutbrush.runtime.pipeline.harmony import doubt, harmonised
from layoutbrush.runtime.pipeline.mask import EXCLUDE_RIM, Mask, filled_bounds, grow
from layoutbrush.runtime.pipeline.scene import Scene
from layoutbrush.runtime.pipeline.warping import KeySide, View, known_pixels

MARGIN = 32
"""Context in network pixels around the mask that the view holds, at least."""
CELL = 8
"""The view begins at multiples of it, so that its cells at every scale are those of the scene."""
STEP = 16
"""The view's sides are multiples of it, as the graphs want them; so are the scene's."""


@dataclass(frozen=True, eq=False)
class Task:
    """`mask`: in the photo's pixels. `edited` int32, `inside` (True = may change) and `source` (True = may be copied)
    bool: (1, h, w) in the scene's padded pixels. `window`: the part of those that the networks change, the view.
    """

    request: EditRequest
    mask: Mask
    scene: Scene
    edited: NDArray[np.int32]
    inside: BoolMap
    source: BoolMap
    window: Bounds

    @cached_property
    def view(self) -> View:
        """The view's own maps."""
        edited, inside = self.cut(self.edited), self.cut(self.inside)
        known = known_pixels(inside, self.cut(self.source), self.cut(self.scene.layout), edited)
        height, width = self.scene.padded.shape
        box = self.window
        place = np.array([box.y / height, box.x / width, box.bottom / height, box.right / width], np.float32)
        return View(self.cut(self.scene.image), edited, inside, known, place)

    @cached_property
    def keys(self) -> KeySide:
        """The scene itself: what a plain edit draws from."""
        return KeySide(self.scene, self.source)

    @cached_property
    def near(self) -> Bounds:
        """The mask's bounds in the scene's pixels."""
        moved = self.mask.bounds.moved(-self.scene.region.x, -self.scene.region.y)
        return moved if self.scene.native else moved.scaled(self.scene.region.extent, self.scene.extent)

    @cached_property
    def shares(self) -> Shares | None:
        """How far the new pixels replace the photo's in `near`, as `fresh_shares`."""
        return fresh_shares(self.mask, self.near.extent)

    def cut(self, planes: Array) -> Array:
        """Return the window of an array (..., H, W) in the scene's padded pixels."""
        return np.ascontiguousarray(planes[(..., *self.window.slices)])

    def placed(self, part: Array, around: Array) -> Array:
        """Return `around`, an array (..., H, W) in the scene's padded pixels, with the window replaced by `part`."""
        if self.window.extent == self.scene.padded:
            return part
        whole = around.copy()
        whole[(..., *self.window.slices)] = part
        return whole

    def whole(self, picture: Array) -> Array:
        """Return a picture of the window, float32 (1, 3, h, w), in the scene's: (1, 3, H, W)."""
        return self.placed(picture, self.scene.image)

    def doubt(self, confidence: Array) -> NDArray[np.float32]:
        """Return how unsure the warp is, float32 (h, w) in 0 to 1, of its best scores, float32 (1, 1, h, w), of the
        window.
        """
        return doubt(confidence[0, 0], self.view.inside[0])

    def settled(self, planes: Array, warped: Array, kept: NDArray[np.float32]) -> Array:
        """Return a picture of the refiner, float32 (1, 3, h, w) of the window, of which the warp's share is `kept`,
        float32 (h, w).
        """
        mixed: Array = planes + (warped - planes) * (kept * self.view.inside[0])
        return mixed

    def harmonised(self, planes: Array, spread: NDArray[np.float32]) -> Array:
        """Return a picture of the networks, float32 (1, 3, h, w) of the window, without the seam at the mask's rim.

        `spread`: float32 (h, w), the share of the seam's difference that is taken away.
        """
        if not spread.any():
            return planes
        view = self.view
        maps = (view.inside[0], self.cut(self.scene.layout)[0], view.edited[0], self.cut(self.source)[0])
        return harmonised(planes[0], view.image[0], *maps, spread)[None]


def make_task(request: EditRequest, mask: Mask, scene: Scene) -> Task:
    """Return the maps of an edit at the scene's scale; padding may neither change nor be copied."""
    region, extent, padded = scene.region, scene.extent, scene.padded
    edited = resample.pad(resample.scale_labels(request.edited[region.slices], extent), padded, edge=True)
    inside = resample.pad(mask.owned(region, extent), padded, edge=False)
    source = np.zeros(padded.shape, np.bool_)
    source[: extent.height, : extent.width] = True
    if request.exclude is not None:
        excluded = resample.any_owned(request.exclude[region.slices], extent)
        source[: extent.height, : extent.width] &= ~grow(excluded, EXCLUDE_RIM)
    window = view_window(filled_bounds(inside), padded)
    return Task(request, mask, scene, edited.astype(np.int32)[None], inside[None], source[None], window)


def first_picture(task: Task, estimate: Array) -> Array:
    """Return the first picture of the view, float32 (1, 3, h, w), of the estimate at a quarter of its size."""
    planes = resample.scale_planes(estimate[0], task.window.extent)
    return np.where(task.view.inside[0], planes, task.view.image[0])[None]


def view_window(mask: Bounds, padded: Extent, margin: int = MARGIN, least: int = 64) -> Bounds:
    """Return the part of a scene of `padded` pixels that holds the mask's bounds and context around them.

    It begins at multiples of `CELL`; its sides are multiples of `STEP`, none below `least`.
    """
    x, width = _side(mask.x - margin, mask.right + margin, padded.width, least)
    y, height = _side(mask.y - margin, mask.bottom + margin, padded.height, least)
    return Bounds(x, y, width, height)


def _side(low: int, high: int, limit: int, least: int) -> tuple[int, int]:
    low = max(0, low) // CELL * CELL
    size = min(limit, max(least, -(-(min(high, limit) - low) // STEP) * STEP))
    return min(low, limit - size), size

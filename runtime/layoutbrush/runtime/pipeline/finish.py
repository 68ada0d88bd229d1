"""From the networks' pixels to the photo's: previews, the new pixels at full resolution, the layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.carry import Networks, carry
from layoutbrush.runtime.pipeline.coherence import Field, coherent
from layoutbrush.runtime.pipeline.composite import blend, feather_weights
from layoutbrush.runtime.pipeline.events import Layer, Photo
from layoutbrush.runtime.pipeline.scene import Prepared
from layoutbrush.runtime.pipeline.task import Task


def preview_layer(prepared: Prepared, task: Task, planes: Array) -> Layer:
    """Return the mask's bounds at the networks' scale, or smaller where a smaller preview is wanted.

    `planes`: a picture of the networks, float32 (1, 3, h, w) in the scene's pixels.
    """
    scene, bounds = task.scene, task.mask.bounds
    near = bounds.moved(-scene.region.x, -scene.region.y)
    if not scene.native:
        near = _reduced(near, scene.region.extent, scene.extent)
    pixels = resample.to_bytes(planes[0][(slice(None), *near.slices)])
    if scene.native:
        pixels = np.where(task.mask.pixels[..., None], pixels, prepared.photo[bounds.slices])
    side = task.request.preview_side
    if near.extent.longer > side:
        to = near.extent.scaled(side / near.extent.longer)
        pixels = resample.scale_photo(pixels, Bounds.of(near.extent), to)
    return Layer(bounds, pixels)


def new_pixels(
    prepared: Prepared, task: Task, refined: Array, correspondence: Array, poll: Callable[..., None]
) -> Photo:
    """Return the mask's bounds as the networks want them, uint8 (h, w, 3), at the photo's own resolution.

    `refined`: float32 (1, 3, h, w), `correspondence`: int32 (1, h, w) in the scene's pixels. `poll` may raise, to
    cancel.
    """
    scene, bounds = task.scene, task.mask.bounds
    if scene.native:
        near = bounds.moved(-scene.region.x, -scene.region.y)
        return resample.to_bytes(refined[0][(slice(None), *near.slices)])
    height, width = scene.extent.shape  # what was padded falls away
    cut = (slice(None), slice(height), slice(width))
    field = Field(
        picture=refined[0][cut],
        image=scene.image[0][cut],
        layout=scene.layout[cut][0],
        edited=task.edited[cut][0],
        mask=task.inside[cut][0],
        source=task.source[cut][0],
    )
    keys = coherent(np.ascontiguousarray(correspondence[cut][0]), field, poll)
    networks = Networks(scene.region, scene.extent, keys, field.mask, field.edited, field.picture)
    return carry(prepared.photo, task.request.edited, task.mask, networks, poll)


def composite(prepared: Prepared, task: Task, pixels: Photo, feather: int) -> Photo:
    """Return the layer, uint8 (h, w, 3): the photo's own pixels outside the mask, feathered inside its rim."""
    request, where = task.request, task.mask.bounds.slices
    keepable = prepared.layout[where] == request.edited[where]
    if request.exclude is not None:
        keepable &= ~request.exclude[where]
    return blend(prepared.photo[where], pixels, feather_weights(task.mask.pixels, keepable, feather))


def _reduced(bounds: Bounds, full: Extent, to: Extent) -> Bounds:
    """Return `bounds` of a picture of `full` in pixels of the same picture at the size `to`, outwards."""
    return Bounds.between(
        bounds.x * to.width // full.width,
        bounds.y * to.height // full.height,
        -(-bounds.right * to.width // full.width),
        -(-bounds.bottom * to.height // full.height),
    )

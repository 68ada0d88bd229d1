"""From the networks' pixels to the photo's: previews, the new pixels at full resolution, the layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.carry import Fill, Networks, Side, carry
from layoutbrush.runtime.pipeline.coherence import Field, coherent
from layoutbrush.runtime.pipeline.composite import blend, feather_weights
from layoutbrush.runtime.pipeline.events import Layer, Photo
from layoutbrush.runtime.pipeline.fading import Shares, fresh_shares
from layoutbrush.runtime.pipeline.fusing import Strand, Woven
from layoutbrush.runtime.pipeline.scene import Prepared, Scene
from layoutbrush.runtime.pipeline.task import Task


def preview_layer(prepared: Prepared, task: Task, planes: Array) -> Layer:
    """Return the mask's bounds at the networks' scale, or smaller where a smaller preview is wanted.

    `planes`: a picture of the networks, float32 (1, 3, h, w) in the scene's pixels.
    """
    scene, bounds = task.scene, task.mask.bounds
    near = task.near
    pixels = resample.to_bytes(_faded(task, planes))
    if scene.native:
        pixels = np.where(task.mask.pixels[..., None], pixels, prepared.photo[bounds.slices])
    side = task.request.preview_side
    if near.extent.longer > side:
        to = near.extent.scaled(side / near.extent.longer)
        pixels = resample.scale_photo(pixels, Bounds.of(near.extent), to)
    return Layer(bounds, pixels)


def bands(
    prepared: Prepared, task: Task, woven: Woven, refined: Array, feather: int, poll: Callable[[], None]
) -> Iterator[tuple[Bounds, Photo]]:
    """Yield the layer in bands from the top, each as soon as it is done: bounds and uint8 (h, w, 3), the photo's own
    pixels outside the mask, feathered inside its rim.

    `refined`: float32 (1, 3, h, w) in the scene's padded pixels. `poll` may raise, to cancel.
    """
    shares = task.shares if task.scene.native else fresh_shares(task.mask, task.mask.bounds.extent)
    for band, pixels in _new_pixels(prepared, task, woven, refined, poll):
        yield band, _composite(prepared, task, band, pixels, feather, shares)


def _faded(task: Task, planes: Array) -> Array:
    """Return what a picture of the networks has in the mask's bounds, float32 (3, h, w), fading into the photo."""
    part: Array = planes[0][(slice(None), *task.near.slices)]
    if task.shares is None:
        return part
    keepable = ((task.scene.layout == task.edited) & task.source)[0][task.near.slices]
    rows, columns = np.nonzero(keepable & (task.shares < 255))
    old = task.scene.image[0][(slice(None), *task.near.slices)][:, rows, columns]
    part = part.copy()
    part[:, rows, columns] = old + (part[:, rows, columns] - old) * (task.shares[rows, columns] * np.float32(1 / 255))
    return part


def _new_pixels(
    prepared: Prepared, task: Task, woven: Woven, refined: Array, poll: Callable[[], None]
) -> Iterator[tuple[Bounds, Photo]]:
    """Yield what the networks want, at the photo's own resolution."""
    scene, bounds = task.scene, task.mask.bounds
    if scene.native:
        yield bounds, resample.to_bytes(refined[0][(slice(None), *task.near.slices)])
        return
    fills = [
        _fill(prepared, task, strand, refined, correspondence, poll)
        for strand, correspondence in zip(woven.strands, woven.correspondences, strict=True)
    ]
    cut = _unpadded(scene)
    networks = Networks(scene.region, scene.extent, task.edited[cut][0], refined[0][cut])
    yield from carry(prepared.photo, task.request.edited, bounds, fills, networks, poll)


def _fill(
    prepared: Prepared, task: Task, strand: Strand, refined: Array, correspondence: Array, poll: Callable[[], None]
) -> Fill:
    """Return what one strand fills, with a correspondence of few pieces."""
    keys, part, exclude = strand.keys.scene, strand.part, task.request.exclude
    there = _unpadded(keys)
    field = Field(
        picture=task.cut(refined)[0],
        image=keys.image[0][there],
        layout=strand.keys.labels(1)[there][0],
        edited=strand.view.edited[0],
        mask=strand.cells[0],
        source=strand.keys.source[there][0],
    )
    found = coherent(_clamped(correspondence[0], keys.extent), field, poll)
    side = Side(part.prepared.photo, keys.region, keys.extent, usable=part.usable)
    if part.label is None:
        side = replace(side, layout=prepared.layout, usable=None if exclude is None else ~exclude)
    cut = _unpadded(task.scene)
    cells = task.placed(strand.cells, np.zeros_like(task.inside))[cut][0]
    packed = task.placed(found[None], np.zeros_like(task.edited))[cut][0]
    return Fill(side, field.image, packed, cells, part.mask)


def _unpadded(scene: Scene) -> tuple[slice, slice, slice]:
    """Return what cuts the padding off arrays (n, h, w)."""
    return slice(None), slice(scene.extent.height), slice(scene.extent.width)


def _clamped(packed: Array, extent: Extent) -> Array:
    """Return a correspondence without keys in the padding."""
    clamped: Array = np.minimum(packed >> 16, extent.height - 1) << 16 | np.minimum(packed & 0xFFFF, extent.width - 1)
    return clamped


def _composite(
    prepared: Prepared, task: Task, band: Bounds, pixels: Photo, feather: int, shares: Shares | None
) -> Photo:
    """Return a band of the layer, uint8 (h, w, 3); `pixels`: its new ones; `shares`: of the new ones, of the mask."""
    request, around = task.request, band.grow(feather).clamp(prepared.extent)
    where = around.slices
    keepable = prepared.layout[where] == request.edited[where]
    if request.exclude is not None:
        keepable &= ~request.exclude[where]
    inner = band.moved(-around.x, -around.y).slices
    weights = feather_weights(task.mask.crop(around), keepable, feather)[inner]
    if shares is not None:
        mine = shares[band.moved(-task.mask.bounds.x, -task.mask.bounds.y).slices]
        weights = np.where(keepable[inner], np.minimum(weights, mine), weights)
    return blend(prepared.photo[band.slices], pixels, weights)

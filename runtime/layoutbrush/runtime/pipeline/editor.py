"""The editor: open a photo once, edit it many times, each edit costs its region of interest.

mask -> region -> scene (cached features) -> warp -> [preview] -> refine -> [preview] -> carry up -> composite
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array, Arrays, Engine
from layoutbrush.runtime.errors import Cancelled, OutOfRange, SizeMismatch, Unimplemented, UnknownLabel
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.carry import Networks, carry
from layoutbrush.runtime.pipeline.coherence import Field, coherent
from layoutbrush.runtime.pipeline.composite import blend, feather_weights
from layoutbrush.runtime.pipeline.events import (
    BoolMap,
    EditRequest,
    Event,
    LabelMap,
    Layer,
    Photo,
    Preview,
    PreviewKind,
    Progress,
    Result,
)
from layoutbrush.runtime.pipeline.mask import EXCLUDE_RIM, Mask, edit_mask, grow
from layoutbrush.runtime.pipeline.region import choose_region
from layoutbrush.runtime.pipeline.scene import Prepared, Scene, make_scene

OVERVIEW = 512
"""Longest side of the reduced maps from which the region of interest is chosen."""

SMALL = 384 * 384
"""Pixels of a photo that is always worked on as a whole: its features are there, and a part would save little."""


@dataclass(frozen=True)
class EditorOptions:
    """`scale`: longer side in pixels at which the networks work, 0 = the bundle's. `feather`: pixels over which a
    result fades into unchanged labels inside the mask. `margin`: context around the mask, as a share of its longer
    side.
    """

    scale: int = 0
    feather: int = 3
    margin: float = 0.5


@dataclass(eq=False)
class _Clock:
    """Milliseconds by stage, and the cancel flag looked at between steps."""

    cancelled: Callable[[], bool]
    timings: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.poll()
        begun = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + 1000 * (time.perf_counter() - begun)
        self.poll()

    def poll(self, _done: float = 0.0) -> None:
        """Raise Cancelled where the caller gave up."""
        if self.cancelled():
            raise Cancelled

    def finish(self) -> dict[str, float]:
        return {**self.timings, "total": 1000 * (time.perf_counter() - self.started)}


@dataclass(frozen=True, eq=False)
class _Task:
    """One edit in a scene, with the maps that the graphs want, padded as the scene is."""

    mask: Mask
    scene: Scene
    edited: NDArray[np.int32]  # (1, h, w)
    inside: BoolMap  # (1, h, w)
    source: BoolMap  # (1, h, w)


class Editor:
    """Edits photos with the graphs that `engine` runs for the bundle of `manifest`. Safe to use from several
    threads.
    """

    references: ClassVar[bool] = False
    """Whether edits may draw from reference photos."""

    def __init__(self, engine: Engine, manifest: Manifest, options: EditorOptions | None = None) -> None:
        self.engine = engine
        self.manifest = manifest
        self.options = options or EditorOptions()
        self.scale = self.options.scale or manifest.scale
        self._ids = np.zeros(256, np.bool_)
        self._ids[[label.id for label in manifest.labels] + [UNKNOWN_LABEL]] = True

    def open(
        self, photo: Photo, layout: LabelMap | None = None, cancelled: Callable[[], bool] = lambda: False
    ) -> Prepared:
        """Return the photo ready to edit; without a layout it is segmented. Small photos are encoded at once.

        Raises:
            SizeMismatch, UnknownLabel: the layout does not fit the photo or the bundle.
            Cancelled: `cancelled()` turned True between steps.
        """
        segmented = layout is None
        if layout is None:
            layout = self.segment(photo, cancelled)
        self._check_labels(layout, Extent.of_shape(photo.shape), "layout")
        if cancelled():
            raise Cancelled
        prepared = Prepared(photo, layout, segmented)
        whole = Bounds.of(prepared.extent)
        if self._network_extent(whole.extent) == whole.extent:
            self._scene(prepared, whole)
        return prepared

    def segment(self, photo: Photo, cancelled: Callable[[], bool] = lambda: False) -> LabelMap:
        """Return the label map of a photo, uint8 (H, W) of the bundle's ids.

        Raises:
            Cancelled: `cancelled()` turned True between steps.
        """
        extent = Extent.of_shape(photo.shape)
        small = self._network_extent(extent)
        padded = resample.padded_extent(small, self.manifest.alignment, self.manifest.smallest)
        image = resample.pad(resample.scale_photo(photo, Bounds.of(extent), small), padded, edge=True)
        if cancelled():
            raise Cancelled
        found = self.engine.run("segment", {"image": resample.to_planes(image)}, ("labels",))["labels"][0]
        return resample.scale_labels(found[: small.height, : small.width].astype(np.uint8), extent)

    def edit(
        self, prepared: Prepared, request: EditRequest, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Event]:
        """Yield progress, previews and at last the result of one edit.

        Raises:
            InvalidArgument: a map or number of the request can't work; `field` names it.
            Cancelled: `cancelled()` turned True; it is asked between steps.
        """
        clock = _Clock(cancelled)
        self._check(prepared, request)
        yield Progress("encode", 0.0)
        with clock.stage("mask"):
            mask = edit_mask(prepared.layout, request)
            region = self._region(prepared, request, mask)
        with clock.stage("encode"):
            scene = self._scene(prepared, region)
            task = self._task(request, mask, scene)
        yield Progress("warp", 0.15)
        with clock.stage("warp"):
            warped = self._warp(task, request.seed)
        yield from self._preview(prepared, task, request, "warped", warped["warped"])
        yield Progress("refine", 0.5)
        with clock.stage("refine"):
            refined = self._refine(task, warped, coarse="coarse" in request.previews)
        if "coarse" in refined:
            yield from self._preview(prepared, task, request, "coarse", refined["coarse"])
        yield Progress("composite", 0.85)
        with clock.stage("composite"):
            pixels = self._new_pixels(prepared, request, task, warped, refined, clock.poll)
            pixels = self._composite(prepared, request, mask, pixels)
        yield Progress("composite", 1.0)
        yield Result(Layer(mask.bounds, pixels), mask.pixels, clock.finish())

    # Choosing what to work on

    def _network_extent(self, region: Extent) -> Extent:
        return resample.network_extent(region, self.scale, self.manifest.smallest)

    def _region(self, prepared: Prepared, request: EditRequest, mask: Mask) -> Bounds:
        """Return the region of the photo that this edit works in: the mask and enough around it."""
        whole = Bounds.of(prepared.extent)
        if whole.area <= SMALL and self._network_extent(whole.extent) == whole.extent:
            return whole
        small = whole.extent.scaled(min(1.0, OVERVIEW / whole.extent.longer))
        source = np.ones(small.shape, np.bool_)
        if request.exclude is not None:
            source = ~resample.any_owned(request.exclude, small)
        layout, edited = (resample.scale_labels(m, small) for m in (prepared.layout, request.edited))
        return choose_region(mask.bounds, whole.extent, layout, edited, source, self.options.margin)

    def _scene(self, prepared: Prepared, region: Bounds) -> Scene:
        extent = self._network_extent(region.extent)
        scene = prepared.find(region, extent)
        if scene is None:
            scene = make_scene(self.engine, self.manifest, prepared.photo, prepared.layout, region, extent)
            prepared.keep(scene)
        return scene

    def _task(self, request: EditRequest, mask: Mask, scene: Scene) -> _Task:
        """Return the maps of the edit at the scene's scale."""
        region, extent, padded = scene.region, scene.extent, scene.padded
        edited = resample.pad(resample.scale_labels(request.edited[region.slices], extent), padded, edge=True)
        inside = resample.pad(resample.any_owned(mask.crop(region), extent), padded, edge=False)
        source = np.zeros(padded.shape, np.bool_)
        source[: extent.height, : extent.width] = True
        if request.exclude is not None:
            excluded = resample.any_owned(request.exclude[region.slices], extent)
            source[: extent.height, : extent.width] &= ~grow(excluded, EXCLUDE_RIM)
        return _Task(mask, scene, edited.astype(np.int32)[None], inside[None], source[None])

    # Running the graphs

    def _warp(self, task: _Task, seed: int) -> Arrays:
        inputs: dict[str, Array] = {
            **task.scene.features,
            "image": task.scene.image,
            "layout": task.scene.layout,
            "edited": task.edited,
            "mask": task.inside,
            "source": task.source,
            "seed": np.array([seed], np.int32),
        }
        return self.engine.run("warp", inputs, ("warped", "correspondence", "confidence"))

    def _refine(self, task: _Task, warped: Arrays, coarse: bool) -> Arrays:
        inputs: dict[str, Array] = {
            "warped": warped["warped"],
            "image": task.scene.image,
            "edited": task.edited,
            "mask": task.inside,
            "confidence": warped["confidence"],
        }
        return self.engine.run("refine", inputs, ("coarse", "refined") if coarse else ("refined",))

    # From the networks' pixels to the photo's

    def _preview(
        self, prepared: Prepared, task: _Task, request: EditRequest, kind: PreviewKind, planes: Array
    ) -> Iterator[Event]:
        """Yield the mask's bounds at the networks' scale, or smaller where a smaller preview is wanted."""
        if kind not in request.previews:
            return
        scene, bounds = task.scene, task.mask.bounds
        near = bounds.moved(-scene.region.x, -scene.region.y)
        to = bounds.extent
        if not scene.native:
            near = _reduced(near, scene.region.extent, scene.extent)
            to = near.extent
        pixels = resample.to_bytes(planes[0][(slice(None), *near.slices)])
        if scene.native:
            pixels = np.where(task.mask.pixels[..., None], pixels, prepared.photo[bounds.slices])
        if to.longer > request.preview_side:
            to = to.scaled(request.preview_side / to.longer)
            pixels = resample.scale_photo(pixels, Bounds.of(Extent.of_shape(pixels.shape)), to)
        yield Preview(kind, Layer(bounds, pixels))

    def _new_pixels(
        self,
        prepared: Prepared,
        request: EditRequest,
        task: _Task,
        warped: Arrays,
        refined: Arrays,
        poll: Callable[..., None],
    ) -> Photo:
        """Return the mask's bounds as the networks want them, uint8 (h, w, 3)."""
        scene, bounds = task.scene, task.mask.bounds
        if scene.native:
            near = bounds.moved(-scene.region.x, -scene.region.y)
            return resample.to_bytes(refined["refined"][0][(slice(None), *near.slices)])
        height, width = scene.extent.shape  # what was padded falls away
        cut = (slice(None), slice(height), slice(width))
        picture = refined["refined"][0][cut]
        field = Field(
            picture=picture,
            image=scene.image[0][cut],
            layout=scene.layout[cut][0],
            edited=task.edited[cut][0],
            mask=task.inside[cut][0],
            source=task.source[cut][0],
        )
        keys = coherent(np.ascontiguousarray(warped["correspondence"][cut][0]), field, poll)
        networks = Networks(scene.region, scene.extent, keys, field.mask, field.edited, picture)
        return carry(prepared.photo, request.edited, task.mask, networks, poll)

    def _composite(self, prepared: Prepared, request: EditRequest, mask: Mask, pixels: Photo) -> Photo:
        """Return the layer, uint8 (h, w, 3): the photo's own pixels outside the mask, feathered inside its rim."""
        where = mask.bounds.slices
        keepable = prepared.layout[where] == request.edited[where]
        if request.exclude is not None:
            keepable &= ~request.exclude[where]
        weights = feather_weights(mask.pixels, keepable, self.options.feather)
        return blend(prepared.photo[where], pixels, weights)

    # Checks

    def _check(self, prepared: Prepared, request: EditRequest) -> None:
        self._check_labels(request.edited, prepared.extent, "edited")
        for name in ("mask", "exclude"):
            values = getattr(request, name)
            if values is not None and values.shape != prepared.extent.shape:
                found = Extent.of_shape(values.shape)
                raise SizeMismatch(f"It is {found}, the photo is {prepared.extent}.", name)
        if not 0 <= request.seed < 1 << 31:
            raise OutOfRange("The seed is 0 to 2147483647.", "seed")
        if not 0 <= request.grow <= 1:
            raise OutOfRange("It is 0 to 1.", "grow")
        if request.references:
            raise Unimplemented("This version draws from the document's own photo only.", "references")

    def _check_labels(self, labels: LabelMap, extent: Extent, name: str) -> None:
        if labels.shape != extent.shape:
            raise SizeMismatch(f"It is {Extent.of_shape(labels.shape)}, the photo is {extent}.", name)
        for rows in np.array_split(labels, max(1, labels.size >> 20)):  # bincount takes eight bytes a pixel
            present = np.flatnonzero(np.bincount(rows.ravel(), minlength=256))
            wrong = present[~self._ids[present]]
            if wrong.size:
                raise UnknownLabel(f"The bundle has no label {int(wrong[0])}.", name)


def _reduced(bounds: Bounds, full: Extent, to: Extent) -> Bounds:
    """Return `bounds` of a picture of `full` in pixels of the same picture at the size `to`, outwards."""
    return Bounds.between(
        bounds.x * to.width // full.width,
        bounds.y * to.height // full.height,
        -(-bounds.right * to.width // full.width),
        -(-bounds.bottom * to.height // full.height),
    )

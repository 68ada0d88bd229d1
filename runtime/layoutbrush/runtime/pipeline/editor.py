"""The editor: open a photo once, edit it many times, each edit costs its region of interest.

mask -> region -> scene (cached features) -> view -> coarse warp -> [preview] -> fine warp -> refine -> [preview]
-> carry up -> composite
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from layoutbrush.runtime.engines import Array, Engine, Runner
from layoutbrush.runtime.engines.interrupting import Interruptible
from layoutbrush.runtime.errors import Cancelled, InvalidArgument, OutOfRange, SizeMismatch, UnknownLabel
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.label_ids import first_strange
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.detail import lost, with_detail
from layoutbrush.runtime.pipeline.events import (
    BoolMap,
    EditRequest,
    Event,
    LabelMap,
    Layer,
    Photo,
    Preview,
    Progress,
    Result,
)
from layoutbrush.runtime.pipeline.finish import bands, preview_layer
from layoutbrush.runtime.pipeline.fusing import Strand, Weaving, plain_strand, strands
from layoutbrush.runtime.pipeline.gaps import completed, filled_from, filled_outside, gap_of, mostly_unknown
from layoutbrush.runtime.pipeline.mask import Mask, edit_mask
from layoutbrush.runtime.pipeline.mixing import Part, check_sources, split
from layoutbrush.runtime.pipeline.region import choose_region
from layoutbrush.runtime.pipeline.scene import Prepared, Scene, make_scene
from layoutbrush.runtime.pipeline.segmenting import segment_photo
from layoutbrush.runtime.pipeline.task import Task, make_task
from layoutbrush.runtime.pipeline.tiling import tiles
from layoutbrush.runtime.pipeline.warping import refine

WHOLE = 1.6
"""Photos are encoded as a whole up to so many squares of the networks' scale."""

OVERVIEW = 512
"""Longest side of the reduced maps from which the region of interest is chosen."""


@dataclass(frozen=True)
class EditorOptions:
    """How an editor works.

    `scale`: longer side in pixels at which the networks work, 0 = the bundle's. `feather`: pixels over which a result
    fades into unchanged labels inside the mask; 0 = a grown mask's ring doesn't fade either. `margin`: context around
    the mask, as a share of its longer side. `harmony`: share of the seam's difference that is spread inwards where the
    warp is unsure, 0 = none. `keep`: share of the warp in the result where the warp is sure. `calm`: share of the
    coarse picture where it guesses: what nobody can know is drawn with less contrast. `keep_guessed`: `keep` where
    labels were guessed: of pixels that follow a wrong label the warp is as sure. Nothing is calmed there, and nothing
    gets its detail from the warp. `detail`: share of the warp's detail where the refiner is lost.
    """

    scale: int = 0
    feather: int = 1
    margin: float = 0.5
    harmony: float = 0.6
    keep: float = 0.4
    calm: float = 0.15
    keep_guessed: float = 0.15
    detail: float = 0.8

    def for_guesses(self, share: float) -> EditorOptions:
        """Return what holds where `share` of the masked pixels, 0 to 1, have a label that was guessed."""
        keep = self.keep + share * (min(self.keep, self.keep_guessed) - self.keep)
        return replace(self, keep=keep, calm=(1 - share) * self.calm, detail=(1 - share) * self.detail)


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

    def poll(self) -> None:
        """Raise Cancelled where the caller gave up."""
        if self.cancelled():
            raise Cancelled

    def finish(self) -> dict[str, float]:
        return {**self.timings, "total": 1000 * (time.perf_counter() - self.started)}


class Editor:
    """Edits photos with the graphs that `engine` runs for the bundle of `manifest`. Safe to use from several
    threads.
    """

    references: ClassVar[bool] = True
    """Whether edits may draw from reference photos."""

    def __init__(self, engine: Engine, manifest: Manifest, options: EditorOptions | None = None) -> None:
        self.engine = engine
        self.manifest = manifest
        self.options = options or EditorOptions()
        self.scale = self.options.scale or manifest.scale
        self._ids = [label.id for label in manifest.labels]

    def open(
        self, photo: Photo, layout: LabelMap | None = None, cancelled: Callable[[], bool] = lambda: False
    ) -> Prepared:
        """Return the photo ready to edit; without a layout, or where that says mostly nothing, it is segmented. Its
        features are made at once, of a large photo at the networks' scale; of a long panorama by region alone.

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
        given = None
        if not segmented and mostly_unknown(layout):
            given, layout = layout, filled_from(layout, self.segment(photo, cancelled))
        prepared = Prepared(photo, layout, segmented, given)
        whole = Bounds.of(prepared.extent)
        # What nobody labelled is segmented again for each mask, and encoded with those labels.
        if given is None and self._network_extent(whole.extent).area <= self.scale * self.scale * WHOLE:
            self._scene(prepared, whole)
        return prepared

    def segment(
        self, photo: Photo, cancelled: Callable[[], bool] = lambda: False, hidden: BoolMap | None = None
    ) -> LabelMap:
        """Return the label map of a photo, uint8 (H, W) of the bundle's ids. `hidden`: bool (H, W), True = what the
        photo shows there doesn't count.

        Raises:
            Cancelled: `cancelled()` turned True between steps.
        """
        sizes = self.manifest.alignment, self.manifest.smallest
        labels, _ = segment_photo(photo, self._look, *sizes, cancelled, hidden)
        return labels

    def _look(self, image: Array) -> tuple[Array, Array]:
        found = self.engine.run("segment", {"image": image}, ("labels", "confidence"))
        return found["labels"][0], found["confidence"][0]

    def edit(
        self, prepared: Prepared, request: EditRequest, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Event]:
        """Yield progress, previews, tiles and at last the result of one edit.

        Raises:
            InvalidArgument: a map or number of the request can't work; `field` names it.
            Cancelled: `cancelled()` turned True; it is asked between steps, and while a graph runs.
        """
        clock = _Clock(cancelled)
        engine = Interruptible(self.engine, cancelled)  # all but the photo's features: the next edit needs those too
        self._check(prepared, request)
        yield Progress("encode", 0.0)
        with clock.stage("mask"):
            mask = edit_mask(prepared.painted, request)
            if self.options.feather <= 0:
                mask = replace(mask, changed=None)
            prepared = self._without_hidden(prepared, mask, cancelled)
            parts = split(prepared, request, mask, self.manifest.labels)
            request, guessed = self._without_gaps(engine, prepared, request, mask)
            options = self.options.for_guesses(guessed)
            region = self._region(prepared, request, mask, parts)
        with clock.stage("warp"):
            glance = self._glance(engine, prepared, request, mask, parts, region)
        if glance is not None:
            yield Preview("warped", glance)
        with clock.stage("encode"):
            scene = self._scene(prepared, region)
            task = make_task(request, mask, scene)
            if parts[0].label is None and not task.source.any():
                raise InvalidArgument("Everything is excluded: nothing is left to copy from.", "exclude")
        yield Progress("warp", 0.15)
        with clock.stage("warp"):
            weaving = Weaving(engine, task, self._strands(prepared, task, parts, clock.poll))
            first = weaving.coarse()
        if "warped" in request.previews:
            yield Preview("warped", preview_layer(prepared, task, task.whole(first)))
        yield Progress("warp", 0.3)
        with clock.stage("warp"):
            woven = weaving.fine()
            unsure = task.doubt(woven.confidence)
            kept = woven.kept(unsure, options.keep)
            spread = woven.spread(unsure, options.harmony)

        def finished(planes: Array) -> Array:
            settled = task.harmonised(task.settled(planes, woven.warped, kept), spread)
            return task.whole(woven.joined(settled, task.view.edited) if options.harmony > 0 else settled)

        if "warped" in request.previews and not scene.native:  # the result takes longer there
            yield Preview("warped", preview_layer(prepared, task, finished(woven.warped)))
        yield Progress("refine", 0.5)
        with clock.stage("refine"):
            coarse = options.calm > 0 or "coarse" in request.previews
            pictures = refine(engine, task.view, woven.warped, woven.confidence, coarse)
            refined = pictures["refined"]
            if options.calm > 0:
                refined = task.settled(refined, pictures["coarse"], np.float32(options.calm) * unsure)
            if options.detail > 0:
                share = np.float32(options.detail) * lost(woven.confidence[0, 0], task.view.inside[0])
                refined = with_detail(refined, woven.warped, share)
        if "coarse" in request.previews:
            yield Preview("coarse", preview_layer(prepared, task, finished(pictures["coarse"])))
        yield Progress("composite", 0.85)
        with clock.stage("composite"):
            refined = finished(refined)
            pixels = np.empty((*mask.pixels.shape, 3), np.uint8)
            for band, part in bands(prepared, task, woven, refined, options.feather, clock.poll):
                clock.poll()
                pixels[band.moved(-mask.bounds.x, -mask.bounds.y).slices] = part
                if request.tiles:
                    yield from tiles(band, part, mask.crop(band))
        yield Progress("composite", 1.0)
        yield Result(Layer(mask.bounds, pixels), mask.pixels, clock.finish())

    def _glance(
        self,
        engine: Runner,
        prepared: Prepared,
        request: EditRequest,
        mask: Mask,
        parts: Sequence[Part],
        region: Bounds,
    ) -> Layer | None:
        """Return a first picture out of the whole photo's features, where those of the region have yet to be made."""
        whole = Bounds.of(prepared.extent)
        scene = prepared.find(whole, self._network_extent(whole.extent))
        plain = len(parts) == 1 and parts[0].label is None
        if "warped" not in request.previews or not plain or scene is None:
            return None
        if region == whole or prepared.find(region, self._network_extent(region.extent)) is not None:
            return None
        task = make_task(request, mask, scene)
        if not task.source.any():
            return None
        first = Weaving(engine, task, [plain_strand(task, parts[0])]).coarse()
        return preview_layer(prepared, task, task.whole(first))

    def _without_hidden(self, prepared: Prepared, mask: Mask, cancelled: Callable[[], bool]) -> Prepared:
        """Return the photo with the labels that it has without what the mask hides, where nobody gave it labels.

        What goes away spoils the labels around it, and with them what is completed under the mask.
        """
        if prepared.given is None:
            return prepared
        given, key = prepared.given, mask.digest()
        found = prepared.variant(key)
        if found is None:
            hidden = mask.crop(Bounds.of(prepared.extent))
            layout = filled_from(given, self.segment(prepared.photo, cancelled, hidden))
            layout[hidden] = prepared.layout[hidden]
            found = Prepared(prepared.photo, layout, prepared.segmented, given)
            prepared.keep_variant(key, found)
        return found

    def _without_gaps(
        self, engine: Runner, prepared: Prepared, request: EditRequest, mask: Mask
    ) -> tuple[EditRequest, float]:
        """Return the request with labels where it has none, outside the mask those of the photo, inside continued; and
        the share of the masked pixels whose label was found.
        """
        edited, guessed = request.edited, 0.0
        if prepared.given is not None:
            edited = filled_outside(edited, prepared.layout, mask)
        if "complete" in self.manifest.graphs:
            gap = gap_of(prepared.layout, edited, mask, request.exclude)
            if gap is not None:
                sizes = self.manifest.alignment, self.manifest.smallest
                edited = completed(prepared.photo, edited, mask, gap, partial(_complete, engine), *sizes)
                guessed = float(np.count_nonzero(gap) / np.count_nonzero(mask.pixels))
        return (request if edited is request.edited else replace(request, edited=edited)), guessed

    # Choosing what to work on

    def _network_extent(self, region: Extent) -> Extent:
        return resample.network_extent(region, self.scale, self.manifest.smallest)

    def _region(self, prepared: Prepared, request: EditRequest, mask: Mask, parts: Sequence[Part]) -> Bounds:
        """Return the region of the photo that this edit works in: the mask, and enough around it of what the photo
        itself fills it with.

        A small photo is always drawn from as a whole: its features are there.
        """
        whole = Bounds.of(prepared.extent)
        if self._network_extent(whole.extent) == whole.extent:
            return whole
        small = whole.extent.scaled(min(1.0, OVERVIEW / whole.extent.longer))
        source = np.ones(small.shape, np.bool_)
        if request.exclude is not None:
            source = ~resample.any_owned(request.exclude, small)
        layout, edited = (resample.scale_labels(m, small) for m in (prepared.layout, request.edited))
        if len(parts) > 1 or parts[0].label is not None:
            own = np.zeros(small.shape, np.bool_)
            if parts[0].label is None:
                own = resample.any_owned(parts[0].mask.crop(whole), small)
            edited = np.where(own, edited, np.uint8(UNKNOWN_LABEL))
        return choose_region(mask.bounds, whole.extent, layout, edited, source, self.options.margin)

    def _scene(self, prepared: Prepared, region: Bounds) -> Scene:
        extent = self._network_extent(region.extent)
        scene = prepared.find(region, extent)
        if scene is None:
            scene = make_scene(self.engine, self.manifest, prepared.photo, prepared.layout, region, extent)
            prepared.keep(scene)
        return scene

    def _strands(self, prepared: Prepared, task: Task, parts: Sequence[Part], poll: Callable[[], None]) -> list[Strand]:
        if len(parts) == 1 and parts[0].label is None:
            return [plain_strand(task, parts[0])]
        return strands(self.engine, self.manifest, self.scale, prepared, task, parts, poll)

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
        check_sources(prepared, request, self.manifest.labels)

    def _check_labels(self, labels: LabelMap, extent: Extent, name: str) -> None:
        if labels.shape != extent.shape:
            raise SizeMismatch(f"It is {Extent.of_shape(labels.shape)}, the photo is {extent}.", name)
        strange = first_strange(labels, self._ids)
        if strange is not None:
            raise UnknownLabel(f"The bundle has no label {labels[strange]}.", name)


def _complete(engine: Runner, image: Array, edited: Array, mask: Array) -> Array:
    return engine.run("complete", {"image": image, "edited": edited, "mask": mask}, ("labels",))["labels"]

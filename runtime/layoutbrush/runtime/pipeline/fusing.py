"""The parts of an edit at the networks' scale: each warped on its own, fused by the edited layout into one picture.

A part sees what stays of the photo and what the parts before it made, so that the later ones fit to it; what is not
filled yet is hidden from it. Parts that are drawn from elsewhere come first: what the photo itself fills around them
then fits to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array, Arrays, Runner
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import Manifest
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import BoolMap
from layoutbrush.runtime.pipeline.harmony import harmonised
from layoutbrush.runtime.pipeline.mask import SOURCE_RIM, filled_bounds, grow
from layoutbrush.runtime.pipeline.mixing import Part
from layoutbrush.runtime.pipeline.placing import Overlay, key_region, overlay
from layoutbrush.runtime.pipeline.scene import Prepared, make_scene
from layoutbrush.runtime.pipeline.task import Task, first_picture
from layoutbrush.runtime.pipeline.warping import KeySide, View, warp_coarse, warp_fine

RIM = 1
"""Network pixels by which a region that is drawn from shrinks: label maps are loose, and what lies around it is
foreign.
"""
KEEP_DRAWN = 0.85
"""Share of the warp in what is drawn from elsewhere: the refiner would paint it as the photo looks."""
SEAM = 0.25
"""How far light and colour of what is drawn from elsewhere give way to the photo's at a seam within one label: share of
the square root of what is drawn.
"""
STEPS = 8
"""In which it does."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Strand:
    """A part in the window of a task.

    `cells`: bool (1, h, w), what it fills. `view`: as if it were the first strand. Pixels of `cells` that aren't inside
    the view are put in as the view has them; of the keys' pixels they are those at `overlaid`, int32 (1, h, w).
    """

    part: Part
    cells: BoolMap
    view: View
    keys: KeySide
    overlaid: Ints | None = None

    def over(self, picture: Array) -> View:
        """Return the view over what earlier strands made, float32 (1, 3, h, w)."""
        return replace(self.view, image=np.where(self.cells[:, None], self.view.image, picture))


@dataclass(frozen=True, eq=False)
class Woven:
    """`warped`: float32 (1, 3, h, w) of the window, the view itself outside the mask. `confidence`: float32
    (1, 1, h, w). `correspondences`: of each strand, int32 (1, h, w) in the pixels of its keys. `drawn`,
    `photo`: bool (1, h, w), what comes from another photo or label, and what is no padding.
    """

    strands: Sequence[Strand]
    warped: Array
    confidence: Array
    correspondences: Sequence[Array]
    drawn: BoolMap
    photo: BoolMap

    def kept(self, unsure: Floats, keep: float) -> Floats:
        """Return the warp's share in the result, float32 (h, w): `keep` where the warp is sure, nothing where it
        guesses; what is drawn from elsewhere shall look as it does there.
        """
        share = np.float32(keep) * (1 - unsure)
        return np.where(self.drawn[0], np.float32(KEEP_DRAWN), share)

    def spread(self, unsure: Floats, strength: float) -> Floats:
        """Return the share of the seam's difference that is taken away of what the photo itself fills, float32 (h, w):
        where the warp is unsure.
        """
        return np.where(self.drawn[0], np.float32(0), np.float32(strength) * unsure)

    def joined(self, planes: Array, edited: Ints) -> Array:
        """Return a picture, float32 (1, 3, h, w), in which light and colour of what is drawn from elsewhere give way to
        what lies around it, as far as that has the same label; in its midst it looks as it does there.

        `edited`: int32 (1, h, w).
        """
        drawn, labels = self.drawn[0], edited[0]
        around = ~drawn & self.photo[0]
        reach = max(STEPS, round(SEAM * float(np.sqrt(np.count_nonzero(drawn)))))
        share = np.zeros(drawn.shape, np.float32)
        for label in np.intersect1d(labels[drawn], labels[around]):
            np.copyto(share, _near(around & (labels == label), reach), where=labels == label)
        if not share[drawn].any():
            return planes
        return harmonised(planes[0], planes[0], drawn, labels, labels, self.photo[0], share)[None]


class Weaving:
    """Runs the warps of a task's strands, first all coarse ones, then all fine ones."""

    def __init__(self, engine: Runner, task: Task, strands: Sequence[Strand]) -> None:
        self._engine = engine
        self._task = task
        self._strands = strands
        self._handed: list[Arrays] = []

    def coarse(self) -> Array:
        """Return the first picture of the window, float32 (1, 3, h, w)."""
        picture = self._task.view.image
        for strand in self._strands:
            view = strand.over(picture)
            picture = view.image
            handed: Arrays = {}
            if view.inside.any():
                handed = warp_coarse(self._engine, view, strand.keys, self._task.request.seed)
                first = first_picture(self._task, handed["estimate"])
                picture = np.where(view.inside[:, None], first, picture)
            self._handed.append(handed)
        return picture

    def fine(self) -> Woven:
        """Return all strands, fused; after `coarse`."""
        picture = self._task.view.image
        confidence = np.zeros((1, 1, *picture.shape[2:]), np.float32)
        drawn = np.zeros(self._task.view.inside.shape, np.bool_)
        correspondences = []
        for strand, handed in zip(self._strands, self._handed, strict=True):
            view = strand.over(picture)
            found = self._found(strand, view, handed)
            picture = found["warped"]
            confidence = np.where(strand.cells[:, None], found["confidence"], confidence)
            correspondences.append(found["correspondence"])
            if strand.part.label is not None:
                drawn |= strand.cells
        scene = self._task.scene
        photo = self._task.cut(resample.pad(np.ones(scene.extent.shape, np.bool_), scene.padded, edge=False)[None])
        return Woven(self._strands, picture, confidence, correspondences, drawn, photo)

    def _found(self, strand: Strand, view: View, handed: Arrays) -> Arrays:
        """Return what `warp_fine` does, with what is put in as it is."""
        shape = view.inside.shape
        found: Arrays = {
            "warped": view.image,
            "correspondence": np.zeros(shape, np.int32),
            "confidence": np.zeros((1, *shape), np.float32),
        }
        if handed:
            found = warp_fine(self._engine, view, strand.keys, handed, self._task.request.seed)
        if strand.overlaid is None:
            return found
        put = strand.cells & ~view.inside
        found["correspondence"] = np.where(put, strand.overlaid, found["correspondence"])
        found["confidence"] = np.where(put[:, None], np.float32(1), found["confidence"])
        return found


def plain_strand(task: Task, part: Part) -> Strand:
    """Return the strand of an edit that draws from the photo itself alone."""
    return Strand(part, task.view.inside, task.view, task.keys)


def strands(
    engine: Runner,
    manifest: Manifest,
    scale: int,
    prepared: Prepared,
    task: Task,
    parts: Sequence[Part],
    poll: Callable[[], None],
) -> list[Strand]:
    """Return the strands of an edit's parts, in the order in which they are warped.

    `scale`: longer side at which the networks work. `poll` is called between encodings and may raise, to cancel.
    """
    cells = _cells(task, parts)
    drawn = np.logical_or.reduce([mine for part, mine in zip(parts, cells, strict=True) if part.label is not None])
    # What the photo has right beside them is a mixture with what was there before: neither kept nor copied.
    mixture = grow(drawn[0], SOURCE_RIM)[None] & task.view.inside
    hidden = task.view.inside
    found = []
    order = sorted(range(len(parts)), key=lambda index: parts[index].label is None)
    for index in order:
        poll()
        part, mine = parts[index], cells[index]
        image, edited, searched, overlaid = task.view.image, task.view.edited, mine, None
        if part.label is None:
            keys = replace(task.keys, source=task.source & ~task.placed(mixture, np.zeros_like(task.source)))
            place, kept = task.view.place, task.view.known & mine & ~mixture
        else:
            keys, place, whole = _key_side(engine, manifest, scale, prepared, task, part)
            edited = np.where(mine, np.int32(part.label), edited)
            hint, overlaid, there = _laid_over(keys, place, task.window.extent)
            kept = mine & there
            image = np.where(kept[:, None], hint, image)
            searched = mine & ~there if whole else mine
        hidden = hidden & ~mine
        known = ~(hidden | mine) | kept
        found.append(Strand(part, mine, View(image, edited, searched, known, place), keys, overlaid))
    return found


def _cells(task: Task, parts: Sequence[Part]) -> list[BoolMap]:
    """What each part fills, bool (1, h, w) of the window: a partition of the view's inside, by the pixels' centres."""
    scene = task.scene
    inside = task.view.inside
    region = scene.region
    owner = np.zeros(region.extent.shape, np.uint8)
    for number, part in enumerate(parts, 1):
        owner[part.mask.crop(region)] = number
    centres = resample.pad(resample.scale_labels(owner, scene.extent), scene.padded, edge=False)
    mine = task.cut(centres[None])
    found = []
    taken = np.zeros_like(inside)
    for number, part in enumerate(parts, 1):
        touched = resample.pad(resample.any_owned(part.mask.crop(region), scene.extent), scene.padded, edge=False)
        cells = inside & ~taken & ((mine == number) | ((mine == 0) & task.cut(touched[None])))
        taken |= cells
        found.append(cells)
    return found


def _key_side(
    engine: Runner, manifest: Manifest, scale: int, prepared: Prepared, task: Task, part: Part
) -> tuple[KeySide, Array, bool]:
    """Return what a part draws from, where the task's window lies in it, shares (4,), and whether what lies over it is
    put in as it is.
    """
    usable = part.usable if part.usable is not None else np.ones(part.prepared.extent.shape, np.bool_)
    target = filled_bounds(part.mask.pixels).moved(part.mask.bounds.x, part.mask.bounds.y)
    region, extent = task.scene.region, task.scene.extent
    factor = extent.height / region.height, extent.width / region.width
    lie = overlay(target, prepared.extent, usable, part.place, part.prepared is prepared)
    pixels = factor[0] * lie.scale[0], factor[1] * lie.scale[1]
    middle = target.y + target.height / 2, target.x + target.width / 2
    near = lie.down * middle[0] + lie.top, lie.right * middle[1] + lie.left
    where = key_region(usable, pixels, round(1.25 * scale), near)
    size = Extent(max(1, round(where.width * pixels[1])), max(1, round(where.height * pixels[0])))
    scene = part.prepared.find(where, size)
    if scene is None:
        scene = make_scene(engine, manifest, part.prepared.photo, part.prepared.layout, where, size)
        part.prepared.keep(scene)
    source = resample.pad(_shrunk(usable[where.slices], size), scene.padded, edge=False)
    return KeySide(scene, source[None]), _place(task, lie, where, size, scene.padded), lie.whole


def _laid_over(keys: KeySide, place: Array, view: Extent) -> tuple[Array, Ints, BoolMap]:
    """Return the keys' picture as it lies over a view, float32 (1, 3, h, w), which of the keys' pixels that are, int32
    (1, h, w) packed `y << 16 | x`, and where they may be drawn from, bool (1, h, w).
    """
    height, width = keys.source.shape[1:]
    rows = _steps(float(place[0]), float(place[2]), view.height, height)
    columns = _steps(float(place[1]), float(place[3]), view.width, width)
    at = np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)
    there = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    packed = (at[0] << 16 | at[1]).astype(np.int32)
    return keys.scene.image[:, :, at[0], at[1]], packed[None], keys.source[:, at[0], at[1]] & there


def _steps(low: float, high: float, count: int, size: int) -> NDArray[np.intp]:
    """Return the pixels of `size` under the centres of `count` steps from one share to another."""
    return np.floor((low + (np.arange(count) + 0.5) / count * (high - low)) * size).astype(np.intp)


def _shrunk(usable: BoolMap, to: Extent) -> BoolMap:
    """Return at another size what may be copied: whole cells, less a rim, but no less than half of it."""
    some = resample.any_owned(usable, to)
    whole = ~resample.any_owned(~usable, to)
    for candidate in (~grow(~whole, RIM), whole):
        if 2 * np.count_nonzero(candidate) >= np.count_nonzero(some):
            return candidate
    return some


def _place(task: Task, lie: Overlay, where: Bounds, size: Extent, padded: Extent) -> Array:
    """Return top, left, bottom, right of the task's window in the padded key scene, as shares, float32 (4,)."""
    region, extent, window = task.scene.region, task.scene.extent, task.window
    rows, columns = (region.y, region.height / extent.height), (region.x, region.width / extent.width)
    shares = []
    for edge in (window.y, window.bottom):
        there = lie.down * (rows[0] + edge * rows[1]) + lie.top
        shares.append((there - where.y) * (size.height / where.height) / padded.height)
    for edge in (window.x, window.right):
        there = lie.right * (columns[0] + edge * columns[1]) + lie.left
        shares.append((there - where.x) * (size.width / where.width) / padded.width)
    return np.array([shares[0], shares[2], shares[1], shares[3]], np.float32)


def _near(values: BoolMap, reach: int) -> Floats:
    """Return 1 beside True pixels, falling to 0 at about `reach` pixels from them, float32 (h, w)."""
    near = np.zeros(values.shape, np.float32)
    grown = values
    for _ in range(STEPS):
        grown = grow(grown, max(1, reach // STEPS))
        near += grown
    return near / np.float32(STEPS)

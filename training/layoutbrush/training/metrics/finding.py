"""How well photos are found: by held-out layouts, judged by overlap, and by changed copies, judged by their place.

The label maps that judge are the data set's own; the search sees only what the segmenter made of the photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from layoutbrush.runtime.finding import Describer
from layoutbrush.runtime.finding.ranking import Table
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.training.data.labels import UNKNOWN, UInt8
from layoutbrush.training.data.photo import Photo

BEST = 5
_SIDE = 96
"""Pixels a side at which label maps are compared, whatever their sides were."""


@dataclass(frozen=True)
class LayoutScore:
    """Mean overlap of the `BEST` photos with the layout that was asked for: as found, as drawn at random, and of those
    that overlap most.
    """

    queries: int
    found: float
    random: float
    oracle: float

    @property
    def reached(self) -> float:
        """Share of the way from random to oracle."""
        return (self.found - self.random) / max(1e-9, self.oracle - self.random)


@dataclass(frozen=True)
class CopyScore:
    """Of changed copies of photos that are in the folder: how many find their original first, and its mean place."""

    change: str
    queries: int
    first: float
    place: float


def described(describer: Describer, photos: Sequence[Photo], advance: Callable[[], None] = lambda: None) -> Table:
    """The photos as an index would hold them, under the names of their places; `advance` is called after each."""
    found = {}
    for index, photo in enumerate(photos):
        found[f"{index:06}"] = describer.describe(photo.image)
        advance()
    return Table.of(found)


def overlap(asked: UInt8, has: UInt8) -> float:
    """Share of the known pixels of a label map whose label another map, stretched over it, has in the same place."""
    small = Extent(_SIDE, _SIDE)
    one, other = (resample.scale_labels(labels, small) for labels in (asked, has))
    known = one != UNKNOWN
    return float((one[known] == other[known]).mean()) if known.any() else 0.0


def score_layouts(describer: Describer, table: Table, photos: Sequence[Photo], queries: Sequence[Photo]) -> LayoutScore:
    """Ask for the label maps of `queries`, none of which is among `photos`, the rows of `table`."""
    found, drawn, oracle = [], [], []
    for query in queries:
        truth = np.array([overlap(query.labels, photo.labels) for photo in photos])
        scores = table.scores(describer.query(query.labels, None))
        found.append(truth[np.argsort(-scores, kind="stable")[:BEST]].mean())
        drawn.append(truth.mean())
        oracle.append(np.sort(truth)[::-1][:BEST].mean())
    return LayoutScore(len(queries), float(np.mean(found)), float(np.mean(drawn)), float(np.mean(oracle)))


def score_copies(
    describer: Describer, table: Table, photos: Sequence[Photo], queries: Sequence[int], seed: int = 0
) -> list[CopyScore]:
    """Ask for changed copies of the photos at `queries`, places among `photos`, the rows of `table`."""
    scores = []
    for change, make in CHANGES.items():
        places = []
        for index in queries:
            copy = make(photos[index].image, np.random.default_rng([seed, index]))
            likeness = table.scores(describer.query(None, copy))
            places.append(1 + int((likeness > likeness[index]).sum()))
        scores.append(CopyScore(change, len(places), float(np.mean(np.array(places) == 1)), float(np.mean(places))))
    return scores


def flipped(image: UInt8, random: np.random.Generator) -> UInt8:
    """The mirror image."""
    return np.ascontiguousarray(image[:, ::-1])


def cropped(image: UInt8, random: np.random.Generator) -> UInt8:
    """A part with 65 to 85 % of each side, anywhere."""
    height, width = image.shape[:2]
    share = random.uniform(0.65, 0.85)
    top, left = (int(random.uniform(0, 1 - share) * side) for side in (height, width))
    return np.ascontiguousarray(image[top : top + int(share * height), left : left + int(share * width)])


def recolored(image: UInt8, random: np.random.Generator) -> UInt8:
    """Another exposure, white balance and saturation."""
    values = (image / 255.0) ** random.uniform(0.7, 1.4) * random.uniform(0.75, 1.25, 3)
    picture = Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8))
    return np.asarray(ImageEnhance.Color(picture).enhance(random.uniform(0.3, 1.6)))


def all_changes(image: UInt8, random: np.random.Generator) -> UInt8:
    """Flipped, cropped and recoloured."""
    return recolored(cropped(flipped(image, random), random), random)


CHANGES: dict[str, Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]] = {
    "flipped": flipped,
    "cropped": cropped,
    "recoloured": recolored,
    "all three": all_changes,
}


def text(layouts: LayoutScore, copies: Sequence[CopyScore], count: int) -> str:
    """The tables, Markdown."""
    lines = [
        f"Overlap of the best {BEST} of {count} photos with a held-out layout, mean of {layouts.queries}:",
        "",
        "| found | at random | at most | of the way |",
        "|---|---|---|---|",
        f"| {layouts.found:.3f} | {layouts.random:.3f} | {layouts.oracle:.3f} | {layouts.reached:.0%} |",
        "",
        "Changed copies that find their original:",
        "",
        "| change | copies | first | mean place |",
        "|---|---|---|---|",
        *(f"| {row.change} | {row.queries} | {row.first:.0%} | {row.place:.2f} |" for row in copies),
    ]
    return "\n".join(lines) + "\n"

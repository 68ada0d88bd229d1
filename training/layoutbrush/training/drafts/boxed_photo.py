"""A photo with labelled boxes, sets of them, and which boxes and photos of a data set count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.photo import DataError


@dataclass(frozen=True, slots=True)
class Box:
    """Edges as shares of the picture: 0 <= left < right <= 1, 0 <= top < bottom <= 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def share(self) -> float:
        """Area as a share of the picture's."""
        return (self.right - self.left) * (self.bottom - self.top)

    def flipped(self) -> Box:
        """In the mirrored picture."""
        return Box(1 - self.right, self.top, 1 - self.left, self.bottom)


def box_of_pixels(bbox: object, width: int, height: int, where: str) -> Box:
    """From [x, y, w, h] in pixels, cut to the picture. Raises DataError (``where``: file and field) for anything else.

    Published boxes reach up to a pixel or two beyond their picture; one that has nothing inside is an error.
    """
    if not isinstance(bbox, list | tuple) or len(bbox) != 4:
        raise DataError(f"{where}: should be [x, y, w, h], not {bbox!r}")
    for value in bbox:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise DataError(f"{where}: should be four numbers, not {bbox!r}")
    x, y, w, h = (float(value) for value in bbox)
    left, right = max(0.0, x / width), min(1.0, (x + w) / width)
    top, bottom = max(0.0, y / height), min(1.0, (y + h) / height)
    if left >= right or top >= bottom:
        raise DataError(f"{where}: {bbox!r} covers nothing of a picture of {width}x{height}")
    return Box(left, top, right, bottom)


@dataclass(frozen=True, slots=True)
class BoxedObject:
    """``label``: index into the set's labels; ``attributes``: words such as `red`, where the data set has them."""

    label: int
    box: Box
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoxedPhoto:
    """One photo with the objects that count, in the order of the data set.

    ``image``: the photo's file, or its pixels (H, W, 3) uint8 for pictures that are made, not read.
    """

    name: str
    image: Path | UInt8
    objects: tuple[BoxedObject, ...]


@dataclass(frozen=True)
class BoxFilter:
    """Which boxes and photos count; the defaults are the source's for COCO-Stuff (those of Johnson et al., CVPR 2018).

    ``smallest``: boxes up to this share of the picture don't count; ``fewest`` and ``most``: photos with fewer or more
    objects don't count, but with ``crowded`` = "largest" those with more keep their ``most`` largest boxes.
    """

    smallest: float = 0.02
    fewest: int = 3
    most: int = 8
    crowded: str = "drop"

    def __post_init__(self) -> None:
        if self.crowded not in ("drop", "largest"):
            raise DataError(f"crowded: should be drop or largest, not {self.crowded!r}")
        if not 1 <= self.fewest <= self.most:
            raise DataError(f"fewest and most: {self.fewest} and {self.most} are not 1 <= fewest <= most")

    def photo(self, photo: BoxedPhoto) -> BoxedPhoto | None:
        """The photo with the objects that count; None where it doesn't count itself."""
        objects = [entry for entry in photo.objects if entry.box.share > self.smallest]
        if len(objects) > self.most and self.crowded == "largest":
            kept = sorted(range(len(objects)), key=lambda i: -objects[i].box.share)[: self.most]
            objects = [objects[i] for i in sorted(kept)]
        if not self.fewest <= len(objects) <= self.most:
            return None
        return replace(photo, objects=tuple(objects))

    def photos(self, photos: Iterable[BoxedPhoto]) -> Iterator[BoxedPhoto]:
        """Those that count."""
        return (kept for kept in map(self.photo, photos) if kept is not None)


@dataclass(frozen=True)
class BoxedSet:
    """Photos over one list of labels. ``missing``: names of photos that are listed but whose files aren't there."""

    name: str
    labels: tuple[str, ...]
    photos: Sequence[BoxedPhoto]
    missing: tuple[str, ...] = ()

    def filtered(self, rule: BoxFilter, where: Path) -> BoxedSet:
        """The photos that count. Raises DataError (``where``: the file or folder they come from) where none does."""
        photos = tuple(rule.photos(self.photos))
        if not photos:
            wanted = f"{rule.fewest} to {rule.most} boxes above {rule.smallest:.1%}"
            raise DataError(f"{where}: none of the {len(self.photos)} photos of {self.name} has {wanted}")
        return replace(self, photos=photos)

    def counts(self) -> Counter[str]:
        """How many objects each label has."""
        return Counter(self.labels[entry.label] for photo in self.photos for entry in photo.objects)

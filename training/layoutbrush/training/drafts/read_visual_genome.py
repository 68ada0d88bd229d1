"""Boxes of Visual Genome (Krishna et al., IJCV 2017) from its published files, chosen as the source chooses them.

`image_data.json`, `objects.json`; where they are there, `attributes.json`, `object_alias.txt` (a line a class, the
first of the words between commas stands for all) and `vg_splits.json` (lists of image ids: train, val, test). Photos in
`VG_100K` and `VG_100K_2`, or `images/` with both. The rules are those of Johnson, Gupta, Fei-Fei (CVPR 2018), which the
source follows: photos of 200 pixels or more both ways with 3 to 30 objects; classes with 2000 objects or more in the
training photos, whatever their size; boxes of 32 pixels or more both ways. That paper also asks for a relationship
between the objects; Layout2Im has no use for one, and none is asked for here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from layoutbrush.training.data.photo import DataError
from layoutbrush.training.drafts.boxed_photo import BoxedObject, BoxedPhoto, BoxedSet, BoxFilter, box_of_pixels
from layoutbrush.training.drafts.json_fields import Fields, read_fields, read_list

HELD_OUT = 10
"""Without vg_splits.json every tenth image id is for validation, the one after it for tests."""


@dataclass(frozen=True)
class VisualGenomeRule:
    """``instances``: a class has as many objects in the training photos; ``side``: of a box, ``photo``: of a photo that
    counts, at least, in pixels; ``fewest`` and ``most`` objects; ``kept``: of more than these, the largest stay (the
    source: 9).
    """

    instances: int = 2000
    side: int = 32
    photo: int = 200
    fewest: int = 3
    most: int = 30
    kept: int = 9


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    names: tuple[str, ...]
    bbox: tuple[float, float, float, float]
    where: str

    def counts(self, side: int, width: int, height: int) -> bool:
        """Whether it is large enough and in the picture, as annotators' boxes now and then aren't."""
        x, y, w, h = self.bbox
        return min(w, h) >= side and x < width and y < height and x + w > 0 and y + h > 0


def read_visual_genome_boxes(root: Path, split: str, rule: VisualGenomeRule | None = None) -> BoxedSet:
    """Photos of `train`, `val` or `test`, sorted by id; labels sorted by how often training photos have them.

    Raises DataError.
    """
    rule = rule or VisualGenomeRule()
    splits = _splits(root)
    aliases = _aliases(root / "object_alias.txt")
    images = {
        entry.integer("image_id"): (entry.integer("width", 1), entry.integer("height", 1), _file(root, entry))
        for entry in read_list(root / "image_data.json")
    }
    large = {number for number, (width, height, _) in images.items() if min(width, height) >= rule.photo}
    members, training = ([n for n in _members(splits, images, part) if n in large] for part in (split, "train"))
    objects = dict(_objects(root / "objects.json", images, aliases))
    counts = Counter(name for number in training for entry in objects.get(number, ()) for name in set(entry.names))
    labels = tuple(name for name, count in sorted(counts.items(), key=_by_count) if count >= rule.instances)
    if not labels:
        raise DataError(f"{root / 'objects.json'}: no class has {rule.instances} objects in the training photos")
    index = {name: i for i, name in enumerate(labels)}
    words = _Attributes(root / "attributes.json")
    photos = []
    for number in members:
        width, height, path = images[number]
        boxed = tuple(
            BoxedObject(index[name], box_of_pixels(entry.bbox, width, height, entry.where), words(entry.number))
            for entry in objects.get(number, ())
            if (name := next((n for n in entry.names if n in index), None)) and entry.counts(rule.side, width, height)
        )
        if rule.fewest <= len(boxed) <= rule.most:
            photos.append(BoxedPhoto(f"visual-genome/{number}", path, boxed))
    fewest = min(rule.fewest, rule.kept)
    whole = BoxedSet(f"visual-genome/{split}", labels, photos)
    return whole.filtered(BoxFilter(0.0, fewest, rule.kept, "largest"), root / "objects.json")


def _by_count(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _file(root: Path, entry: Fields) -> Path:
    """By the address of the photo, which ends in its folder and name; else by its id."""
    address = entry.values.get("url")
    number = entry.integer("image_id")
    parts = address.split("/")[-2:] if isinstance(address, str) and "/" in address else ["VG_100K", f"{number}.jpg"]
    folder = root / "images" if (root / "images").is_dir() else root
    return folder.joinpath(*parts)


def _splits(root: Path) -> dict[str, set[int]]:
    path = root / "vg_splits.json"
    if not path.is_file():
        return {}
    fields, found = read_fields(path), {}
    for name in ("train", "val", "test"):
        numbers = fields.get(name)
        if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
            raise fields.error(name, "should be a list of image ids")
        found[name] = set(numbers)
    return found


def _members(splits: Mapping[str, set[int]], images: Mapping[int, object], split: str) -> list[int]:
    if split not in ("train", "val", "test"):
        raise DataError(f"Visual Genome has no split {split!r}")
    numbers = sorted(images)
    if splits:
        return [number for number in numbers if number in splits[split]]
    places = {"val": {HELD_OUT - 2}, "test": {HELD_OUT - 1}}.get(split, set(range(HELD_OUT - 2)))
    return [number for i, number in enumerate(numbers) if i % HELD_OUT in places]


def _aliases(path: Path) -> dict[str, str]:
    """The name of a class by each of its words."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = [word.strip() for word in line.split(",") if word.strip()]
        for word in words:
            found.setdefault(word, words[0])
    return found


def _objects(
    path: Path, images: Mapping[int, object], aliases: Mapping[str, str]
) -> Iterator[tuple[int, tuple[_Found, ...]]]:
    for image in read_list(path):
        number = image.integer("image_id")
        if number not in images:
            raise image.error("image_id", f"{number} is none of the images of image_data.json")
        found = []
        for entry in image.each("objects"):
            words = [word.strip().lower() for word in entry.texts("names")]
            if not words:
                raise entry.error("names", "is missing or empty")
            names = tuple(aliases.get(word, word) for word in words)
            bbox = (entry.integer("x"), entry.integer("y"), entry.integer("w"), entry.integer("h"))
            found.append(_Found(entry.integer("object_id"), names, bbox, entry.at("x, y, w, h")))
        yield number, tuple(found)


class _Attributes:
    """Attributes by the object's id; none where there is no file."""

    def __init__(self, path: Path) -> None:
        self._words: dict[int, tuple[str, ...]] = {}
        if path.is_file():
            for image in read_list(path):
                for entry in image.each("attributes"):
                    self._words[entry.integer("object_id")] = entry.texts("attributes")

    def __call__(self, number: int) -> tuple[str, ...]:
        return self._words.get(number, ())

"""Box files with a list of photos each: `boxes/<name>_<split>.json`, photos relative to the folder above `boxes`.

    {"images": [{"id": "7", "file": "scenes/images/7.jpg", "width": 320, "height": 240,
                 "objects": [{"category": "car", "bbox": [x, y, w, h]}], "stuff": [the same]}]}

Photos that are listed but not there are left out, and named in the set's `missing`: a list may be older than the
folder. Stuff comes first in the order of the objects, larger before smaller, so that things are fused on top of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from layoutbrush.training.data.labels import LABEL_NAMES
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.drafts.boxed_photo import BoxedObject, BoxedPhoto, BoxedSet, box_of_pixels
from layoutbrush.training.drafts.json_fields import Fields, read_fields

SAME = {"foreground object": "object"}
"""Categories of the box files whose label in the bundle has another name."""


def read_box_file(path: Path, labels: Sequence[str] | None = None, renamed: Mapping[str, str] = SAME) -> BoxedSet:
    """The photos of one file. ``labels``: the list to use; None: the file's own, sorted. Raises DataError."""
    fields = read_fields(path)
    root = path.parent.parent
    if labels is None:
        found = {_label(entry, renamed) for photo in fields.each("images") for entry in _entries(photo)}
        labels = sorted(found)
    index = {name: i for i, name in enumerate(labels)}
    photos, missing = [], []
    for photo in fields.each("images"):
        width, height = photo.integer("width", 1), photo.integer("height", 1)
        objects = []
        for entry in _entries(photo):
            label = _label(entry, renamed)
            if label not in index:
                raise entry.error("category", f"{label!r} is none of {', '.join(labels)}")
            objects.append(BoxedObject(index[label], box_of_pixels(entry.get("bbox"), width, height, entry.at("bbox"))))
        name = photo.text("file")
        if (root / name).is_file():
            photos.append(BoxedPhoto(name, root / name, tuple(objects)))
        else:
            missing.append(name)
    if missing and not photos:
        raise DataError(f"{path}: images[0].file: {root / missing[0]} isn't there, nor is any other photo")
    return BoxedSet(path.stem, tuple(labels), tuple(photos), tuple(missing))


def read_boxes(root: Path, names: Sequence[str], split: str, labels: Sequence[str] = LABEL_NAMES) -> BoxedSet:
    """The files `boxes/<name>_<split>.json` below ``root`` as one set over the bundle's labels. Raises DataError."""
    sets = [read_box_file(root / "boxes" / f"{name}_{split}.json", labels) for name in names]
    if not sets:
        raise DataError(f"{root}: no box files are named")
    photos = tuple(photo for part in sets for photo in part.photos)
    missing = tuple(name for part in sets for name in part.missing)
    return BoxedSet("+".join(part.name for part in sets), tuple(labels), photos, missing)


def _entries(photo: Fields) -> list[Fields]:
    """Stuff, then things, each by falling area; things may be missing, and so may stuff, but not both."""
    if "stuff" not in photo.values:
        things = list(photo.each("objects"))
        return sorted(things, key=lambda entry: (bool(entry.values.get("isthing", 1)), -_area(entry)))
    things = list(photo.each("objects")) if "objects" in photo.values else []
    return sorted(photo.each("stuff"), key=_falling) + sorted(things, key=_falling)


def _falling(entry: Fields) -> float:
    return -_area(entry)


def _area(entry: Fields) -> float:
    bbox = entry.get("bbox")
    try:
        return float(bbox[2]) * float(bbox[3])
    except (TypeError, ValueError, IndexError, KeyError):
        raise entry.error("bbox", f"should be [x, y, w, h], not {bbox!r}") from None


def _label(entry: Fields, renamed: Mapping[str, str]) -> str:
    name = entry.text("category")
    return renamed.get(name, name)

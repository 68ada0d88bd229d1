"""Boxes of COCO 2017 with stuff (Caesar, Uijlings, Ferrari, CVPR 2018) from the published instances and stuff files.

`annotations/instances_<split>2017.json` and `annotations/stuff_<split>2017.json`, or both beside the photos' folders.
As the source has it, after Johnson, Gupta, Fei-Fei (CVPR 2018): only photos with stuff annotations; the stuff class
`other` (183) is left out; of the photos of val2017 that count, in the order of the instances file, the first 1024 are
for validation, the next 2048 for tests.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from layoutbrush.training.data.formats.listing import first_folder
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.drafts.boxed_photo import BoxedObject, BoxedPhoto, BoxedSet, BoxFilter, box_of_pixels
from layoutbrush.training.drafts.json_fields import Fields, read_fields

OTHER = "other"
"""The stuff class of all that is a thing, or nothing in particular."""
VALIDATION, TEST = 1024, 2048


def read_cocostuff_boxes(root: Path, split: str, rule: BoxFilter | None = None) -> BoxedSet:
    """Photos of `train`, `val` or `test` that count by ``rule``; labels sorted by COCO's category ids.

    Segmentations are not looked at. Crowds (`iscrowd` 1) count as the source counts them: as boxes. Raises DataError.
    """
    if split not in ("train", "val", "test"):
        raise DataError(f"{root}: COCO-Stuff has no split {split!r}")
    year = "train2017" if split == "train" else "val2017"
    folder = first_folder(root, f"images/{year}", year)
    files = [_annotations(root, f"{kind}_{year}.json") for kind in ("instances", "stuff")]
    things, stuff = (read_fields(path) for path in files)
    names = _categories(things) | _categories(stuff)
    numbers = sorted(number for number, name in names.items() if name != OTHER)
    index = {number: i for i, number in enumerate(numbers)}
    sizes = {
        entry.integer("id"): (entry.text("file_name"), entry.integer("width", 1), entry.integer("height", 1))
        for entry in things.each("images")
    }
    objects: dict[int, list[BoxedObject]] = defaultdict(list)
    annotated: set[int] = set()
    for source in (things, stuff):
        for entry in source.each("annotations"):
            image, category = entry.integer("image_id"), entry.integer("category_id")
            if image not in sizes:
                raise entry.error("image_id", f"{image} is none of the images of {files[0].name}")
            if category not in names:
                raise entry.error("category_id", f"{category} is none of the categories")
            if source is stuff:
                annotated.add(image)
            _, width, height = sizes[image]
            bbox = entry.get("bbox")
            if category in index and not _empty(bbox):
                box = box_of_pixels(bbox, width, height, entry.at("bbox"))
                objects[image].append(BoxedObject(index[category], box))
    photos = (
        BoxedPhoto(f"cocostuff/{image:012d}", folder / sizes[image][0], tuple(objects[image]))
        for image in sizes
        if image in annotated
    )
    whole = BoxedSet(f"cocostuff/{split}", tuple(names[number] for number in numbers), tuple(photos))
    found = whole.filtered(rule or BoxFilter(), files[0])
    part = {"train": slice(None), "val": slice(VALIDATION), "test": slice(VALIDATION, VALIDATION + TEST)}[split]
    return BoxedSet(found.name, found.labels, found.photos[part])


def _annotations(root: Path, name: str) -> Path:
    for path in (root / "annotations" / name, root / name):
        if path.is_file():
            return path
    raise DataError(f"{root}: holds no annotations/{name}")


def _categories(source: Fields) -> dict[int, str]:
    return {entry.integer("id"): entry.text("name") for entry in source.each("categories")}


def _empty(bbox: object) -> bool:
    """COCO has a few boxes without width or height."""
    return isinstance(bbox, list) and len(bbox) == 4 and all(isinstance(v, int | float) for v in bbox) and 0 in bbox[2:]

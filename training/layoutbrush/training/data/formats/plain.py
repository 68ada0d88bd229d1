"""Plain folders: photos (in the folder or in images/), label maps of ids (labels/<name>.png), labels.json, lists.

labels.json says what the ids mean; without it they are the bundle's own::

    {"classes": [{"id": 0, "name": "sky"}, {"id": 1, "name": "shrub", "label": "tree"}, {"id": 9, "name": "unknown"}]}

``label`` is one of the bundle's labels or `unknown`; it may be left out where ``name`` is one. train.txt and val.txt
name the photos of each split; without them every tenth photo is for validation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from layoutbrush.training.data.decoders import IdPng
from layoutbrush.training.data.formats.listing import PHOTO_SUFFIXES, Listing, files, listed, paired
from layoutbrush.training.data.label_map import LabelMap, SourceClass, label_id, label_map
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN
from layoutbrush.training.data.photo import DataError


def own_labels() -> LabelMap:
    """The bundle's labels as they are, 255 unknown."""
    classes = [SourceClass(i, name, i) for i, name in enumerate(LABEL_NAMES)]
    return LabelMap("scenes", "ids", (*classes, SourceClass(UNKNOWN, "unknown", UNKNOWN)))


def read_labels_json(path: Path) -> LabelMap:
    """What the ids of a plain folder mean; 255 is unknown unless the file says otherwise. Raises DataError."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable JSON file: {error}") from error
    rows = value.get("classes") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: classes: should be a list of classes")
    classes = [_class(row, f"{path}: classes[{i}]") for i, row in enumerate(rows)]
    keys = [c.key for c in classes]
    repeated = sorted({key for key in keys if key is not None and keys.count(key) > 1})
    if repeated:
        raise DataError(f"{path}: classes: id {repeated[0]} given twice")
    if UNKNOWN not in keys:
        classes.append(SourceClass(UNKNOWN, "unknown", UNKNOWN))
    return LabelMap(path.parent.name, "ids", tuple(classes))


def _class(row: Any, where: str) -> SourceClass:
    if not isinstance(row, dict):
        raise DataError(f"{where}: should be an object with id and name")
    key, name = row.get("id"), row.get("name")
    if not isinstance(key, int) or not 0 <= key <= 255:
        raise DataError(f"{where}.id: should be a whole number 0..255, not {key!r}")
    if not isinstance(name, str):
        raise DataError(f"{where}.name: should be a word, not {name!r}")
    word = row.get("label", name)
    label = label_id(word) if isinstance(word, str) else None
    if label is None:
        raise DataError(f"{where}.label: {word!r} is no label of the bundle; use one, or 'unknown'")
    return SourceClass(key, name, label)


def read_plain(root: Path, split: str) -> Listing:
    """A photo is named by its file without suffix. Photos without a label map are unlabelled."""
    meaning = root / "labels.json"
    table = read_labels_json(meaning) if meaning.is_file() else own_labels()
    return _with_table(root, split, table, promised=False)


def _with_table(root: Path, split: str, table: LabelMap, *, promised: bool) -> Listing:
    photos = files(root / "images" if (root / "images").is_dir() else root, PHOTO_SUFFIXES)
    folder = root / "labels"
    labels = files(folder, (".png",)) if promised or folder.is_dir() else {}
    names = set(listed(root, split, photos))
    found = paired(
        {name: path for name, path in photos.items() if name in names},
        {name: path for name, path in labels.items() if name in names or (name not in photos and split == "train")},
        IdPng(table),
        lambda name: folder / f"{name}.png",
    )
    return found if promised or labels else Listing(found.entries, found.decoder)


def _prepared(table: str, root: Path, split: str) -> Listing:
    return _with_table(root, split, label_map(table), promised=True)


read_scenes_folder: Callable[[Path, str], Listing] = partial(_prepared, "scenes")
"""The collection `scenes`: images/, labels/ and lists, ids of the Stanford Background Dataset."""

read_streets_folder: Callable[[Path, str], Listing] = partial(_prepared, "streets")
"""The collection `streets`: images/, labels/ and lists, ids of CamVid's 11 classes."""

"""Opens collections of photos: by folder below a root, or as a list or `kind:/path` says.

The folders `scenes`, `streets` and plain ones are decoded once and held in memory as uint8: a few hundred megabytes.
What a list or `kind:/path` names (the published formats) is read photo by photo when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from layoutbrush.training.data.decoders import read_ids
from layoutbrush.training.data.formats.listing import PHOTO_SUFFIXES, names_of
from layoutbrush.training.data.labels import SCENES_TO_MERGED, STREETS_TO_MERGED, UInt8, lookup
from layoutbrush.training.data.lazy import cut_to_common
from layoutbrush.training.data.lazy import read_image as read_image
from layoutbrush.training.data.lazy import unknown_labels as unknown_labels
from layoutbrush.training.data.photo import Collection, DataError, Photo
from layoutbrush.training.data.spec import is_spec, open_spec
from layoutbrush.training.data.toy import toy_collection


def read_labels(path: Path, table: UInt8 | None = None) -> UInt8:
    """(H, W) uint8 ids from an 8-bit single-channel or palette PNG, mapped by `table`. Raises DataError."""
    ids = read_ids(path)
    return ids if table is None else np.ascontiguousarray(table[ids])


def _read_split(folder: Path, split: str, mapping: tuple[int, ...]) -> tuple[Photo, ...]:
    table = lookup(mapping)
    return tuple(
        cut_to_common(
            f"{folder.name}/{name}",
            read_image(folder / "images" / f"{name}.jpg"),
            read_labels(folder / "labels" / f"{name}.png", table),
        )
        for name in names_of(folder / f"{split}.txt")
    )


def read_scenes(folder: Path, split: str) -> tuple[Photo, ...]:
    """Stanford Background Dataset (Gould, Fulton, Koller, ICCV 2009): images/, labels/, <split>.txt."""
    return _read_split(folder, split, SCENES_TO_MERGED)


def read_streets(folder: Path, split: str) -> tuple[Photo, ...]:
    """CamVid in its 11-class form (Brostow et al. 2009): images/, labels/, <split>.txt."""
    return _read_split(folder, split, STREETS_TO_MERGED)


def read_folder(folder: Path, labels: Path | None = None) -> tuple[Photo, ...]:
    """Every photo of a plain folder; its label map is `labels`/<stem>.png where there is one."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    photos = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES):
        image = read_image(path)
        own = labels / f"{path.stem}.png" if labels else None
        if own is not None and own.is_file():
            photos.append(cut_to_common(path.stem, image, read_labels(own)))
        else:
            photos.append(Photo(path.stem, image, unknown_labels(image)))
    return tuple(photos)


_READERS: dict[str, Callable[[Path, str], tuple[Photo, ...]]] = {
    "scenes": read_scenes,
    "streets": read_streets,
}


def open_collections(
    root: Path, names: Sequence[str], split: str = "train", weights: Sequence[float] | None = None
) -> tuple[Collection, ...]:
    """Collections by folder name below `root`: `scenes`, `streets`, or any plain folder of photos; `toy` is generated.

    A plain folder has no lists: all of it belongs to `train`. Weights default to 1. Where `root` is a data.toml or
    `kind:/path` (:mod:`~layoutbrush.training.data.spec`), that says which collections there are, with their weights,
    and `names` and `weights` don't count. Raises DataError.
    """
    if is_spec(root):
        return open_spec(root, split)
    collections = []
    for name, weight in zip(names, weights or [1.0] * len(names), strict=True):
        if name == "toy":
            collections.append(toy_collection(seed=0 if split == "train" else 1, weight=weight))
            continue
        if name in _READERS:
            photos = _READERS[name](root / name, split)
        elif split == "train":
            photos = read_folder(root / name)
        else:
            raise DataError(f"{root / name}: a plain folder has no {split} list")
        if not photos:
            raise DataError(f"{root / name}: holds no photos")
        collections.append(Collection(name, photos, weight))
    return tuple(collections)

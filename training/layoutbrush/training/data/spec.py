"""Where photos come from: `kind:/path`, or a data.toml that lists collections.

    [[collection]]
    kind = "ade20k"             # a published format, see `layoutbrush.training.data.formats`
    path = "ADEChallengeData2016"  # from the folder of this file
    weight = 1.0                # how often it is drawn against the others
    only = ["street/*"]         # patterns of photo names; all without it
    longest = 1024              # larger photos are shrunk as they are read; 0: never
    most = 0                    # at most so many photos, spread evenly; 0: all
    splits = ["train", "val"]   # the splits that it takes part in
    segmentation = "seg.safetensors"  # labels for photos without label maps by this network,
    cache = "labels"            # kept here

`kind:/path` is such a list of one collection. An unknown key is an error.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from layoutbrush.training.data.formats import READERS, SPLITS, Listing
from layoutbrush.training.data.lazy import LazyPhotos
from layoutbrush.training.data.photo import Collection, DataError
from layoutbrush.training.data.pseudo_labels import NetworkLabels

LONGEST = 1024


@dataclass(frozen=True)
class Source:
    """One collection of a list; the module's docstring says what the fields mean."""

    kind: str
    path: Path
    name: str = ""
    weight: float = 1.0
    only: tuple[str, ...] = ()
    longest: int = LONGEST
    most: int = 0
    splits: tuple[str, ...] = SPLITS
    segmentation: Path | None = None
    cache: Path | None = None

    def listing(self, split: str) -> Listing:
        """What the format's reader finds, less what ``only`` leaves out. Raises DataError."""
        found = READERS[self.kind](self.path, split)
        if not self.only:
            return found
        entries = tuple(e for e in found.entries if any(fnmatch(e.name, pattern) for pattern in self.only))
        return Listing(entries, found.decoder, found.missing, found.orphans)

    def collection(self, split: str) -> Collection:
        """The photos, to be read when they are asked for. Raises DataError."""
        found = self.listing(split)
        if not found.entries:
            raise DataError(f"{self.path}: holds no photos for {split}")
        entries = found.entries
        if 0 < self.most < len(entries):
            entries = tuple(entries[i * len(entries) // self.most] for i in range(self.most))
        labeller = NetworkLabels(self.segmentation, self.cache) if self.segmentation and self.cache else None
        photos = LazyPhotos(entries, found.decoder, longest=self.longest, labeller=labeller)
        return Collection(self.name or self.kind, photos, self.weight)


def is_spec(data: Path) -> bool:
    """Whether ``data`` is a data.toml or `kind:/path`, and not a folder of collections."""
    return data.suffix == ".toml" or (re.match(r"[a-z0-9-]{2,}:", str(data)) is not None and not data.exists())


def read_spec(data: Path) -> tuple[Source, ...]:
    """The collections that a data.toml or `kind:/path` names. Raises DataError."""
    if data.suffix == ".toml":
        return _read_toml(data)
    kind, _, path = str(data).partition(":")
    if kind not in READERS:
        raise DataError(f"{data}: unknown kind {kind!r}; there are {', '.join(READERS)}")
    return (Source(kind, Path(path)),)


def open_spec(data: Path, split: str) -> tuple[Collection, ...]:
    """The collections that take part in a split. Raises DataError; none is an error too."""
    collections = tuple(source.collection(split) for source in read_spec(data) if split in source.splits)
    if not collections:
        raise DataError(f"{data}: no collection takes part in {split}")
    return collections


def _read_toml(path: Path) -> tuple[Source, ...]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not a readable list of collections: {error}") from error
    rows = table.pop("collection", None)
    if table:
        raise DataError(f"{path}: {sorted(table)[0]}: unknown key; there is [[collection]]")
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: collection: names no collections")
    return tuple(_source(row, path, f"{path}: collection[{i}]") for i, row in enumerate(rows))


def _source(row: dict[str, Any], path: Path, where: str) -> Source:
    known = {entry.name for entry in fields(Source)}
    unknown = sorted(set(row) - known)
    if unknown:
        raise DataError(f"{where}.{unknown[0]}: unknown key; there are {', '.join(sorted(known))}")
    for key, kinds in _TYPES.items():
        if key in row and (not isinstance(row[key], kinds) or isinstance(row[key], bool)):
            raise DataError(f"{where}.{key}: should be {_WORDS[kinds]}, not {row[key]!r}")
    if row.get("kind") not in READERS:
        raise DataError(f"{where}.kind: should be one of {', '.join(READERS)}, not {row.get('kind')!r}")
    if "path" not in row:
        raise DataError(f"{where}.path: is missing")
    if ("segmentation" in row) != ("cache" in row):
        raise DataError(f"{where}: segmentation and cache go together")
    if row.get("weight", 1.0) <= 0:
        raise DataError(f"{where}.weight: should be above 0")
    values = dict(row)
    for key in ("path", "segmentation", "cache"):
        if key in values:
            values[key] = path.parent / values[key]
    for key in ("only", "splits"):
        if key in values:
            if not all(isinstance(word, str) for word in values[key]):
                raise DataError(f"{where}.{key}: should be a list of words")
            values[key] = tuple(values[key])
    if not set(values.get("splits", SPLITS)) <= set(SPLITS):
        raise DataError(f"{where}.splits: should hold {' or '.join(SPLITS)}")
    return Source(**values)


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("kind", "path", "name", "segmentation", "cache"), str),
    "weight": (int, float),
    **dict.fromkeys(("longest", "most"), int),
    **dict.fromkeys(("only", "splits"), list),
}
_WORDS: dict[Any, str] = {str: "a word", (int, float): "a number", int: "a whole number", list: "a list"}

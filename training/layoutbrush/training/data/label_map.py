"""From a data set's own classes to the bundle's labels: one TOML table a data set, in `label_maps/`.

A table names every class of its set, with the label it becomes or the word `unknown`::

    kind = "ids"                      # or "colors", "names"
    classes = [[7, "road", "road"]]   # its id, or [red, green, blue]; its name; the label

A table of names has no ids: ``["road", "road"]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN, UInt8
from layoutbrush.training.data.photo import DataError

TABLES = Path(__file__).with_name("label_maps")
"""The tables that come with the package."""

KINDS = ("ids", "colors", "names")


@dataclass(frozen=True)
class SourceClass:
    """A class of a data set. ``key``: its id, its colour packed as red << 16 | green << 8 | blue, or None."""

    key: int | None
    name: str
    label: int


@dataclass(frozen=True)
class LabelMap:
    """How the classes of one data set become ids of the bundle's labels, UNKNOWN = 255.

    ``others``: whether classes that are not listed are meant to be UNKNOWN; else they are errors of the data.
    """

    name: str
    kind: str
    classes: tuple[SourceClass, ...]
    others: bool = False

    def table(self, shift: int = 0) -> UInt8:
        """(256,) labels of 8-bit ids; ``shift`` is what a file's ids lack (1 where it holds id - 1; -1 is 255 then)."""
        table = np.full(256, UNKNOWN, np.uint8)
        for entry in self.classes:
            if entry.key is not None and -1 <= entry.key - shift < 256:
                table[entry.key - shift] = entry.label
        return table

    def listed(self, shift: int = 0) -> npt.NDArray[np.bool_]:
        """(256,) whether an 8-bit id is in the list."""
        found = np.zeros(256, np.bool_)
        for entry in self.classes:
            if entry.key is not None and -1 <= entry.key - shift < 256:
                found[entry.key - shift] = True
        return found

    def by_name(self) -> Mapping[str, int]:
        """Labels by the classes' names."""
        return {entry.name: entry.label for entry in self.classes}


def label_id(word: str) -> int | None:
    """Id of a label's name; UNKNOWN for `unknown`; None for anything else."""
    if word == "unknown":
        return UNKNOWN
    return LABEL_NAMES.index(word) if word in LABEL_NAMES else None


def parse_label_map(name: str, table: Mapping[str, Any], where: str) -> LabelMap:
    """A table as read from TOML. Raises DataError that names the file (``where``) and the class at fault."""
    kind, rows, others = table.get("kind"), table.get("classes"), table.get("others")
    if kind not in KINDS:
        raise DataError(f"{where}: kind: should be one of {', '.join(KINDS)}, not {kind!r}")
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{where}: classes: should be a list of classes")
    if others not in (None, "unknown"):
        raise DataError(f"{where}: others: should be absent or 'unknown', not {others!r}")
    classes = tuple(_class(kind, row, f"{where}: classes: {row!r}") for row in rows)
    for keys in ([str(c.key) for c in classes if c.key is not None], [c.name for c in classes]):
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise DataError(f"{where}: classes: {', '.join(repeated)} named twice")
    return LabelMap(name, kind, classes, others == "unknown")


def _class(kind: str, row: Any, where: str) -> SourceClass:
    if not isinstance(row, list) or len(row) != (2 if kind == "names" else 3):
        raise DataError(f"{where}: should be [{'' if kind == 'names' else 'key, '}name, label]")
    *keys, name, word = row
    label = label_id(word) if isinstance(word, str) else None
    if label is None or not isinstance(name, str):
        raise DataError(f"{where}: {word!r} is neither a label nor 'unknown'")
    key = keys[0] if keys else None
    if kind == "colors":
        if not (isinstance(key, list) and len(key) == 3 and all(isinstance(v, int) and 0 <= v < 256 for v in key)):
            raise DataError(f"{where}: a colour is [red, green, blue], each 0..255")
        key = key[0] << 16 | key[1] << 8 | key[2]
    elif kind == "ids" and not isinstance(key, int):
        raise DataError(f"{where}: an id is a whole number")
    return SourceClass(key, name, label)


def read_label_map(path: Path) -> LabelMap:
    """A table from a file. Raises DataError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not a readable table: {error}") from error
    return parse_label_map(path.stem, table, str(path))


@lru_cache(maxsize=32)
def label_map(name: str) -> LabelMap:
    """One of the tables that come with the package, e.g. `cityscapes`. Raises DataError."""
    return read_label_map(TABLES / f"{name}.toml")

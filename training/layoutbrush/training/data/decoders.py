"""Label files as the data sets publish them, as maps of the bundle's labels.

A decoder's ``labels(path)`` is what training reads: (H, W) uint8 label ids. ``strangers(path)`` is what a check of the
data asks: pixels by id, colour or name that the data set's list does not hold. Both raise DataError with the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from layoutbrush.training.data.label_map import LabelMap
from layoutbrush.training.data.labels import UNKNOWN, UInt8
from layoutbrush.training.data.photo import DataError

Ints = npt.NDArray[np.int32]


class Decoder(Protocol):
    """Reads the label files of one data set."""

    def labels(self, path: Path) -> UInt8: ...

    def strangers(self, path: Path) -> dict[str, int]: ...


def _pixels(path: Path, modes: tuple[str, ...], wanted: str) -> UInt8:
    try:
        with Image.open(path) as image:
            if image.mode not in modes:
                raise DataError(f"{path}: should be {wanted}, not a picture of mode {image.mode}")
            return np.asarray(image)
    except (OSError, SyntaxError) as error:  # Pillow reports broken PNG chunks as SyntaxError
        raise DataError(f"{path}: not a readable label map") from error


def read_ids(path: Path) -> UInt8:
    """(H, W) uint8 ids of an 8-bit single-channel or palette PNG. Raises DataError."""
    return _pixels(path, ("L", "P"), "an 8-bit single-channel or palette PNG")


def read_rgb(path: Path) -> UInt8:
    """(H, W, 3) uint8 of a colour picture without palette. Raises DataError."""
    return _pixels(path, ("RGB", "RGBA"), "an RGB picture")[..., :3]


@dataclass(frozen=True)
class IdPng:
    """8-bit ids; ``shift`` is what the file's ids lack."""

    map: LabelMap
    shift: int = 0

    def labels(self, path: Path) -> UInt8:
        return np.ascontiguousarray(self.map.table(self.shift)[read_ids(path)])

    def strangers(self, path: Path) -> dict[str, int]:
        counts = np.bincount(read_ids(path).ravel(), minlength=256)
        counts[self.map.listed(self.shift)] = 0
        return {f"id {i}": int(counts[i]) for i in np.flatnonzero(counts)} if not self.map.others else {}


@dataclass(frozen=True)
class ColorPng:
    """A colour for each class."""

    map: LabelMap

    def labels(self, path: Path) -> UInt8:
        labels, _ = self._found(path)
        return labels

    def strangers(self, path: Path) -> dict[str, int]:
        _, strangers = self._found(path)
        return strangers

    def _found(self, path: Path) -> tuple[UInt8, dict[str, int]]:
        rgb = read_rgb(path).astype(np.int32)
        packed = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
        present, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
        known = {entry.key: entry.label for entry in self.map.classes}
        table = np.array([known.get(int(color), UNKNOWN) for color in present], np.uint8)
        strangers = {
            f"colour {int(c) >> 16},{int(c) >> 8 & 255},{int(c) & 255}": int(n)
            for c, n in zip(present, counts, strict=True)
            if int(c) not in known
        }
        return table[inverse.reshape(packed.shape)], strangers


@dataclass(frozen=True)
class NumberText:
    """A line of whole numbers for each row of pixels, as in `*.regions.txt`."""

    map: LabelMap

    def labels(self, path: Path) -> UInt8:
        numbers = self._numbers(path)
        labels = np.full(numbers.shape, UNKNOWN, np.uint8)
        for entry in self.map.classes:
            labels[numbers == entry.key] = entry.label
        return labels

    def strangers(self, path: Path) -> dict[str, int]:
        present, counts = np.unique(self._numbers(path), return_counts=True)
        keys = {entry.key for entry in self.map.classes}
        return {f"id {i}": int(n) for i, n in zip(present, counts, strict=True) if int(i) not in keys}

    def _numbers(self, path: Path) -> Ints:
        try:
            rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
            widths = {len(row) for row in rows}
            if len(widths) != 1:
                raise ValueError(f"rows of {sorted(widths)} numbers")
            return np.array(rows, np.int32)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not a readable table of numbers: {error}") from error


@dataclass(frozen=True)
class NamedSegments:
    """ADE20K in full: `*_seg.png` with `*.json` beside it, which names the indices that the picture holds.

    Red and green carry the index of the class, red // 10 * 256 + green; 0 is unlabelled. The release also holds an
    index of all names as a Python pickle; a pickle is code, so it is not read.
    """

    map: LabelMap

    def labels(self, path: Path) -> UInt8:
        names, known = self._names(path), self.map.by_name()
        indices = self._indices(path)
        present, inverse = np.unique(indices, return_inverse=True)
        table = np.array([known.get(names.get(int(i), ""), UNKNOWN) for i in present], np.uint8)
        return table[inverse.reshape(indices.shape)]

    def strangers(self, path: Path) -> dict[str, int]:
        """Indices that the JSON file does not name."""
        names = self._names(path)
        present, counts = np.unique(self._indices(path), return_counts=True)
        return {f"index {i}": int(n) for i, n in zip(present, counts, strict=True) if i and int(i) not in names}

    def _indices(self, path: Path) -> Ints:
        rgb = read_rgb(path).astype(np.int32)
        return rgb[..., 0] // 10 * 256 + rgb[..., 1]

    def _names(self, path: Path) -> dict[int, str]:
        """First synonym of each class by its index."""
        described = path.with_name(path.name.removesuffix("_seg.png") + ".json")
        try:
            value: Any = json.loads(described.read_text(encoding="utf-8", errors="replace"))
            objects = value["annotation"]["object"]
            return {int(o["name_ndx"]): str(o["name"]).split(",")[0].strip() for o in objects}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{described}: annotation.object: no names with name_ndx: {error}") from error

"""Reads evaluation tasks: a folder each, with the input, the layout to follow and the true picture.

`image.png`, `edited.png`, `mask.png` (255 = may change), `truth.png` (RGBA: alpha 0 = same as the input, or RGB);
optional `layout.png` (label map of the input), `exclude.png` (255 = must not be copied) and `task.json` with `set`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.data.photos import read_image, read_labels


@dataclass(frozen=True, eq=False)
class EvaluationTask:
    """One task; all maps have the picture's size.

    ``image``, ``truth`` (H, W, 3) uint8 RGB; ``edited``, ``layout`` (H, W) uint8 ids, 255 unknown; ``mask`` (H, W)
    bool, True = may change; ``exclude`` (H, W) bool, True = must not be copied.
    """

    name: str
    set: str
    image: UInt8
    truth: UInt8
    edited: UInt8
    mask: Bool
    layout: UInt8 | None
    exclude: Bool | None


def task_names(folder: Path, prefixes: Sequence[str] = ()) -> list[str]:
    """Names of the tasks that have a truth, sorted; only those of the sets or name beginnings given.

    Raises DataError when there are none.
    """
    names = sorted(path.parent.name for path in folder.glob("*/truth.png"))
    if prefixes:
        names = [name for name in names if any(name == p or name.startswith(f"{p}-") for p in prefixes)]
    if not names:
        raise DataError(f"{folder}: no tasks with a truth.png" + (f" in {', '.join(prefixes)}" if prefixes else ""))
    return names


def read_task(folder: Path, name: str) -> EvaluationTask:
    """One task of the folder. Raises DataError that names the file at fault."""
    place = folder / name
    image = read_image(place / "image.png")
    facts = _facts(place / "task.json")
    layout, exclude = place / "layout.png", place / "exclude.png"
    task = EvaluationTask(
        name=name,
        set=str(facts.get("set", "-".join(name.split("-")[:2]))),
        image=image,
        truth=_truth(place / "truth.png", image),
        edited=read_labels(place / "edited.png"),
        mask=_mask(place / "mask.png"),
        layout=read_labels(layout) if layout.is_file() else None,
        exclude=_mask(exclude) if exclude.is_file() else None,
    )
    for part, array in (("truth", task.truth), ("edited", task.edited), ("mask", task.mask)):
        if array.shape[:2] != image.shape[:2]:
            raise DataError(f"{place / part}.png: its size is not that of image.png")
    return task


def _facts(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    facts = json.loads(path.read_text())
    return facts if isinstance(facts, dict) else {}


def _mask(path: Path) -> Bool:
    try:
        with Image.open(path) as image:
            return np.asarray(np.asarray(image.convert("L")) > 127)
    except OSError as error:
        raise DataError(f"{path}: not a readable mask") from error


def _truth(path: Path, image: UInt8) -> UInt8:
    """The true picture; where its alpha is 0 it is the input."""
    try:
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGBA"))
    except OSError as error:
        raise DataError(f"{path}: not a readable picture") from error
    if pixels.shape[:2] != image.shape[:2]:
        raise DataError(f"{path}: its size is not that of image.png")
    return np.where(pixels[..., 3:] > 127, pixels[..., :3], image)

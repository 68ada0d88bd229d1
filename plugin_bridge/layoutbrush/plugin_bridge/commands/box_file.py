"""Files of labelled boxes: `{"width": 64, "height": 64, "objects": [{"label": "tree", "bbox": [x, y, w, h]}]}`.

Objects come in the order in which they are drawn, later ones in front. An object may have a `look`, a number: while it
keeps it, it looks the same wherever its box is moved. Other keys are left alone, so that files may say more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layoutbrush.plugin_bridge.boxes import Box
from layoutbrush.plugin_bridge.commands.files import FileProblem

_MAX_BYTES = 1 << 20
_MAX_NUMBER = (1 << 32) - 1


@dataclass(frozen=True)
class BoxFile:
    """`width`, `height`: pixels that the boxes' coordinates refer to."""

    width: int
    height: int
    boxes: tuple[Box, ...]


def read_boxes(path: Path) -> BoxFile:
    """Read a file of boxes; whether they lie inside and their labels are known is the server's to say.

    Raises:
        FileProblem: names the file and the place in it.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise FileProblem(f"There is no file {path}.") from error
    except OSError as error:
        raise FileProblem(f"{path} can't be read: {error.strerror}.") from error
    if len(data) > _MAX_BYTES:
        raise FileProblem(f"{path.name} is larger than 1 MiB; that is no file of boxes.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{path.name} is not JSON.") from error
    try:
        return _box_file(value)
    except _Wrong as wrong:
        raise FileProblem(f"{path.name}: {wrong}") from None


def place_in_file(field: str) -> str:
    """What a field of GenerateDrafts is called in a file of boxes: `boxes[2].width` -> `objects[2].bbox`."""
    index, dot, name = field.removeprefix("boxes").partition(".")
    if not field.startswith("boxes"):
        return "width and height" if field == "extent" else field
    return f"objects{index}{dot}{name if name in ('', 'label', 'look') else 'bbox'}"


class _Wrong(Exception):
    """`place: what is wrong there`."""


def _box_file(value: Any) -> BoxFile:
    if not isinstance(value, Mapping):
        raise _Wrong("it should hold an object with width, height and objects.")
    width, height = (_number(value.get(name), name, 1) for name in ("width", "height"))
    objects = value.get("objects")
    if not isinstance(objects, list) or not objects:
        raise _Wrong("objects: should be a list of at least one object.")
    return BoxFile(width, height, tuple(_box(entry, f"objects[{index}]") for index, entry in enumerate(objects)))


def _box(entry: Any, place: str) -> Box:
    if not isinstance(entry, Mapping):
        raise _Wrong(f"{place}: should be an object with label and bbox.")
    label, bbox, look = entry.get("label"), entry.get("bbox"), entry.get("look")
    if not isinstance(label, str) or not label:
        raise _Wrong(f"{place}.label: should be the name of a label.")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        raise _Wrong(f"{place}.bbox: should be four numbers, [x, y, w, h].")
    x, y, width, height = (float(side) for side in bbox)
    return Box(label, x, y, width, height, None if look is None else _number(look, f"{place}.look", 0))


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) <= _MAX_NUMBER and math.isfinite(value)


def _number(value: Any, place: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_NUMBER:
        raise _Wrong(f"{place}: should be a whole number of at least {least}.")
    return value

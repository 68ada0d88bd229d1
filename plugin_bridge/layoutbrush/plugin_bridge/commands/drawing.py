"""Drafts for a command: asked for, enlarged, shown side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Client, Draft, Progress, Queued, RemoteError
from layoutbrush.plugin_bridge.commands.box_file import BoxFile, place_in_file
from layoutbrush.plugin_bridge.commands.files import Problem, write_png
from layoutbrush.plugin_bridge.commands.rendering import array_of, explained

_FLAGS = {"count": "--count", "seed": "--seed", "layout_extent": "--size"}
_SHEET_SIDE = 192
"""Longer side of a draft on the contact sheet, pixels."""


@dataclass(frozen=True)
class Order:
    """`width`, `height`: of the pictures and label maps that are wanted. `before`: what came before, oldest first.

    Raises:
        Problem: a number is out of range.
    """

    file: BoxFile
    count: int
    seed: int
    width: int
    height: int
    before: tuple[BoxFile, ...] = ()

    def __post_init__(self) -> None:
        if any((old.width, old.height) != (self.file.width, self.file.height) for old in self.before):
            raise Problem("--before: a file says another width and height than the boxes' own.")
        if not 1 <= self.count <= 64:
            raise Problem("--count is 1 to 64.")
        if not 0 <= self.seed < 1 << 31:
            raise Problem("--seed is 0 to 2147483647.")


@dataclass(frozen=True, eq=False)
class Drawn:
    """`pixels`: uint8 (H, W, 3). `layout`: label ids, uint8 (H, W)."""

    index: int
    pixels: NDArray[np.uint8]
    layout: NDArray[np.uint8]


def draw(client: Client, order: Order, name: str, heard: Callable[[Queued | Progress], None]) -> Iterator[Drawn]:
    """Yield the drafts, each as it is done; `name`: of the file of boxes. `heard` is called with all other events.

    Raises:
        Problem: the server's answer, its field as the command line or the file calls it.
    """
    file, size = order.file, (order.width, order.height)
    before = [old.boxes for old in order.before]
    try:
        for event in client.draft(
            file.boxes, file.width, file.height, count=order.count, seed=order.seed, layout_size=size, before=before
        ):
            if not isinstance(event, Draft):
                heard(event)
                continue
            if event.label_map is None:
                raise Problem("The server makes no label maps.")
            layout = array_of(event.label_map)[..., 0]
            yield Drawn(event.index, enlarged(array_of(event.picture), size), layout)
    except RemoteError as error:
        if error.field.startswith("before"):
            place = place_in_file(error.field.partition(".")[2])
            raise Problem(f"--before: {place}{': ' if place else ''}{error.message}") from None
        if error.field in _FLAGS:
            raise Problem(f"{_FLAGS[error.field]}: {error.message}") from None
        if error.field:
            raise Problem(f"{name}: {place_in_file(error.field)}: {error.message}") from None
        raise Problem(explained(error)) from None


def enlarged(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture uint8 (h, w, 3) stretched to `size`, (width, height), smoothly."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def write_sheet(path: Path, drawn: Sequence[Drawn]) -> None:
    """Write all drafts side by side, larger than they are, with their numbers.

    Raises:
        FileProblem: it can't be written.
    """
    from layoutbrush.plugin_bridge.demo.sheet import Picture, contact_sheet

    height, width = drawn[0].pixels.shape[:2]
    scale = _SHEET_SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pictures = [Picture(f"{draft.index}", Image.fromarray(enlarged(draft.pixels, size))) for draft in drawn]
    write_png(path, np.asarray(contact_sheet(pictures, columns=min(4, len(drawn)))))

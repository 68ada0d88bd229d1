"""Contact sheets: tasks and pictures side by side, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.labels import colorize
from layoutbrush.training.data.task import Task

GAP = 4
"""Pixels between pictures."""


def grid(rows: Sequence[Sequence[UInt8]], gap: int = GAP) -> UInt8:
    """Rows of (H, W, 3) uint8 pictures on white; sizes may differ."""
    heights = [max(cell.shape[0] for cell in row) for row in rows]
    width = max(sum(cell.shape[1] + gap for cell in row) for row in rows) + gap
    sheet = np.full((sum(heights) + gap * (len(rows) + 1), width, 3), 255, np.uint8)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        left = gap
        for cell in row:
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
            left += cell.shape[1] + gap
        top += height + gap
    return sheet


def captioned(rows: Sequence[Sequence[UInt8]], captions: Sequence[str]) -> UInt8:
    """`grid` below a line of captions; the columns are as wide as the first row's pictures."""
    sheet = grid(rows)
    strip = Image.new("RGB", (sheet.shape[1], 18), "white")
    left = GAP
    for caption, cell in zip(captions, rows[0], strict=True):
        ImageDraw.Draw(strip).text((left, 3), caption, fill="black")
        left += cell.shape[1] + GAP
    return np.concatenate([np.asarray(strip), sheet])


def tinted(image: UInt8, mask: Bool, color: tuple[int, int, int] = (230, 30, 30)) -> UInt8:
    """The picture with the masked pixels half covered by a colour."""
    half = (image.astype(np.uint16) + np.array(color, np.uint16)) // 2
    return np.where(mask[..., None], half, image).astype(np.uint8)


def task_row(task: Task) -> list[UInt8]:
    """Input, mask (red) with what must not be copied (blue), layout, edited layout, truth."""
    marked = tinted(tinted(task.image, ~task.source, (40, 60, 220)), task.mask)
    return [task.image, marked, colorize(task.layout), colorize(task.edited), task.truth]


def task_sheet(tasks: Sequence[Task], columns: int = 2) -> UInt8:
    """Tasks below each other, `columns` of them beside each other."""
    rows = [task_row(task) for task in tasks]
    return grid([[cell for row in rows[i : i + columns] for cell in row] for i in range(0, len(rows), columns)])


def write(path: Path, picture: UInt8) -> None:
    """Writes (H, W, 3) uint8 as PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(picture).save(part, format="PNG")
    part.replace(path)

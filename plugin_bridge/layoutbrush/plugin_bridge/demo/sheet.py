"""The contact sheet: pictures of one size in a grid, each with its caption, and lines of text below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

MARGIN, CAPTION, LINE, TEXT_SIZE = 12, 26, 20, 15
PAPER, INK = (250, 250, 248), (40, 40, 40)


@dataclass(frozen=True)
class Picture:
    """An RGB picture and what stands above it."""

    caption: str
    image: Image.Image


def contact_sheet(pictures: Sequence[Picture], lines: Sequence[str] = (), columns: int = 3) -> Image.Image:
    """Pictures, all of the first one's size, row by row; `lines` of text below them. RGB."""
    width, height = pictures[0].image.size
    rows = -(-len(pictures) // columns)
    cell_width, cell_height = width + MARGIN, height + CAPTION + MARGIN
    text_height = LINE * len(lines) + (MARGIN if lines else 0)
    sheet = Image.new("RGB", (columns * cell_width + MARGIN, rows * cell_height + MARGIN + text_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(TEXT_SIZE)
    for index, picture in enumerate(pictures):
        x = MARGIN + index % columns * cell_width
        y = MARGIN + index // columns * cell_height
        draw.text((x, y), picture.caption, INK, font)
        sheet.paste(picture.image.convert("RGB"), (x, y + CAPTION))
    for index, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + rows * cell_height + index * LINE), line, INK, font)
    return sheet

r"""Make draft pictures from labelled boxes.

    layoutbrush draft boxes.json --count 8 --out drafts

boxes.json says what stands where, in the order in which it is drawn (what comes later lies in front):

    {"width": 64, "height": 64, "objects": [{"label": "sky", "bbox": [0, 0, 64, 30]},
                                            {"label": "tree", "bbox": [10, 12, 20, 40], "look": 7}]}

Writes drafts/draft-0.png and so on, and for each its label map, drafts/layouts/draft-0.png: the boxes as label ids,
255 = unknown where there is none. Move a box and keep its `look` (or its place in the list): the object looks the same,
and so do all others. With --before and the file as it was, nothing else changes at all. Another --seed, other pictures.

From a draft to a photo:

    layoutbrush find-references PHOTOS --layout drafts/layouts/draft-3.png       which photo has it all?
    layoutbrush draft boxes.json --like PHOTO --out sized                        the same boxes at that photo's size
    layoutbrush edit PHOTO --edited-layout sized/layouts/draft-0.png --out result.png

Or the draft is the photo, and what it shows is drawn from photos that were found:

    layoutbrush draft boxes.json --size 512x512 --count 8 --out drafts
    layoutbrush edit drafts/draft-3.png --layout drafts/layouts/draft-3.png --edited-layout drafts/layouts/draft-3.png \
        --reference PHOTO --take sky --take tree --out result.png

(`layoutbrush segment drafts/draft-3.png --out layout.png` finds what a draft shows, instead of what was ordered.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from layoutbrush.plugin_bridge.commands.box_file import BoxFile


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush draft`."""

    boxes: Annotated[Path, tyro.conf.Positional]
    """The boxes, a JSON file."""

    out: Path
    """Folder to write to."""

    count: int = 1
    """Drafts, 1 to 64; all of them keep to the boxes, and each looks different."""

    seed: int = 0
    """The same seed and boxes give the same drafts."""

    before: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """A file of boxes as it was before it was edited, oldest first; may be given several times. Each draft is then the
    one that it was, changed only around the boxes that were edited."""

    size: str = ""
    """WIDTHxHEIGHT of the files in pixels; left out: that of the boxes' file. Networks draw drafts at 64 x 64 or so,
    and they are enlarged; label maps are drawn at this size, with sharp outlines."""

    like: Path | None = None
    """A photo whose size the files shall have, instead of --size."""

    sheet: Path | None = None
    """PNG with all drafts side by side."""

    server: str = ""
    """HOST:PORT of a running server. Left out: a private one."""

    drafts: str = "drafts"
    """Trained networks of a private server that make drafts."""

    bundle: str = "scenes"
    """Trained networks of a private server whose label ids the label maps hold."""

    threads: int = 0
    """Cores of a private server; 0 = all."""


def run(config: Config) -> int:
    """Make drafts; returns the exit status."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _draft(config))


def _draft(config: Config) -> int:
    from layoutbrush.plugin_bridge.commands import rendering
    from layoutbrush.plugin_bridge.commands.box_file import read_boxes
    from layoutbrush.plugin_bridge.commands.drawing import Drawn, Order, draw, write_sheet
    from layoutbrush.plugin_bridge.commands.files import check_output, write_labels, write_png

    if config.sheet:
        check_output(config.sheet)
    file = read_boxes(config.boxes)
    width, height = _size(config, file)
    before = tuple(read_boxes(path) for path in config.before)
    order = Order(file, config.count, config.seed, width, height, before)
    choice = rendering.ServerChoice(config.server, config.bundle, config.threads, config.drafts)
    digits, drawn = len(str(config.count - 1)), list[Drawn]()
    with rendering.progress_bar(config.boxes.name) as shown, rendering.connected(choice) as client:
        colors = rendering.label_colors(client)
        for draft in draw(client, order, config.boxes.name, shown):
            name = f"draft-{draft.index:0{digits}d}.png"
            write_png(config.out / name, draft.pixels)
            write_labels(config.out / "layouts" / name, draft.layout, colors)
            drawn.append(draft)
    if config.sheet:
        write_sheet(config.sheet, drawn)
    print(f"{config.out}: {len(drawn)} drafts of {width} x {height} with {len(file.boxes)} boxes, seed {config.seed}")
    return 0


def _size(config: Config, file: BoxFile) -> tuple[int, int]:
    """Width and height of what is written."""
    from layoutbrush.plugin_bridge.commands.files import Problem, read_photo

    if config.size and config.like:
        raise Problem("--size and --like both say how large the files shall be; give one of them.")
    if config.like:
        height, width = read_photo(config.like).colors.shape[:2]
        return width, height
    if not config.size:
        return file.width, file.height
    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", config.size)
    if not found or not (int(found[1]) and int(found[2])):
        raise Problem(f"--size is WIDTHxHEIGHT in pixels, such as 512x384, not {config.size}.")
    return int(found[1]), int(found[2])

"""Take each region of a photo from a second one, and measure whose texture it then has.

    layoutbrush evaluate-mixing PAIRS WEIGHTS --out DIR

PAIRS is a folder of pairs (NN_content.jpg, NN_style.jpg, with NN_content_label.png and NN_style_label.png), WEIGHTS the
folder of the feature network's weights. For every label that both photos of a pair have, the content photo's region is
drawn from the style photo's. The Gram distance of the filled region to the style photo's region must be smaller than
to the content photo's own, and nothing may change outside the mask; the exit status is 1 where it isn't so. DIR gets
table.md and a contact sheet: the photo, the other photo, the region, the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from layoutbrush.training.commands.around import reported

if TYPE_CHECKING:
    from layoutbrush.runtime.pipeline import Editor
    from layoutbrush.training.data.cv import Bool, UInt8
    from layoutbrush.training.metrics.mixing import Pair


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush evaluate-mixing`."""

    pairs: Annotated[Path, tyro.conf.Positional]
    """Folder of pairs."""
    weights: Annotated[Path, tyro.conf.Positional]
    """Folder of the feature network's weights."""
    out: Path | None = None
    """Folder for table.md and sheet.png."""
    bundle: str = "scenes"
    """The bundle that edits."""
    only: tuple[str, ...] = ()
    """Names of pairs; all where left out."""
    seed: int = 0
    """Seed of the edits."""
    threads: int = 0
    """CPU threads; 0 for all cores."""


def run(config: Config) -> int:
    """Edit, judge and print; returns the exit status."""
    return reported(lambda: _evaluate(config), config.threads)


def _evaluate(config: Config) -> int:
    from layoutbrush.runtime.pipeline import open_editor
    from layoutbrush.training import sheets
    from layoutbrush.training.metrics.features import all_taps, load_features
    from layoutbrush.training.metrics.mixing import likeness, read_pairs, table
    from layoutbrush.training.trainer.files import write_bytes

    network = load_features(config.weights, "squeezenet", taps=all_taps("squeezenet"))
    editor = open_editor(config.bundle, config.threads)
    rows, pictures = [], []
    for pair in read_pairs(config.pairs, config.only):
        for label in pair.usable_labels():
            result, mask = take(editor, pair, label, config.seed)
            rows.append(likeness(network, pair, label, result, mask))
            region = sheets.tinted(pair.content, pair.content_labels == label)
            pictures.append([pair.content, pair.style, region, result])
    text = table(rows)
    print(text)
    if config.out is not None:
        config.out.mkdir(parents=True, exist_ok=True)
        write_bytes(config.out / "table.md", text.encode())
        sheets.write(config.out / "sheet.png", sheets.grid(pictures))
    return 0 if all(row.holds for row in rows) else 1


def take(editor: Editor, pair: Pair, label: int, seed: int = 0) -> tuple[UInt8, Bool]:
    """The content photo with one label drawn from the style photo, (H, W, 3), and what might change, (H, W)."""
    import numpy as np

    from layoutbrush.runtime.pipeline import EditRequest, Result, Source

    prepared = editor.open(pair.content, pair.content_labels)
    references = {"style": editor.open(pair.style, pair.style_labels)}
    request = EditRequest(
        pair.content_labels,
        seed=seed,
        previews=(),
        sources=(Source(label=label, reference="style"),),
        references=references,
    )
    picture, mask = pair.content.copy(), np.zeros(pair.content_labels.shape, np.bool_)
    for event in editor.edit(prepared, request):
        if isinstance(event, Result):
            picture[event.layer.bounds.slices] = event.layer.pixels
            mask[event.layer.bounds.slices] = event.mask
    return picture, mask

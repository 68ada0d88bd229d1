"""Score draft networks (Layout2Im) on held-out layouts: the tables of its paper, with a row of real photos.

Inception score and diversity (LPIPS between drafts of one layout) need --weights, the accuracy of objects --classifier,
a classifier of real crops. Rows are weight files: the network in full, and those trained without a loss for the
ablation. Prints Markdown and, with --out, writes table.md, table.json and a sheet of drafts a row.

    layoutbrush evaluate-drafts DATA --rows full=runs/drafts/checkpoints/step-0006000/drafts.safetensors \\
        --classifier runs/crops/checkpoints/step-0002000/classifier.safetensors --weights weights --out report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from layoutbrush.training.commands.around import reported


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush evaluate-drafts`."""

    data: Annotated[Path, tyro.conf.Positional]
    """Folder of photos with boxes."""
    rows: tuple[str, ...]
    """Rows of the table, NAME=FILE.safetensors."""
    kind: Literal["boxes", "regions", "cocostuff", "visual-genome", "toy"] = "boxes"
    """What the data is."""
    collections: tuple[str, ...] = ("scenes", "streets")
    """Names of the box files, or of the collections of label maps."""
    split: Literal["train", "val"] = "val"
    """Photos whose layouts are drawn."""
    crowded: Literal["drop", "largest"] = "drop"
    """Photos with more than 8 objects: left out, or with their 8 largest."""
    size: int = 64
    """Side of the drafts in pixels."""
    count: int = 256
    """Layouts, at most."""
    drawn: int = 8
    """Drafts of each layout, at least 2."""
    classifier: Path | None = None
    """Weights of the crop classifier."""
    weights: Path | None = None
    """Folder with the weights of LPIPS and of the network of the inception score (Inception v3, else SqueezeNet)."""
    threads: int = 0
    """CPU threads; 0 for all cores."""
    out: Path | None = None
    """Folder for table.md, table.json and the sheets."""


def run(config: Config) -> int:
    """Score and print; returns the exit status."""
    return reported(lambda: _evaluate(config), config.threads, "Nothing was scored: ")


def _evaluate(config: Config) -> int:
    from layoutbrush.training import sheets
    from layoutbrush.training.drafts.boxed_photo import BoxFilter
    from layoutbrush.training.drafts.evaluation import Evaluator
    from layoutbrush.training.drafts.generator import load_drafts
    from layoutbrush.training.drafts.opening import open_boxes
    from layoutbrush.training.drafts.table import draft_table, notes_text, table_text
    from layoutbrush.training.stages.options import pairs
    from layoutbrush.training.trainer.files import write_bytes, write_json

    rule = BoxFilter(crowded=config.crowded)
    boxed = open_boxes(config.kind, config.data, config.split, rule, config.collections, size=config.size)
    most = max(len(photo.objects) for photo in boxed.photos)
    classifier = str(config.classifier) if config.classifier else ""
    evaluator = Evaluator(boxed, config.size, most, config.count, config.drawn, config.weights, classifier)
    files = {name: Path(value) for name, value in pairs(config.rows).items()}
    table = draft_table(evaluator, files)
    layouts = min(config.count, len(boxed.photos))
    note = f"{layouts} layouts of {boxed.name}, {config.drawn} drafts of each, seeds fixed. {_judges(config.weights)}"
    text = f"{table_text(table.rows)}\n\n{note}\n{notes_text(table)}\n"
    print(text)
    if config.out is not None:
        config.out.mkdir(parents=True, exist_ok=True)
        figures = {"rows": [asdict(row) for row in table.rows], "chances": table.chances, "misplaced": table.misplaced}
        write_bytes(config.out / "table.md", text.encode())
        write_json(config.out / "table.json", {**figures, "layouts": layouts})
        for name, path in files.items():
            sheets.write(config.out / f"{name}.png", evaluator.sheet(load_drafts(path)))
    return 0


def _judges(weights: Path | None) -> str:
    if weights is None:
        return "No inception score and no diversity: no --weights."
    inception = bool(list(weights.glob("inception*.npz")))
    network = "Inception v3" if inception else "SqueezeNet, which compares only with the row of real photos"
    return f"Inception score by {network}; diversity by LPIPS (SqueezeNet)."

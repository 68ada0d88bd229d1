"""Measure how well references are found.

    layoutbrush evaluate-finding DATA [--out DIR]

DATA is a folder of collections, a data.toml or `kind:/path`, as for `train`. The photos of `train` and `val` are looked
at as `find-references` does it. Then each label map of `val` asks for photos of `train`: how much do the label maps of
the best five overlap with it, beside five at random and the best five that there are? And copies of photos of `val`,
flipped, cropped, recoloured, ask for their originals among all photos.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from layoutbrush.training.commands.around import progress, reported

if TYPE_CHECKING:
    from layoutbrush.training.data.photo import Photo


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush evaluate-finding`."""

    data: Annotated[Path, tyro.conf.Positional]
    """Where the photos are."""
    collections: tuple[str, ...] = ("scenes",)
    """Folders below DATA that have label maps."""
    out: Path | None = None
    """Folder for finding.md and finding.json."""
    bundle: str = "scenes"
    """The bundle that describes photos."""
    most: int = 0
    """At most so many photos of each split, spread evenly; 0 = all."""
    seed: int = 0
    """Seed of the changes."""
    threads: int = 0
    """CPU threads; 0 for all cores."""


def run(config: Config) -> int:
    """Look, search and print; returns the exit status."""
    return reported(lambda: _evaluate(config), config.threads)


def _evaluate(config: Config) -> int:
    from layoutbrush.runtime.finding import Describer
    from layoutbrush.runtime.pipeline import open_editor
    from layoutbrush.training.metrics import finding
    from layoutbrush.training.trainer.files import write_bytes, write_json

    train, held_out = (_photos(config, split) for split in ("train", "val"))
    editor = open_editor(config.bundle, config.threads)
    describer = Describer(editor.engine, editor.manifest)
    everything = [*train, *held_out]
    with progress("looking", len(everything)) as advance:
        whole = finding.described(describer, everything, advance)
    layouts = finding.score_layouts(describer, whole.first(len(train)), train, held_out)
    queries = range(len(train), len(everything))
    copies = finding.score_copies(describer, whole, everything, queries, config.seed)
    told = finding.text(layouts, copies, len(train))
    print(told, end="")
    if config.out is not None:
        config.out.mkdir(parents=True, exist_ok=True)
        write_bytes(config.out / "finding.md", told.encode())
        rows = {"layouts": asdict(layouts), "copies": [asdict(row) for row in copies]}
        write_json(config.out / "finding.json", rows)
    return 0


def _photos(config: Config, split: str) -> list[Photo]:
    """The photos with label maps of a split."""
    from layoutbrush.training.data.photos import open_collections

    opened = open_collections(config.data, config.collections, split)
    photos = [photo for collection in opened for photo in collection.labelled().photos]
    if not 0 < config.most < len(photos):
        return photos
    return [photos[i * len(photos) // config.most] for i in range(config.most)]

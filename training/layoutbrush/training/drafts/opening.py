"""Opens a set of boxed photos by what it is called in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layoutbrush.training.data.photo import DataError
from layoutbrush.training.drafts.boxed_photo import BoxedSet, BoxFilter
from layoutbrush.training.drafts.read_boxes import read_boxes
from layoutbrush.training.drafts.read_cocostuff import read_cocostuff_boxes
from layoutbrush.training.drafts.read_visual_genome import VisualGenomeRule, read_visual_genome_boxes
from layoutbrush.training.drafts.regions import read_regions
from layoutbrush.training.drafts.toy import toy_boxes
from layoutbrush.training.trainer.stage import DataOptions

KINDS = ("boxes", "regions", "cocostuff", "visual-genome", "toy")


@dataclass(frozen=True)
class BoxSettings:
    """The photos of a stage, as the stage `drafts` says in its own words; `--set help` prints those."""

    kind: str = "boxes"
    collections: tuple[str, ...] = ("scenes", "streets")
    pieces: int = 8
    smallest: float = 0.02
    fewest: int = 3
    most: int = 8
    crowded: str = "drop"
    flip: bool = True


def open_sets(settings: BoxSettings, data: DataOptions) -> tuple[BoxedSet, BoxedSet]:
    """Training and validation photos below ``data.folder``. Raises DataError."""
    s = settings
    rule = BoxFilter(s.smallest, s.fewest, s.most, s.crowded)
    train, validation = (
        open_boxes(s.kind, data.folder, split, rule, s.collections, s.pieces, data.size) for split in ("train", "val")
    )
    return train, validation


def open_boxes(
    kind: str, root: Path, split: str, rule: BoxFilter, names: Sequence[str] = (), pieces: int = 1, size: int = 64
) -> BoxedSet:
    """The photos of a split that count. Visual Genome has a rule of its own, of which ``rule`` sets the most and the
    fewest objects; ``pieces`` of each photo at ``size`` pixels are made for `regions`. Raises DataError.
    """
    if kind == "boxes":
        return read_boxes(root, names, split).filtered(rule, root / "boxes")
    if kind == "regions":
        return read_regions(root, names, split, pieces, size).filtered(rule, root)
    if kind == "cocostuff":
        return read_cocostuff_boxes(root, split, rule)
    if kind == "visual-genome":
        own = replace(VisualGenomeRule(), fewest=rule.fewest, kept=rule.most)
        return read_visual_genome_boxes(root, split, own)
    if kind == "toy":
        return toy_boxes(seed=0 if split == "train" else 1)
    raise DataError(f"kind: should be one of {', '.join(KINDS)}, not {kind!r}")

"""The patent's Tables 1 (reconstruction), 2 (manipulation) and 3 (ablation) from the verdicts, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from layoutbrush.training.metrics.assembly import Verdicts, best, is_better
from layoutbrush.training.metrics.bootstrap import Estimate
from layoutbrush.training.metrics.rows import RowSpec

RUNGS = ("vanilla", "sparse", "full")
"""The ablation, each rung with one thing more than the one before."""
JUDGED = ("lpips_m", "dists_m", "gabor_m", "style_m", "fid_m", "psnr_m")
"""Figures of which differences are shown."""
MONOTONE = ("lpips_m", "fid_m", "style_m")
"""Figures in which each rung should beat the one before."""
MINIMUM = 2
"""Tasks that a set needs for FID and KID."""


@dataclass(frozen=True)
class Section:
    """One set of tasks in a table. ``figures``: row -> figure -> estimate; ``differences``: subject -> row -> figure ->
    subject minus row; ``best``: figure -> the best comparator.
    """

    name: str
    tasks: int
    figures: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, dict[str, Estimate]]] = field(default_factory=dict)
    best: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rung:
    """One step of the ablation in one figure and set: upper minus lower, and whether upper is better."""

    section: str
    upper: str
    lower: str
    figure: str
    difference: Estimate
    better: bool


@dataclass(frozen=True)
class Tables:
    """All three; ``rungs``: the steps of the ablation that were asked to be monotone."""

    reconstruction: list[Section]
    manipulation: list[Section]
    ablation: list[Section]
    rungs: list[Rung]


def comparators(rows: Sequence[RowSpec]) -> list[str]:
    """Rows to be beaten: everything but the methods with the sparse attention that was trained here."""
    return [row.name for row in rows if row.kind in ("context", "vanilla", "dense") or not row.trained]


def build(
    verdicts: Verdicts, rows: Sequence[RowSpec], subjects: Sequence[str], advance: Callable[[], None] = lambda: None
) -> Tables:
    """The tables. Sets named `R...` go to Table 1, all others to Table 2; Table 3 has the rows whose kinds are RUNGS,
    and joins sets whose names agree after the first dash. ``advance`` is called after each section.
    """
    names = sorted(set(verdicts.sets.values()))
    rivals = comparators(rows)
    first: list[Section] = []
    second: list[Section] = []
    for name in names:
        tasks = verdicts.members(lambda own, name=name: own == name)  # type: ignore[misc]
        if tasks:
            (first if name.startswith("R") else second).append(_section(verdicts, name, tasks, subjects, rivals))
        advance()
    ladder = [row.name for kind in RUNGS for row in rows if row.kind == kind]
    ablation, rungs = [], []
    if len(ladder) > 1:
        for group in sorted({group_of(name) for name in names}):
            tasks = verdicts.members(lambda own, group=group: group_of(own) == group)  # type: ignore[misc]
            if tasks:
                part = replace(verdicts, by_row={row: verdicts.by_row[row] for row in ladder})
                ablation.append(_section(part, group, tasks, (), ()))
                rungs += _rungs(part, group, tasks, ladder)
            advance()
    return Tables(first, second, ablation, rungs)


def group_of(name: str) -> str:
    """`R-scenes` and `M-scenes` are of the group `scenes`."""
    return name.partition("-")[2] or name


def _usable(verdicts: Verdicts, tasks: Sequence[str]) -> list[str]:
    return [f for f in verdicts.figures() if len(tasks) >= MINIMUM or f[:-2] not in ("fid", "kid")]


def _section(
    verdicts: Verdicts, name: str, tasks: Sequence[str], subjects: Sequence[str], rivals: Sequence[str]
) -> Section:
    usable = _usable(verdicts, tasks)
    figures = {row: {f: verdicts.estimate(row, f, tasks) for f in usable} for row in verdicts.by_row}
    judged = [figure for figure in JUDGED if figure in usable]
    differences = {
        subject: {
            row: {figure: verdicts.difference(subject, row, figure, tasks) for figure in judged}
            for row in verdicts.by_row
            if row != subject
        }
        for subject in subjects
        if subject in verdicts.by_row
    }
    present = [row for row in rivals if row in figures]
    winners = {f: best(f, {row: figures[row][f].mean for row in present}) for f in judged if present}
    return Section(name, len(tasks), figures, differences, winners)


def _rungs(verdicts: Verdicts, group: str, tasks: Sequence[str], ladder: Sequence[str]) -> list[Rung]:
    usable = _usable(verdicts, tasks)
    found = []
    for lower, upper in pairwise(ladder):
        for figure in MONOTONE:
            if figure in usable:
                difference = verdicts.difference(upper, lower, figure, tasks)
                found.append(Rung(group, upper, lower, figure, difference, is_better(figure, difference.mean, 0.0)))
    return found

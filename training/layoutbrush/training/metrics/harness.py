"""`layoutbrush evaluate --tables`: paints and judges every row on every task, and writes tables, plots and sheets.

The folder gets tables.md, tables.json, scores.csv, plot-1.png to plot-3.png, sheet-<set>.png, the pictures of the rows
that were run here (pictures/<row>/) and what the judges said of each picture (kept/), so that another run of the same
command only does what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.labels import colorize
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.metrics.assembly import KeptVerdicts, Verdicts
from layoutbrush.training.metrics.judges import Judges, Verdict
from layoutbrush.training.metrics.painters import Warps
from layoutbrush.training.metrics.plots import plot
from layoutbrush.training.metrics.report import Row, to_csv
from layoutbrush.training.metrics.rows import RowRun, RowSpec
from layoutbrush.training.metrics.tables import Tables, build
from layoutbrush.training.metrics.tables_text import Facts, markdown, to_json
from layoutbrush.training.metrics.tasks import read_task
from layoutbrush.training.sheets import captioned, tinted, write
from layoutbrush.training.trainer.files import write_bytes

Progress = Callable[[], None]


@dataclass(frozen=True)
class Harness:
    """What is evaluated. ``subjects``: rows whose differences to all others are shown; ``warp``: weights of the warp
    under refiners and sparse comparators; ``shown``: tasks on each contact sheet, at half their size.
    """

    tasks: Path
    names: Sequence[str]
    rows: Sequence[RowSpec]
    out: Path
    subjects: Sequence[str]
    warp: Path | None = None
    threads: int = 0
    seed: int = 0
    shown: int = 10
    _runs: dict[str, RowRun] = field(default_factory=dict, repr=False)

    def judge(self, judges: Judges, advance: Progress = lambda: None) -> tuple[Verdicts, list[str]]:
        """All verdicts, and what was missing. Raises DataError, WeightsError, LayoutbrushError."""
        warps = Warps(self.warp)
        for row in self.rows:
            self._runs[row.name] = RowRun(
                row, self.tasks, self.out / "pictures", warps, threads=self.threads, seed=self.seed
            )
        kept = KeptVerdicts(judges, self.out / "kept")
        by_row: dict[str, dict[str, Verdict]] = {row.name: {} for row in self.rows}
        sets, problems = {}, []
        for name in self.names:
            task = read_task(self.tasks, name)
            sets[name] = task.set
            for run in self._runs.values():
                try:
                    by_row[run.row.name][name] = kept.judge(run.picture(task), task)
                except DataError as error:
                    problems.append(str(error))
            advance()
        if not any(by_row.values()):
            raise DataError("nothing could be judged: " + "; ".join(problems[:3]))
        found = {row: own for row, own in by_row.items() if own}
        return Verdicts(found, sets, judges.names["sets"] != "inception"), problems

    def write(self, verdicts: Verdicts, facts: Facts, advance: Progress = lambda: None) -> Tables:
        """Builds the tables and writes everything into the folder."""
        tables = build(verdicts, self.rows, self.subjects, advance)
        write_bytes(self.out / "tables.md", markdown(tables, facts).encode())
        write_bytes(self.out / "tables.json", to_json(tables, facts).encode())
        rows = [
            Row(row, task, verdicts.sets[task], verdict.figures)
            for row, own in verdicts.by_row.items()
            for task, verdict in own.items()
        ]
        write_bytes(self.out / "scores.csv", to_csv(rows, tuple(rows[0].figures)).encode())
        parts = enumerate((tables.reconstruction, tables.manipulation, tables.ablation), 1)
        for number, sections in parts:
            if sections:
                write(self.out / f"plot-{number}.png", plot(sections, self.subjects))
        for name in sorted(set(verdicts.sets.values())):
            members = verdicts.members(lambda own, name=name: own == name)  # type: ignore[misc]
            if members and self.shown:
                step = max(1, len(members) // self.shown)
                write(self.out / f"sheet-{name}.png", self._sheet(members[::step][: self.shown], list(verdicts.by_row)))
        return tables

    def _sheet(self, names: Sequence[str], shown: Sequence[str]) -> UInt8:
        """Input with its mask, layout to follow, the rows, truth: a line a task, at half the size."""
        runs = [self._runs[name] for name in shown]
        captions = ["input, mask", "layout to follow", *(run.row.name for run in runs), "truth"]
        lines = []
        for name in names:
            task = read_task(self.tasks, name)
            pictures = [run.output.picture(task) for run in runs]
            line = [tinted(task.image, task.mask), colorize(task.edited), *pictures, task.truth]
            lines.append([halved(picture) for picture in line])
        width = max(picture.shape[1] for line in lines for picture in line)
        return captioned([[widened(picture, width) for picture in line] for line in lines], captions)


def halved(picture: UInt8) -> UInt8:
    """(H, W, 3) uint8 -> (H // 2, W // 2, 3), means of 2 x 2."""
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    blocks = picture[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    mean: UInt8 = blocks.mean((1, 3)).round().astype("uint8")
    return mean


def widened(picture: UInt8, width: int) -> UInt8:
    """(H, W, 3) uint8 -> (H, width, 3), white on the right: the columns of a sheet stand below their captions."""
    frame = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, frame, constant_values=255)

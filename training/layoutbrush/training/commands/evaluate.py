"""Score pictures against tasks: l1, PSNR, SSIM, LPIPS and style, inside the mask and whole.

Scores folders of finished pictures (<task>.png), or runs a bundle over all tasks first. Prints a table a set and, with
--out, writes table.md, scores.csv, scores.json and a contact sheet a set. LPIPS and style need the weights of a feature
network (--weights); which network it was stands in the table.

    layoutbrush evaluate tasks --outputs ours=out/ours telea=out/telea --weights weights --out report
    layoutbrush evaluate tasks --bundle scenes --weights weights --out report

With --tables it writes the full comparison instead: Tables 1 to 3 with intervals, paired differences, plots, sheets.
A row is a folder of pictures, `bundle:NAME`, `untrained` (the warp without training) or a weight file:

    layoutbrush evaluate tasks --tables --weights weights --segmentation segmentation.safetensors \\
        --rows telea=tools/telea guided=tools/guided warp=untrained vanilla=runs/vanilla/refine.safetensors \\
        full=runs/full/refine.safetensors scenes=bundle:scenes --warp warp.safetensors --out report
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from layoutbrush.training.commands.around import progress, reported

if TYPE_CHECKING:
    from layoutbrush.training.data.cv import UInt8
    from layoutbrush.training.metrics.outputs import Output
    from layoutbrush.training.metrics.report import Row
    from layoutbrush.training.metrics.score import Scorer


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush evaluate`."""

    tasks: Annotated[Path, tyro.conf.Positional]
    """Folder of tasks: a folder each with image.png, edited.png, mask.png, truth.png, optional layout.png,
    exclude.png.
    """
    outputs: tuple[str, ...] = ()
    """Folders to score, NAME=FOLDER or FOLDER, each with <task>.png."""
    bundle: str = ""
    """A bundle to run over the tasks and score: the name of a shipped one, or a path. Needs --out."""
    weights: Path | None = None
    """Folder with the feature network's weights (<backend>*.npz and lpips_*.npz); without it no LPIPS and no style."""
    backend: Literal["squeezenet", "alexnet", "vgg16"] = "squeezenet"
    """Feature network of LPIPS and style."""
    sets: tuple[str, ...] = ()
    """Only tasks whose name begins so: R, R-scenes, M ..."""
    untouched: bool = True
    """Score the untouched input too."""
    out: Path | None = None
    """Folder for table.md, scores.csv, scores.json, the contact sheets and a bundle's pictures."""
    threads: int = 0
    """CPU threads; 0 for all cores."""
    seed: int = 0
    """Seed of the edits of --bundle."""
    shown: int = 12
    """Tasks on each contact sheet."""
    tables: bool = False
    """Write Tables 1 to 3 of the rows, with --out."""
    rows: tuple[str, ...] = ()
    """Rows of the tables, NAME=FOLDER, NAME=bundle:BUNDLE, NAME=untrained or NAME=FILE.safetensors."""
    subjects: tuple[str, ...] = ()
    """Rows whose paired differences to all others are shown; by default the last row."""
    warp: Path | None = None
    """Weights of the warp under refiners and methods with sparse attention; without them the warp without training."""
    segmentation: Path | None = None
    """Weights of a segmentation network, as a second judge that was trained otherwise."""
    set_backend: Literal["same", "squeezenet", "alexnet", "vgg16", "inception"] = "same"
    """Feature network of FID and KID; `same`: the one of LPIPS."""


def run(config: Config) -> int:
    """Score and print; returns the exit status: 1 when anything was missing."""
    if config.tables and (not config.rows or config.out is None):
        print("--tables needs --rows and --out.", file=sys.stderr)
        return 2
    if not config.tables and not config.outputs and not config.bundle:
        print("Nothing to score: give --outputs NAME=FOLDER or --bundle NAME.", file=sys.stderr)
        return 2
    if config.bundle and config.out is None:
        print("--bundle writes its pictures under --out: give it too.", file=sys.stderr)
        return 2
    return reported(lambda: _tables(config) if config.tables else _evaluate(config), config.threads)


def _evaluate(config: Config) -> int:
    from layoutbrush.training.metrics.outputs import Output, parse_output
    from layoutbrush.training.metrics.report import markdown, to_csv, to_json
    from layoutbrush.training.metrics.score import Scorer
    from layoutbrush.training.metrics.tasks import task_names
    from layoutbrush.training.trainer.files import write_bytes

    names = task_names(config.tasks, config.sets)
    columns = [Output("input", None)] if config.untouched else []
    columns += [parse_output(word) for word in config.outputs]
    facts: dict[str, object] = {"tasks": len(names), "features": config.backend if config.weights else None}
    if config.bundle and config.out is not None:
        output, timings = _run_bundle(config, config.out, names)
        columns.append(output)
        facts |= {"bundle": config.bundle, "seed": config.seed, "milliseconds": timings}
    scorer = Scorer(config.weights, config.backend)
    rows, problems = _score(config, names, columns, scorer)
    note = f"LPIPS and style by {config.backend}." if config.weights else "No LPIPS and no style: no --weights."
    table = markdown(rows, scorer.metrics, note) if rows else "Nothing could be scored.\n"
    print(table)
    if config.out is not None and rows:
        config.out.mkdir(parents=True, exist_ok=True)
        write_bytes(config.out / "table.md", table.encode())
        write_bytes(config.out / "scores.csv", to_csv(rows, scorer.metrics).encode())
        write_bytes(config.out / "scores.json", to_json(rows, facts).encode())
        _write_sheets(config, config.out, names, columns, {row.task: row.set for row in rows})
    _complain(problems)
    return 1 if problems else 0


def _tables(config: Config) -> int:
    from layoutbrush.training.data.photo import DataError
    from layoutbrush.training.metrics.harness import Harness
    from layoutbrush.training.metrics.judges import Judges
    from layoutbrush.training.metrics.rows import parse_row
    from layoutbrush.training.metrics.tables_text import Facts
    from layoutbrush.training.metrics.tasks import task_names

    out = config.out or Path()
    rows = [parse_row(word) for word in config.rows]
    if len({row.name for row in rows}) < len(rows):
        raise DataError("two rows have one name")
    subjects = config.subjects or (rows[-1].name,)
    unknown = sorted(set(subjects) - {row.name for row in rows})
    if unknown:
        raise DataError(f"no row is called {', '.join(unknown)}")
    names = task_names(config.tasks, config.sets)
    judges = Judges(config.weights, config.backend, config.set_backend, config.segmentation)
    harness = Harness(
        config.tasks, names, rows, out, subjects, config.warp, threads=config.threads, seed=config.seed,
        shown=config.shown,
    )  # fmt: skip
    with progress("judging", len(names)) as advance:
        verdicts, problems = harness.judge(judges, advance)
    trained = [row.name for row in rows if row.trained] if judges.names["perceptual"] == "squeezenet" else []
    facts = Facts(judges.names, {row.name: row.describe() for row in rows}, trained)
    with progress("resampling", len(set(verdicts.sets.values())) + 2) as advance:
        harness.write(verdicts, facts, advance)
    print(f"{len(names)} tasks, {len(rows)} rows: {out / 'tables.md'}")
    _complain(problems)
    return 1 if problems else 0


def _complain(problems: Sequence[str]) -> None:
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    if len(problems) > 20:
        print(f"... and {len(problems) - 20} more.", file=sys.stderr)


def _run_bundle(config: Config, out: Path, names: Sequence[str]) -> tuple[Output, dict[str, float]]:
    from layoutbrush.training.metrics.outputs import BundleRun

    edits = BundleRun(config.bundle, config.threads, config.seed)
    folder = out / "outputs" / Path(config.bundle).stem
    with progress("editing", len(names)) as advance:
        output = edits.write(config.tasks, names, folder, advance)
    return output, edits.timings


def _score(
    config: Config, names: Sequence[str], columns: Sequence[Output], scorer: Scorer
) -> tuple[list[Row], list[str]]:
    """The rows, and what was missing."""
    from layoutbrush.training.data.photo import DataError
    from layoutbrush.training.metrics.report import Row
    from layoutbrush.training.metrics.tasks import read_task

    rows, problems = [], []
    with progress("scoring", len(names)) as advance:
        for name in names:
            task = read_task(config.tasks, name)
            pictures = {}
            for column in columns:
                try:
                    pictures[column.name] = column.picture(task)
                except DataError as error:
                    problems.append(str(error))
            figures = scorer.score(pictures, task)
            rows += [Row(output, name, task.set, values) for output, values in figures.items()]
            advance()
    return rows, problems


def _write_sheets(
    config: Config, out: Path, names: Sequence[str], columns: Sequence[Output], sets: dict[str, str]
) -> None:
    from layoutbrush.training.sheets import write

    for name in sorted(set(sets.values())):
        members = [task for task in names if sets.get(task) == name]
        step = max(1, len(members) // max(1, config.shown))
        write(out / f"sheet-{name}.png", _sheet(config.tasks, members[::step][: config.shown], columns))


def _sheet(tasks: Path, names: Sequence[str], columns: Sequence[Output]) -> UInt8:
    """Input with its mask, layout to follow, the outputs, truth: a row a task, with a line of captions."""
    from layoutbrush.training.data.labels import colorize
    from layoutbrush.training.data.photo import DataError
    from layoutbrush.training.metrics.tasks import read_task
    from layoutbrush.training.sheets import captioned, tinted

    captions = ["input, mask", "layout to follow", *(c.name for c in columns if c.folder is not None), "truth"]
    rows = []
    for name in names:
        task = read_task(tasks, name)
        row = [tinted(task.image, task.mask), colorize(task.edited)]
        for column in columns:
            if column.folder is not None:
                try:
                    row.append(column.picture(task))
                except DataError:
                    row.append(task.image * 0)
        rows.append([*row, task.truth])
    return captioned(rows, captions)

"""The rows of the tables through one interface: folders of pictures, bundles, checkpoints, the warp without training.

NAME=SPEC, where SPEC is a folder of <task>.png, `bundle:NAME_OR_PATH`, `untrained` (the sparse attention without
training), or the weight file of a warp, a refiner or a comparator (told apart by the `.json` beside it).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layoutbrush.training.comparators.methods import METHODS
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.metrics.judges import fingerprint
from layoutbrush.training.metrics.outputs import BundlePainter, Output
from layoutbrush.training.metrics.painters import PAINTING_CLASSES, UNTRAINED, NetworkPainter, Warps
from layoutbrush.training.metrics.tasks import EvaluationTask
from layoutbrush.training.sheets import write
from layoutbrush.training.trainer.files import read_json, write_json

MADE_BY = "made-by.json"
BUNDLE = "bundle:"


class Painter(Protocol):
    """Whatever fills the mask of a task."""

    def paint(self, task: EvaluationTask) -> UInt8:
        """(H, W, 3) uint8 of the task's size; the input outside the mask."""
        ...


@dataclass(frozen=True)
class RowSpec:
    """A row before it is run. ``kind``: of a comparator, "" for all else; ``trained``: by this code."""

    name: str
    spec: str
    kind: str = ""
    trained: bool = False

    @property
    def folder(self) -> Path | None:
        """The folder of pictures, for rows that are one."""
        return Path(self.spec) if Path(self.spec).is_dir() else None

    def describe(self) -> str:
        """What the row is, without the place where it lies."""
        if self.kind:
            method = METHODS[self.kind]
            return f"{method.title}; stands for {method.stands_for}; trained by this code"
        if self.spec == UNTRAINED:
            return "the sparse attention's warp without training"
        if self.spec.startswith(BUNDLE):
            return f"the bundle `{Path(self.spec.removeprefix(BUNDLE)).name}`, through the runtime's pipeline"
        return "pictures of a tool" if self.folder else "a network trained by this code"


def parse_row(word: str) -> RowSpec:
    """NAME=SPEC. Raises DataError for a spec that is none of the forms."""
    name, equals, spec = word.partition("=")
    if not equals or not name or not spec:
        raise DataError(f"{word!r} should be NAME=SPEC")
    if spec == UNTRAINED or spec.startswith(BUNDLE) or Path(spec).is_dir():
        return RowSpec(name, spec, trained=spec.startswith(BUNDLE))
    path = Path(spec)
    if path.suffix != ".safetensors" or not path.is_file():
        raise DataError(f"{spec}: no folder of pictures, no weights, not {UNTRAINED} and not bundle:NAME")
    facts = read_json(path.with_suffix(".json"))
    if facts.get("class") not in PAINTING_CLASSES:
        raise DataError(f"{spec}: weights of a {facts.get('class') or 'nameless class'} do not paint pictures")
    arguments = facts.get("arguments")
    kind = str(arguments.get("kind", "")) if isinstance(arguments, dict) else ""
    if kind and kind not in METHODS:
        raise DataError(f"{spec}: its method {kind!r} is unknown here")
    return RowSpec(name, spec, kind, True)


class RowRun:
    """A row's pictures, made when asked for; what the same weights have made before is kept in `out`/<name>.

    Raises DataError, WeightsError, LayoutbrushError.
    """

    def __init__(self, row: RowSpec, tasks: Path, out: Path, warps: Warps, *, threads: int = 0, seed: int = 0) -> None:
        self.row, self._tasks, self._warps = row, tasks, warps
        self._threads, self._seed = threads, seed
        self._painter: Painter | None = None
        self.output = Output(row.name, row.folder or out / row.name.replace("/", "_"))
        if row.folder is None:
            self._sweep({"spec": row.spec, "seed": seed, "made": _identity(row, warps)})

    def _sweep(self, facts: dict[str, object]) -> None:
        """Pictures of other weights go."""
        folder = self.output.folder
        if folder is None or ((folder / MADE_BY).is_file() and read_json(folder / MADE_BY) == facts):
            return
        for path in folder.glob("*.png"):
            path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / MADE_BY, facts)

    def picture(self, task: EvaluationTask) -> UInt8:
        """The row's output for a task, (H, W, 3) uint8."""
        folder = self.output.folder
        if self.row.folder is None and folder is not None and not (folder / f"{task.name}.png").is_file():
            self._painter = self._painter or self._open()
            write(folder / f"{task.name}.png", self._painter.paint(task))
        return self.output.picture(task)

    def _open(self) -> Painter:
        if self.row.spec.startswith(BUNDLE):
            return BundlePainter(self.row.spec.removeprefix(BUNDLE), self._threads, self._seed)
        return NetworkPainter(self.row.spec, self._warps)


def _identity(row: RowSpec, warps: Warps) -> str:
    """Changes with whatever makes the row's pictures."""
    if row.spec.startswith(BUNDLE):
        from layoutbrush.runtime.bundle import Bundle

        return fingerprint(sorted(Bundle.load(row.spec.removeprefix(BUNDLE)).graphs.values()))
    files = [Path(row.spec)] if row.spec != UNTRAINED else []
    return fingerprint([*files, *([warps.path] if warps.path and row.spec != UNTRAINED else [])])

"""The outputs to be scored: folders of pictures, the untouched input, or a bundle that is run here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.data.photos import read_image
from layoutbrush.training.metrics.tasks import EvaluationTask, read_task
from layoutbrush.training.sheets import write


@dataclass(frozen=True)
class Output:
    """A named column: pictures in `folder`, or the untouched input when there is none."""

    name: str
    folder: Path | None

    def picture(self, task: EvaluationTask) -> UInt8:
        """The output for a task, (H, W, 3) uint8. Raises DataError when it is missing or of another size."""
        if self.folder is None:
            return task.image
        path = self.folder / f"{task.name}.png"
        if not path.is_file():
            raise DataError(f"{path}: no output for this task")
        picture = read_image(path)
        if picture.shape != task.image.shape:
            raise DataError(f"{path}: its size is not that of the task")
        return picture


def parse_output(word: str) -> Output:
    """NAME=FOLDER or FOLDER. Raises DataError when there is no such folder."""
    name, equals, path = word.partition("=")
    folder = Path(path if equals else word)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of outputs")
    return Output(name if equals else folder.name, folder)


class BundlePainter:
    """Runs a bundle's edits; raises LayoutbrushError when it can't be opened or an edit is refused."""

    def __init__(self, bundle: str, threads: int = 0, seed: int = 0) -> None:
        from layoutbrush.runtime.pipeline import open_editor

        self._editor, self._seed = open_editor(bundle, threads), seed
        self._sums: dict[str, list[float]] = {}

    def paint(self, task: EvaluationTask) -> UInt8:
        """The edited picture, (H, W, 3) uint8, the input outside the mask."""
        from layoutbrush.runtime.pipeline import EditRequest, Result

        request = EditRequest(edited=task.edited, mask=task.mask, exclude=task.exclude, seed=self._seed, previews=())
        picture = task.image.copy()
        for event in self._editor.edit(self._editor.open(task.image, task.layout), request, lambda: False):
            if isinstance(event, Result):
                place = event.layer.bounds
                inside = picture[place.y : place.y + place.height, place.x : place.x + place.width]
                np.copyto(inside, event.layer.pixels[..., :3], where=event.mask[..., None])
                for stage, value in event.timings.items():
                    self._sums.setdefault(stage, []).append(value)
        return picture

    @property
    def timings(self) -> dict[str, float]:
        """Mean milliseconds by stage of what was painted so far."""
        return {stage: float(np.mean(values)) for stage, values in self._sums.items()}


@dataclass
class BundleRun:
    """Runs a bundle's edits over tasks and writes their pictures; `timings` holds the mean milliseconds by stage."""

    bundle: str
    threads: int = 0
    seed: int = 0
    timings: dict[str, float] = field(default_factory=dict)

    def write(self, tasks: Path, names: Iterable[str], folder: Path, advance: Callable[[], None]) -> Output:
        """Write `folder`/<task>.png for each task; `advance` is called after each.

        Raises LayoutbrushError when the bundle can't be opened or an edit is refused.
        """
        painter = BundlePainter(self.bundle, self.threads, self.seed)
        for name in names:
            write(folder / f"{name}.png", painter.paint(read_task(tasks, name)))
            advance()
        self.timings = painter.timings
        return Output(folder.name, folder)

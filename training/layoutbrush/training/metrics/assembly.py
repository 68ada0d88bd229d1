"""From pictures to estimates: judges every row on every task, then means, sets and differences with their intervals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.metrics.bootstrap import Estimate, Picks, mean_interval, paired_difference, set_interval
from layoutbrush.training.metrics.frechet import fid, kid
from layoutbrush.training.metrics.judges import SET_FIGURES, Judges, Verdict
from layoutbrush.training.metrics.tasks import EvaluationTask

Vectors = npt.NDArray[np.float64]
SET_DISTANCES: dict[str, Callable[[Vectors, Vectors], float]] = {"fid": fid, "kid": kid}
HIGHER = ("psnr", "ssim")
"""Figures of which more is better."""


class KeptVerdicts:
    """Verdicts on disk by what was judged and by whom, so that only new pictures are judged again."""

    def __init__(self, judges: Judges, folder: Path) -> None:
        self._judges, self._folder = judges, folder
        folder.mkdir(parents=True, exist_ok=True)

    def judge(self, picture: UInt8, task: EvaluationTask) -> Verdict:
        """As :meth:`Judges.judge`."""
        digest = hashlib.sha256(self._judges.fingerprint.encode())
        for part in (picture, task.truth, task.image, task.mask):
            digest.update(np.ascontiguousarray(part).tobytes())
        path = self._folder / f"{digest.hexdigest()[:24]}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                figures = json.loads(str(kept["figures"]))
                return Verdict(figures, {name: kept[name] for name in kept.files if name != "figures"})
        verdict = self._judges.judge(picture, task)
        part_path = path.with_name(path.stem + ".part.npz")
        np.savez(part_path, figures=np.array(json.dumps(verdict.figures)), **verdict.vectors)  # type: ignore[arg-type]
        part_path.replace(path)
        return verdict


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of an evaluation, by row and task; ``sets``: the set of each task.

    ``in_units``: FID and KID count features in units of the truth's root mean square. Inception's are quoted as they
    are; other networks' features have any scale.
    """

    by_row: dict[str, dict[str, Verdict]]
    sets: dict[str, str]
    in_units: bool = True

    def members(self, chosen: Callable[[str], bool]) -> list[str]:
        """Names of the tasks whose set is chosen and that every row has."""
        everyone = [set(verdicts) for verdicts in self.by_row.values()]
        return [task for task, name in self.sets.items() if chosen(name) and all(task in own for own in everyone)]

    def figures(self) -> tuple[str, ...]:
        """Names of all figures, those of whole sets last."""
        first = next(iter(next(iter(self.by_row.values())).values()))
        of_sets = [f"{name}_{where}" for where in "mw" for name in SET_FIGURES if first.vectors]
        return (*first.figures, *of_sets)

    def estimate(self, row: str, figure: str, tasks: Sequence[str]) -> Estimate:
        """One figure of a row over some tasks."""
        if figure[:-2] in SET_FIGURES:
            distance = self._distance(row, figure, tasks)
            return set_interval(distance, len(tasks))
        return mean_interval([self.by_row[row][task].figures[figure] for task in tasks])

    def difference(self, ours: str, theirs: str, figure: str, tasks: Sequence[str]) -> Estimate:
        """Ours minus theirs, the tasks of both resampled together."""
        if figure[:-2] in SET_FIGURES:
            a, b = self._distance(ours, figure, tasks), self._distance(theirs, figure, tasks)
            return set_interval(lambda picked: a(picked) - b(picked), len(tasks))
        first, second = ([self.by_row[row][task].figures[figure] for task in tasks] for row in (ours, theirs))
        return paired_difference(first, second)

    def _distance(self, row: str, figure: str, tasks: Sequence[str]) -> Callable[[Picks], float]:
        """The distance between found and true pictures of picked tasks."""
        name, where = figure[:-2], figure[-1]
        found, truth = (
            np.stack([self.by_row[row][task].vectors[f"{side}_{where}"] for task in tasks]).astype(np.float64)
            for side in ("found", "truth")
        )
        unit = np.sqrt(np.square(truth).mean()) if self.in_units else 1.0
        found, truth = found / unit, truth / unit

        def distance(picked: Picks) -> float:
            return SET_DISTANCES[name](found[picked], truth[picked])

        return distance


def is_better(figure: str, a: float, b: float) -> bool:
    """Whether a is better than b."""
    return a > b if figure[:-2] in HIGHER else a < b


def best(figure: str, values: dict[str, float]) -> str:
    """The row with the best value."""
    return max(values, key=lambda row: values[row] if figure[:-2] in HIGHER else -values[row])

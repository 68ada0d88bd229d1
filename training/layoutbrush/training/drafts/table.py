"""The table of Layout2Im: real photos, then one row a trained network (the ablations, or anything else)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layoutbrush.training.drafts.evaluation import Evaluator, Row
from layoutbrush.training.drafts.generator import load_drafts
from layoutbrush.training.stages.options import OptionError
from layoutbrush.training.trainer.weights import WeightsError


@dataclass(frozen=True)
class Table:
    """``rows``: real photos first; ``chances``: what the accuracy is without knowledge (see Evaluator.rows);
    ``misplaced``: by row, the accuracy in the boxes of other layouts.
    """

    rows: tuple[Row, ...]
    chances: Mapping[str, float]
    misplaced: Mapping[str, float]


def draft_table(evaluator: Evaluator, files: Mapping[str, Path]) -> Table:
    """The row of real photos, and a row for each `drafts.safetensors` by its name, all on the same layouts and seeds.

    Raises WeightsError for a file that doesn't fit, or is of other labels or another size; OptionError for no file.
    """
    if not files:
        raise OptionError("rows: a table needs at least one network")
    real: list[Row] = []
    rows, misplaced = [], {}
    for name, path in files.items():
        network = load_drafts(path)
        if (network.config.labels, network.config.size) != (len(evaluator.labels), evaluator.size):
            raise WeightsError(
                f"{path}: is for {network.config.labels} labels at {network.config.size} pixels, "
                f"not {len(evaluator.labels)} at {evaluator.size}"
            )
        (*real, found), further = evaluator.rows(network)
        rows.append(replace(found, name=name))
        if "misplaced" in further:
            misplaced[name] = further["misplaced"]
    chances = {name: further[name] for name in ("chance", "shuffled", "uniform")}
    return Table((*real, *rows), chances, misplaced)


def table_text(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | inception score | accuracy of objects | diversity |", "|---|---|---|---|"]
    for row in rows:
        cells = (row.inception, row.accuracy, row.diversity)
        lines.append(f"| {row.name} | {' | '.join('-' if v is None else f'{v:.3f}' for v in cells)} |")
    return "\n".join(lines)


def notes_text(table: Table) -> str:
    """What the accuracies are to be read against, a sentence a line."""
    c = table.chances
    lines = [
        f"Accuracy without knowledge: {c['chance']:.3f} by always naming the most frequent label, {c['shuffled']:.3f} "
        f"by the right labels in random order, {c['uniform']:.3f} by any label for any object."
    ]
    lines += [
        f"{name}: {value:.3f} in the boxes of other layouts than the drafts were made of."
        for name, value in table.misplaced.items()
    ]
    return "\n".join(lines)

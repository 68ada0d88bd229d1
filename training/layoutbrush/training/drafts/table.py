"""The table of Layout2Im: real photos, then one row a trained network (the ablations, or anything else)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from layoutbrush.training.drafts.evaluation import Evaluator, Row
from layoutbrush.training.drafts.generator import load_drafts


def draft_rows(evaluator: Evaluator, files: Mapping[str, Path]) -> list[Row]:
    """The row of real photos, and a row for each `drafts.safetensors` by its name, all on the same layouts and seeds.

    Raises WeightsError for a file that doesn't fit; ValueError for none, or one of other labels or another size.
    """
    if not files:
        raise ValueError("a table needs at least one network")
    real: Row | None = None
    rows = []
    for name, path in files.items():
        network = load_drafts(path)
        if (network.config.labels, network.config.size) != (len(evaluator.labels), evaluator.size):
            raise ValueError(
                f"{path}: is for {network.config.labels} labels at {network.config.size} pixels, "
                f"not {len(evaluator.labels)} at {evaluator.size}"
            )
        (real, found), _ = evaluator.rows(network)
        rows.append(Row(name, found.inception, found.accuracy, found.diversity))
    return [real, *rows] if real else rows


def table_text(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | inception score | accuracy of objects | diversity |", "|---|---|---|---|"]
    for row in rows:
        cells = (row.inception, row.accuracy, row.diversity)
        lines.append(f"| {row.name} | {' | '.join('-' if v is None else f'{v:.3f}' for v in cells)} |")
    return "\n".join(lines)

"""Tables of scores: means over the tasks of a set with a bootstrap interval, as Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    """The figures of one output on one task."""

    output: str
    task: str
    set: str
    figures: dict[str, float]


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean (percentile method, Efron 1979); the mean itself for a single value."""
    data = np.asarray(values, np.float64)
    picks = np.random.default_rng(seed).integers(0, data.size, (RESAMPLES, data.size))
    low, high = np.percentile(data[picks].mean(1), (2.5, 97.5))
    return float(low), float(high)


def summary(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """set -> output -> metric -> {mean, low, high, count}."""
    table: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for name in sorted({row.set for row in rows}):
        inside = [row for row in rows if row.set == name]
        for output in dict.fromkeys(row.output for row in inside):
            own = [row.figures for row in inside if row.output == output]
            figures = {}
            for metric in own[0]:
                values = [f[metric] for f in own]
                low, high = interval(values)
                figures[metric] = {"mean": float(np.mean(values)), "low": low, "high": high, "count": len(own)}
            table.setdefault(name, {})[output] = figures
    return table


def markdown(rows: Sequence[Row], metrics: Sequence[str], note: str = "") -> str:
    """One table a set: means, and for the figures inside the mask the 95 % interval of LPIPS and PSNR."""
    parts = [note] if note else []
    for name, outputs in summary(rows).items():
        lines = [
            f"### {name}",
            "",
            "| output | tasks | " + " | ".join(metrics) + " |",
            "|---" * (len(metrics) + 2) + "|",
        ]
        for output, figures in outputs.items():
            cells = [_cell(metric, figures[metric]) for metric in metrics]
            lines.append(f"| {output} | {figures[metrics[0]]['count']:.0f} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cell(metric: str, figure: dict[str, float]) -> str:
    digits = 2 if metric.startswith("psnr") else 4 if "l1" in metric else 3
    text = f"{figure['mean']:.{digits}f}"
    if metric in ("lpips_m", "psnr_m"):
        text += f" ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"
    return text


def to_csv(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """One line an output and task."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["output", "task", "set", *metrics])
    for row in rows:
        writer.writerow([row.output, row.task, row.set, *(f"{row.figures[m]:.6f}" for m in metrics)])
    return text.getvalue()


def to_json(rows: Sequence[Row], facts: dict[str, object]) -> str:
    """The summary with the facts of the evaluation."""
    return json.dumps({**facts, "sets": summary(rows)}, indent=1) + "\n"

"""Measure the kernels, the graphs or whole edits on this machine.

    layoutbrush bench            the two custom ops, beside the peers that are installed
    layoutbrush bench graphs     each graph of a bundle alone
    layoutbrush bench edit       whole edits through a server over loopback gRPC: first preview, result, bytes, memory
    layoutbrush bench drafts     drafts from boxes, likewise: the first one, all of them, memory

Figures are medians. Close other programs first: a busy machine measures itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush bench`."""

    what: Annotated[Literal["ops", "graphs", "edit", "drafts"], tyro.conf.Positional] = "ops"
    """What to measure."""

    bundle: str = "scenes"
    """Bundle of graphs and edits: the name of a shipped one, or a path."""

    sizes: tuple[int, ...] = (256, 512)
    """Pixels a side of graphs (multiples of 16) and edits, e.g. 256 512 1024 4096."""

    masks: tuple[float, ...] = (0.01, 0.1, 1.0)
    """Shares of the picture that change, 0 to 1."""

    drafts: str = "drafts"
    """Bundle of drafts, likewise."""

    boxes: tuple[int, ...] = (1, 8, 30)
    """Boxes of a draft."""

    counts: tuple[int, ...] = (1, 8)
    """Drafts of one order."""

    repeats: int = 5
    """Runs of which the median is taken."""

    threads: int = 0
    """Cores to use; 0 = all."""

    json: Path | None = None
    """Also write the figures to this JSON file."""


def run(config: Config) -> int:
    """Measure and print; returns the exit status."""
    measure = {"ops": _ops, "graphs": _graphs, "edit": _edits, "drafts": _drafts}[config.what]
    rows = list(_progress(measure(config), config.what))
    _print(rows)
    if config.json:
        config.json.write_text(json.dumps({"what": config.what, "rows": rows}, indent=1) + "\n")
    return 0


def _ops(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.ops import benchmark

    yield from benchmark.rows(threads=config.threads, repeats=config.repeats)


def _graphs(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.graphs import bench_graphs
    from layoutbrush.runtime.pipeline import open_editor

    editor = open_editor(config.bundle, config.threads)
    yield from bench_graphs(editor, config.sizes, config.masks, config.repeats)


def _edits(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.edits import bench_edits, own_server

    with own_server(config.bundle, config.threads) as server:
        yield from bench_edits(server, config.sizes, config.masks, config.repeats)


def _drafts(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.drafts import bench_drafts
    from layoutbrush.runtime.bench.edits import own_server

    with own_server("stand-in", config.threads, config.drafts) as server:
        yield from bench_drafts(server, config.boxes, config.counts, config.repeats)


def _progress(rows: Iterator[dict[str, object]], what: str) -> Iterator[dict[str, object]]:
    from rich.console import Console

    with Console(stderr=True).status(f"Measuring {what}") as status:
        for count, row in enumerate(rows, 1):
            status.update(f"Measuring {what}: {count} done")
            yield row


def _print(rows: Sequence[dict[str, object]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _cell(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

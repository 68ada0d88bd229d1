"""Measure the kernels, the graphs and whole edits on this machine, beside what else does the same.

    layoutbrush bench            all of the following, in one run
    layoutbrush bench ops        the two custom ops at several sizes, beside the peers that are installed
    layoutbrush bench graphs     each graph of a bundle alone
    layoutbrush bench edit       whole edits through a server over loopback gRPC: first preview, result, bytes, memory
    layoutbrush bench supersede  the preview of a stroke that supersedes a running edit, beside an idle server's
    layoutbrush bench task       the same holes filled by other tools: OpenCV, PyPatchMatch
    layoutbrush bench drafts     drafts from boxes over gRPC: the first one, all of them, memory
    layoutbrush bench large      edits at a camera's resolution over gRPC: preview, first tile, result, memory
    layoutbrush bench sharpness  power spectrum of what is filled in beside the same label's elsewhere in the photo

The last two are not part of `all`.

Figures are medians. What can't be measured here is skipped by name. Close other programs first: a busy machine measures
itself.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

What = Literal["all", "ops", "graphs", "edit", "supersede", "task", "drafts", "large", "sharpness"]


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush bench`."""

    what: Annotated[What, tyro.conf.Positional] = "all"
    """What to measure."""

    bundle: str = "scenes"
    """Bundle of graphs and edits: the name of a shipped one, or a path."""

    sizes: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
    """Pixels a side (multiples of 16). Graphs are run up to 1024 and strokes supersede at the first two."""

    masks: tuple[float, ...] = (0.01, 0.1, 1.0)
    """Shares of the picture that change, 0 to 1."""

    megapixels: tuple[int, ...] = (24, 64)
    """Sizes of large photos; their masks are 5 % where --masks says nothing."""

    photos: tuple[Path, ...] = ()
    """Photos in which sharpness is measured; none = a made-up one of 24 megapixels."""

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

    plot: Path | None = None
    """Also draw them, time against size, into this PNG."""


_LARGEST_GRAPH = 1024
"""Pixels a side; larger photos are edited by regions, so that no graph sees more."""
_SUPERSEDED_SIZES = 2


def run(config: Config) -> int:
    """Measure and print; returns the exit status."""
    from layoutbrush.runtime.cli import check_output

    _check(config)
    check_output(config.json, "--json")
    check_output(config.plot, "--plot")
    sections = {}
    for name in IN_ALL if config.what == "all" else (config.what,):
        if config.what == "all":
            print(f"\n{name}", flush=True)
        rows = sections[name] = list(_progress(_measured(name, config), name))
        if name == "task":
            _compare(rows, sections.get("edit", ()))
        _print(rows)
    if config.json:
        rows = [row for found in sections.values() for row in found]
        about = {"what": config.what, "machine": _machine(config), "rows": rows, "sections": sections}
        config.json.write_text(json.dumps(about, indent=1) + "\n")
    if config.plot:
        from layoutbrush.runtime.bench.plot import write_plot

        if not write_plot(config.plot, sections):
            print("layoutbrush: nothing to plot: no figure has a size.", file=sys.stderr)
    return 0


def _check(config: Config) -> None:
    """Raise OutOfRange for numbers that nothing can be measured with."""
    from layoutbrush.runtime.errors import OutOfRange

    ranges: tuple[tuple[str, Sequence[float], Callable[[float], bool], str], ...] = (
        ("--sizes", config.sizes, lambda n: 64 <= n <= 16384 and n % 16 == 0, "multiples of 16 from 64 to 16384"),
        ("--masks", config.masks, lambda n: 0 < n <= 1, "above 0 and at most 1"),
        ("--megapixels", config.megapixels, lambda n: 1 <= n <= 67, "1 to 67"),
        ("--boxes", config.boxes, lambda n: 1 <= n <= 64, "1 to 64"),
        ("--counts", config.counts, lambda n: 1 <= n <= 64, "1 to 64"),
        ("--repeats", (config.repeats,), lambda n: n >= 1, "1 or more"),
    )
    for flag, numbers, fits, words in ranges:
        if not all(fits(number) for number in numbers):
            raise OutOfRange(f"It is {words}.", flag)


def _measured(name: str, config: Config) -> Iterator[dict[str, object]]:
    """The rows of a part; together with others, a part that can't be measured here is skipped by name."""
    from layoutbrush.runtime.errors import LayoutbrushError

    try:
        yield from PARTS[name](config)
    except LayoutbrushError as error:
        if config.what != "all":
            raise
        yield {"skipped": error.message}


def _compare(rows: Sequence[dict[str, object]], edits: Sequence[dict[str, object]]) -> None:
    """Add to other tools' rows how many times as long they took as the whole edit of the same size and mask."""
    ours = {(row.get("size"), row.get("mask")): row.get("result_ms") for row in edits}
    for row in rows:
        theirs, own = row.get("result_ms"), ours.get((row.get("size"), row.get("mask")))
        if isinstance(theirs, float) and isinstance(own, float) and own > 0:
            row["times"] = round(theirs / own, 2)


def _ops(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.ops import benchmark

    yield from benchmark.rows(threads=config.threads, repeats=config.repeats)
    yield from benchmark.scaling_rows(config.sizes, config.threads, config.repeats)


def _graphs(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.graphs import bench_graphs
    from layoutbrush.runtime.pipeline import open_editor

    editor = open_editor(config.bundle, config.threads)
    sizes = tuple(size for size in config.sizes if size <= _LARGEST_GRAPH)
    yield from bench_graphs(editor, sizes, config.masks, config.repeats)


def _edits(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.edits import bench_edits, own_server

    with own_server(config.bundle, config.threads) as server:
        yield from bench_edits(server, config.sizes, config.masks, config.repeats)


def _supersede(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.edits import own_server
    from layoutbrush.runtime.bench.superseding import bench_superseding

    with own_server(config.bundle, config.threads) as server:
        yield from bench_superseding(server, config.sizes[:_SUPERSEDED_SIZES], config.masks, config.repeats)


def _task(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.inpainting import bench_inpainting

    yield from bench_inpainting(config.sizes, config.masks, config.repeats, config.threads)


def _drafts(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.drafts import bench_drafts
    from layoutbrush.runtime.bench.edits import own_server
    from layoutbrush.runtime.bundle import find
    from layoutbrush.runtime.engines.stand_in import STAND_IN

    # By its path: beside the stand-in, which loads faster than networks that aren't measured here, the default bundle's
    # name would mean the stand-in's drafts.
    drafts = STAND_IN if STAND_IN in (config.bundle, config.drafts) else str(find(config.drafts))
    with own_server(STAND_IN, config.threads, drafts) as server:
        yield from bench_drafts(server, config.boxes, config.counts, config.repeats)


def _large(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.edits import own_server
    from layoutbrush.runtime.bench.large import bench_large

    masks = _LARGE_MASKS if config.masks == Config().masks else config.masks
    with own_server(config.bundle, config.threads) as server:
        yield from bench_large(server, config.megapixels, masks, config.repeats)


def _sharpness(config: Config) -> Iterator[dict[str, object]]:
    from layoutbrush.runtime.bench.measure import country
    from layoutbrush.runtime.bench.sharpness import bench_sharpness
    from layoutbrush.runtime.errors import LayoutbrushError
    from layoutbrush.runtime.finding.folder import decode_photo
    from layoutbrush.runtime.geometry import Extent
    from layoutbrush.runtime.limits import Limits
    from layoutbrush.runtime.pipeline import open_editor

    masks = _LARGE_MASKS if config.masks == Config().masks else config.masks
    editor = open_editor(config.bundle, config.threads)
    for photo in config.photos:
        try:
            prepared = editor.open(decode_photo(photo.read_bytes(), Limits()))
        except LayoutbrushError as error:
            error.field = f"--photos {photo.name}"
            raise
        for share in masks:
            yield from bench_sharpness(editor, photo.name, prepared, share)
    if not config.photos:
        prepared = editor.open(*country(Extent(*_PHOTO)))
        for share in masks:
            yield from bench_sharpness(editor, "made up", prepared, share)


PARTS: dict[str, Callable[[Config], Iterator[dict[str, object]]]] = {
    "ops": _ops,
    "graphs": _graphs,
    "edit": _edits,
    "supersede": _supersede,
    "task": _task,
    "drafts": _drafts,
    "large": _large,
    "sharpness": _sharpness,
}
IN_ALL = ("ops", "graphs", "edit", "supersede", "task", "drafts")
_LARGE_MASKS = (0.05,)
_PHOTO = (6000, 4000)


def _machine(config: Config) -> dict[str, object]:
    """What the figures were taken on."""
    from layoutbrush.runtime.engines.cores import available_cores

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": available_cores(),
        "threads": config.threads or available_cores(),
        "python": platform.python_version(),
        "bundle": config.bundle,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


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

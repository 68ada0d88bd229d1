"""Check data sets before they are trained on, and show them: pairs, sizes, ids, duplicates, a contact sheet.

Takes what `train --data` takes, any number of them: data.toml, kind:/path, or a folder (which holds `scenes` and
`streets`, or photos). Prints what is wrong; with --out writes report.json and sheet.png (photo, labels over it,
labels). Ends with 1 where there are errors.

    layoutbrush check-data ade20k:/data/ADEChallengeData2016 --out report
    layoutbrush check-data data.toml --split both --count 500
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from layoutbrush.training.commands.around import reported

if TYPE_CHECKING:
    from layoutbrush.training.data.checking import SplitReport
    from layoutbrush.training.data.cv import UInt8
    from layoutbrush.training.data.spec import Source

TALLEST = 160
"""Height of the photos on the sheet, in pixels."""


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush check-data`."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Data sets: data.toml, kind:/path, or folders."""
    out: Path | None = None
    """Folder for report.json and sheet.png."""
    split: Literal["train", "val", "both"] = "both"
    """Which photos."""
    count: int = 0
    """Photos to look at in each split, spread evenly; 0 for all."""
    shown: int = 12
    """Photos of each collection on the sheet, spread evenly; those with labels come first."""
    findings: int = 20
    """How many findings to print for each split; report.json holds all."""
    threads: int = 0
    """Threads that read; 0 for one a core."""


def run(config: Config) -> int:
    """Check and print; returns the exit status: 1 where there are errors."""
    if not config.data:
        print("Nothing to check: name a data.toml, kind:/path or a folder.", file=sys.stderr)
        return 2
    return reported(lambda: _check(config))


def _check(config: Config) -> int:
    from layoutbrush.training.data.checking import check_split, find_leaks
    from layoutbrush.training.data.formats import SPLITS

    sources = [source for path in config.data for source in sources_of(path)]
    wanted = SPLITS if config.split == "both" else (config.split,)
    threads = config.threads or os.cpu_count() or 1
    reports = []
    for source in sources:
        for split in wanted:
            if split in source.splits:
                name = f"{source.name or source.kind} {split}"
                reports.append(check_split(source, split, config.count, threads, _progress(name)))
    find_leaks(reports)
    for report in reports:
        _show(report, config.findings)
    errors = sum(report.errors for report in reports)
    print(f"{errors} errors in {len(reports)} splits." if reports else "No collection takes part in these splits.")
    if config.out is not None:
        _write(config.out, reports, sheet(sources, wanted[0], config.shown))
        print(f"Written: {config.out / 'report.json'}, {config.out / 'sheet.png'}")
    return 1 if errors or not reports else 0


def sources_of(path: Path) -> tuple[Source, ...]:
    """The collections that a word of the command line names. Raises DataError."""
    from layoutbrush.training.data.photo import DataError
    from layoutbrush.training.data.spec import Source, is_spec, read_spec

    if is_spec(path):
        return read_spec(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    prepared = tuple(Source(kind, path / kind) for kind in ("scenes", "streets") if (path / kind).is_dir())
    return prepared or (Source("folder", path, name=path.name),)


def sheet(sources: Sequence[Source], split: str, count: int) -> UInt8:
    """Photo, labels over the photo and labels, of photos that can be read; one grey pixel where there are none."""
    import numpy as np

    from layoutbrush.training.data.labels import UNKNOWN, colorize
    from layoutbrush.training.data.lazy import shrunk
    from layoutbrush.training.data.photo import DataError
    from layoutbrush.training.sheets import grid

    cells: list[list[UInt8]] = []
    for source in sources:
        try:
            photos = source.collection(split).photos
        except DataError:
            continue
        labelled = source.collection(split).labelled().photos
        photos = labelled if len(labelled) else photos
        for i in range(min(count, len(photos))):
            try:
                photo = photos[i * len(photos) // min(count, len(photos))]
            except DataError:
                continue  # the report names it
            height, width = photo.labels.shape
            photo = shrunk(photo, round(max(height, width) * TALLEST / height))
            colors = colorize(photo.labels)
            half = ((photo.image.astype(np.uint16) + colors) // 2).astype(np.uint8)
            over = np.where((photo.labels == UNKNOWN)[..., None], photo.image, half)
            cells.append([photo.image, over, colors])
    if not cells:
        return np.full((1, 1, 3), 128, np.uint8)
    rows = [[cell for row in cells[i : i + 2] for cell in row] for i in range(0, len(cells), 2)]
    return np.concatenate([legend(grid(rows).shape[1]), grid(rows)])


def legend(width: int) -> UInt8:
    """The labels' names on their colours, as wide as asked and as high as needed."""
    import numpy as np
    from PIL import Image, ImageDraw

    from layoutbrush.training.data.labels import LABEL_COLORS, LABEL_NAMES

    across = max(1, width // 90)
    strip = Image.new("RGB", (width, 18 * -(-len(LABEL_NAMES) // across)), "white")
    draw = ImageDraw.Draw(strip)
    for i, (name, color) in enumerate(zip(LABEL_NAMES, LABEL_COLORS, strict=True)):
        left, top = i % across * 90, i // across * 18
        draw.rectangle((left + 2, top + 2, left + 87, top + 15), fill=color)
        draw.text((left + 6, top + 3), name, fill="white" if sum(color) < 360 else "black")
    return np.asarray(strip)


def _progress(name: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done == total or done % 20 == 0):
            print(f"\r\x1b[K{name}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


def _show(report: SplitReport, count: int) -> None:
    of = f"{report.photos} photos, {report.examined} examined, {report.labelled} with labels"
    print(f"{report.name} {report.split}: {of}")
    if report.smallest and report.largest:
        print("  sizes {}x{} to {}x{}".format(*report.smallest, *report.largest))
    if report.share:
        shares = sorted(report.share.items(), key=lambda item: -item[1])
        print("  " + ", ".join(f"{name} {share:.1%}" for name, share in shares if share > 0))
        print(f"  unknown {report.unknown:.1%}; none of {', '.join(n for n, s in shares if s == 0) or 'nothing'}")
    for finding in report.findings[:count]:
        print(f"  {finding.severity}: {finding.file}: {finding.problem}")
    if len(report.findings) > count:
        print(f"  ... and {len(report.findings) - count} more")


def _write(folder: Path, reports: Sequence[SplitReport], picture: UInt8) -> None:
    from layoutbrush.training.sheets import write
    from layoutbrush.training.trainer.files import write_json

    folder.mkdir(parents=True, exist_ok=True)
    splits = []
    for report in reports:
        value = asdict(report)
        del value["contents"]
        splits.append({**value, "errors": report.errors})
    write_json(folder / "report.json", {"errors": sum(report.errors for report in reports), "splits": splits})
    write(folder / "sheet.png", picture)

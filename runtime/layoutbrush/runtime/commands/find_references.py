"""Find the photos of a folder that look like a layout or a draft, best first.

    layoutbrush find-references PHOTOS --layout layout.png    what should be where: one label id a pixel
    layoutbrush find-references PHOTOS --draft draft.png      a draft, or any picture: its layout and what it looks like

The first time, every photo is looked at; what was found is kept as an index, and brought up to date from then on.
Photos that can't be read are named on standard error and left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layoutbrush.runtime.finding import Describer, Found, Library, Query

_MOST = 10_000
_NAMED = 20
"""Photos that can't be read, one line each; further ones are counted."""


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush find-references`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of photos, PNG or JPEG, with its subfolders."""

    layout: Path | None = None
    """Label map to be like: PNG of one 8-bit channel of the bundle's ids; 255 = anything. Any size."""

    draft: Path | None = None
    """Picture to be like, PNG or JPEG. Together with --layout, that is its label map; without, it is segmented."""

    count: int = 12
    """Photos to name, at most."""

    index: Path | None = None
    """Where to keep the index, instead of the user's cache (LAYOUTBRUSH_CACHE)."""

    bundle: str = "scenes"
    """Trained networks: name of a bundle that comes with the package, or path of a folder or zip."""

    threads: int = 0
    """Cores to use; 0 = all."""

    json: bool = False
    """Print JSON instead of a table."""


def run(config: Config) -> int:
    """Bring the index up to date, rank and print; returns the exit status."""
    from layoutbrush.runtime.errors import InvalidArgument, OutOfRange
    from layoutbrush.runtime.finding import Describer, Library
    from layoutbrush.runtime.finding.index import check_place
    from layoutbrush.runtime.pipeline import open_editor

    if config.layout is None and config.draft is None:
        raise InvalidArgument("Say what to look for: --layout or --draft.")
    if not 1 <= config.count <= _MOST:
        raise OutOfRange(f"It is 1 to {_MOST}.", "--count")
    if config.index is not None:
        check_place(config.index)
    editor = open_editor(config.bundle, config.threads)
    describer = Describer(editor.engine, editor.manifest)
    query = _query(config, describer, {label.id for label in editor.manifest.labels})
    library = Library(config.folder, describer, config.index)
    with _progress() as show:
        for done, total in library.update():
            show(done, total)
    _complain(library)
    found = library.find(query, config.count)
    if not found:
        print(f"layoutbrush: {config.folder.name} holds no photos that can be read.", file=sys.stderr)
        return 1
    _print(found, config.json)
    return 0


def _query(config: Config, describer: Describer, labels: set[int]) -> Query:
    from layoutbrush.runtime.errors import LayoutbrushError

    layout = picture = None
    flag = "--layout"
    try:
        if config.layout is not None:
            layout = _label_map(_bytes(config.layout), labels)
        flag = "--draft"
        if config.draft is not None:
            picture = _picture(_bytes(config.draft))
    except LayoutbrushError as error:
        error.field = flag
        raise
    return describer.query(layout, picture)


def _bytes(path: Path) -> bytes:
    from layoutbrush.runtime.errors import NotFound

    try:
        return path.read_bytes()
    except OSError:
        raise NotFound(f"There is no file {path.name!r}, or it can't be read.") from None


def _label_map(data: bytes, labels: set[int]) -> NDArray[np.uint8]:
    from layoutbrush.runtime.layers import Encoding
    from layoutbrush.runtime.layers.files import label_pixels, load
    from layoutbrush.runtime.layers.meaning import known_labels
    from layoutbrush.runtime.limits import Limits

    return known_labels(label_pixels(load(data, Encoding.PNG, Limits(), ""), ""), labels, "")


def _picture(data: bytes) -> NDArray[np.uint8]:
    from layoutbrush.runtime.finding.folder import decode_photo
    from layoutbrush.runtime.limits import Limits

    return decode_photo(data, Limits())


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("Looking at the photos", total=None)

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield show


def _complain(library: Library) -> None:
    skipped = library.skipped
    for item in skipped[:_NAMED]:
        print(f"layoutbrush: left out {item.name}: {item.why}", file=sys.stderr)
    if len(skipped) > _NAMED:
        print(f"layoutbrush: and {len(skipped) - _NAMED} more were left out.", file=sys.stderr)


def _print(found: Sequence[Found], as_json: bool) -> None:
    if as_json:
        rows = [{name: value for name, value in asdict(item).items() if name != "thumbnail"} for item in found]
        print(json.dumps(rows, indent=1))
        return
    for place, item in enumerate(found, 1):
        print(f"{place:4}  {item.score:.3f}  {item.name}  ({item.extent})")

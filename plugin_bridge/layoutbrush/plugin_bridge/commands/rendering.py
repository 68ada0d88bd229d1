"""What edit, edit-folder, segment and the demo share: a client, a task, progress, and the result on the photo."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.plugin_bridge import Client, Document, Picture, Progress, Queued, RemoteError, Result, Source
from layoutbrush.plugin_bridge.commands.files import (
    Photo,
    Problem,
    check_size,
    read_labels,
    read_mask,
    read_photo,
)
from layoutbrush.plugin_bridge.events import Event
from layoutbrush.plugin_bridge.private_server import ServerProblem, private_server

FAILED = 1
_FLAGS = {
    "edit.label_map": "--edited-layout",
    "edit.mask": "--mask",
    "edit.exclude": "--exclude",
    "options.seed": "--seed",
    "options.grow": "--grow",
    "edit.sources": "--take",
}
"""Fields of the wire contract as the command line calls them."""


@dataclass(frozen=True)
class ServerChoice:
    """`address`: HOST:PORT of a running server; empty = start a private one with `bundle`, `threads` and `drafts`."""

    address: str = ""
    bundle: str = "scenes"
    threads: int = 0
    drafts: str = "none"


@dataclass(frozen=True, eq=False)
class Task:
    """A photo and what is to be done to it; maps are of its size. `layout` None = the server segments."""

    photo: Photo
    edited: NDArray[np.uint8]
    layout: NDArray[np.uint8] | None = None
    mask: NDArray[np.bool_] | None = None
    exclude: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Options:
    """See `Document.edit`.

    Raises:
        Problem: a number is out of range.
    """

    seed: int = 0
    grow: float | None = None
    bound: bool = False
    previews: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 31:
            raise Problem("--seed is 0 to 2147483647.")
        if self.grow is not None and not 0 <= self.grow <= 1:
            raise Problem("--grow is 0 to 1.")


@dataclass(frozen=True, eq=False)
class Rendered:
    """`pixels`: the whole photo with the new layer on it, uint8 (H, W, 3 or 4). `mask`: bool (H, W), what may
    differ.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    timings: Mapping[str, float] = field(default_factory=dict)


@contextmanager
def connected(choice: ServerChoice) -> Iterator[Client]:
    """Yield a client of the chosen server, with the token in LAYOUTBRUSH_TOKEN; a private one is stopped afterwards.

    Where LAYOUTBRUSH_TLS_ROOTS names a PEM file, the chosen server is called over TLS, and must have a certificate of
    these authorities.

    Raises:
        ServerProblem: a private server did not start.
        Problem: the PEM file can't be read.
    """
    token = os.environ.get("LAYOUTBRUSH_TOKEN", "")
    if choice.address:
        with Client(choice.address, token, tls=_tls_roots()) as client:
            yield client
    else:
        drafts = ("--drafts", choice.drafts)
        with private_server(choice.bundle, choice.threads, drafts) as address, Client(address, token) as client:
            yield client


def label_colors(client: Client) -> dict[int, tuple[int, int, int]]:
    """Return the colours that a server's labels are shown in, by id.

    Raises:
        RemoteError: it doesn't answer.
    """
    return {label.id: (label.color.red, label.color.green, label.color.blue) for label in client.info().bundle.labels}


def _tls_roots() -> bytes | bool:
    name = os.environ.get("LAYOUTBRUSH_TLS_ROOTS", "")
    if not name:
        return False
    try:
        return Path(name).read_bytes()
    except OSError:
        raise Problem(f"The file {name} that LAYOUTBRUSH_TLS_ROOTS names can't be read.") from None


def read_task(
    photo: Path, edited: Path, layout: Path | None = None, mask: Path | None = None, exclude: Path | None = None
) -> Task:
    """Read the files of an edit.

    Raises:
        FileProblem: names the file or flag at fault.
    """
    found = read_photo(photo)
    task = Task(
        found,
        read_labels(edited),
        read_labels(layout) if layout else None,
        read_mask(mask) if mask else None,
        read_mask(exclude) if exclude else None,
    )
    maps = {"--edited-layout": task.edited, "--layout": task.layout, "--mask": task.mask, "--exclude": task.exclude}
    for flag, values in maps.items():
        if values is not None:
            check_size(values, found, flag)
    return task


def photo_picture(photo: Photo) -> Picture:
    """Return a photo as raw RGB or RGBA."""
    height, width, channels = photo.pixels.shape
    return Picture(photo.pixels.tobytes(), width, height, "RGBA" if channels == 4 else "RGB")


def map_picture(values: NDArray[np.generic] | None) -> Picture | None:
    """Return a label map, or a mask as 0 and 255; None stays None."""
    if values is None:
        return None
    pixels = values.astype(np.uint8) * np.uint8(255) if values.dtype == np.bool_ else values.astype(np.uint8)
    return Picture.gray(pixels.tobytes(), values.shape[1], values.shape[0])


def render(client: Client, task: Task, options: Options, heard: Callable[[Event], None] = lambda _: None) -> Rendered:
    """Open the photo, edit it, close it; `heard` is called with every event.

    Raises:
        RemoteError: the server's answer, its field as the command line calls it.
    """
    with client.open(photo_picture(task.photo), map_picture(task.layout)) as document:
        return render_in(document, task, options, heard)


def render_in(
    document: Document, task: Task, options: Options, heard: Callable[[Event], None] = lambda _: None
) -> Rendered:
    """Edit an open document; see `render`."""
    events = document.edit(
        map_picture(task.edited),
        mask=map_picture(task.mask),
        bound=options.bound,
        exclude=map_picture(task.exclude),
        seed=options.seed,
        grow=options.grow,
        previews=options.previews,
        sources=options.sources,
    )
    for event in events:
        heard(event)
        if isinstance(event, Result):
            return pasted(task.photo, event)
    raise ServerProblem("The server ended the edit without a result.")


def pasted(photo: Photo, result: Result) -> Rendered:
    """Return the photo with the result pasted through its mask: every pixel outside stays the photo's own."""
    place = (
        slice(result.picture.y, result.picture.y + result.picture.height),
        slice(result.picture.x, result.picture.x + result.picture.width),
    )
    mask = np.zeros(photo.colors.shape[:2], np.bool_)
    mask[place] = array_of(result.mask)[..., 0] >= 128
    pixels = photo.pixels.copy()
    new = array_of(result.picture)[..., :3]
    pixels[place][..., :3] = np.where(mask[place][..., None], new, pixels[place][..., :3])
    return Rendered(pixels, mask, result.timings)


def array_of(picture: Picture) -> NDArray[np.uint8]:
    """Return raw 8-bit pixels as uint8 (h, w, channels)."""
    return np.frombuffer(picture.data, np.uint8).reshape(picture.shape)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[Event], None]]:
    """Show a bar on a terminal's standard error; yields what to call with events."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        shown = bar.add_task(title, total=1.0)

        def heard(event: Event) -> None:
            if isinstance(event, Queued) and event.position:
                bar.update(shown, description=f"{title}: waiting behind {event.position}")
            elif isinstance(event, Progress):
                bar.update(shown, description=f"{title}: {event.stage}", completed=event.done)

        yield heard


def guarded(work: Callable[[], int]) -> int:
    """Run a command's work; problems become one sentence on standard error and a status of 1."""
    try:
        return work()
    except (Problem, ServerProblem) as problem:
        sentence = str(problem)
    except RemoteError as error:
        sentence = explained(error)
    print(f"layoutbrush: {sentence}", file=sys.stderr)
    return FAILED


def explained(error: RemoteError) -> str:
    """Return the server's sentence with its field as the command line calls it."""
    if error.field.startswith("edit.sources[") and error.field.endswith(("reference_id", "place")):
        return f"--{error.field.rpartition('.')[2].removesuffix('_id')}: {error.message}"
    flag = next((flag for name, flag in _FLAGS.items() if error.field.startswith(name)), error.field)
    return f"{flag}: {error.message}" if flag else error.message

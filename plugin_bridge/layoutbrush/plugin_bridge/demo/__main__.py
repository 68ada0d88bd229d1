"""One edit of a real photograph, from a private server to a contact sheet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Picture, Preview
from layoutbrush.plugin_bridge.commands.files import Problem, read_labels, read_photo, write_png
from layoutbrush.plugin_bridge.commands.rendering import (
    Options,
    Rendered,
    ServerChoice,
    Task,
    array_of,
    connected,
    guarded,
    map_picture,
    photo_picture,
    progress_bar,
    render_in,
)
from layoutbrush.plugin_bridge.demo.sheet import Picture as Panel
from layoutbrush.plugin_bridge.demo.sheet import contact_sheet
from layoutbrush.plugin_bridge.events import Event

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Config:
    """What the demo edits, and where the pictures go. Without a photo: scikit-learn's china.jpg, our maps of it."""

    out: Path = Path("demo")
    """Folder for the pictures; made if need be."""
    photo: Path | None = None
    """Another photo, with `layout` and `edited`."""
    layout: Path = HERE / "layout.png"
    """Label map of the photo."""
    edited: Path = HERE / "edited.png"
    """The same after painting."""
    bundle: str = "scenes"
    """Name or folder of the bundle that the server runs."""
    server: str = ""
    """HOST:PORT of a running server; empty = start a private one."""
    seed: int = 0
    """Another seed, another variant."""


@dataclass(eq=False)
class Record:
    """What came in while the edit ran: previews by kind, seconds by name, the server's label colours."""

    previews: dict[str, Picture] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    colors: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun

    def hear(self, event: Event, since: float) -> None:
        """Keep a preview."""
        if isinstance(event, Preview):
            self.previews[event.kind] = event.picture
            self.seconds[f"{event.kind} preview"] = time.perf_counter() - since


def run(config: Config) -> int:
    """Make the edit, write the pictures, say where they are."""
    photo = read_photo(config.photo or china())
    task = Task(photo, read_labels(config.edited), read_labels(config.layout))
    record = Record()
    rendered = edit(config, task, record)
    pictures = panels(task, rendered, record)
    for name, panel in pictures.items():
        write_png(config.out / f"{name}.png", np.asarray(panel.image.convert("RGB")))
    lines = report(task, rendered, record)
    write_png(config.out / "contact_sheet.png", np.asarray(contact_sheet(list(pictures.values()), lines)))
    print(*lines, sep="\n")
    print(f"Pictures: {config.out.resolve()} (start with contact_sheet.png)")
    if util.find_spec("hypercorn") is not None:  # the extra web
        print(f"Paint yourself: {Path(sys.executable).with_name('layoutbrush')} serve --web --open")
    return 0


def edit(config: Config, task: Task, record: Record) -> Rendered:
    """Open the photo on a server and edit it twice: the second time is what a painter feels at every stroke."""
    options = Options(seed=config.seed, previews=("warped", "coarse"))
    begun = time.perf_counter()
    with connected(ServerChoice(config.server, config.bundle)) as client, progress_bar("Demo") as heard:
        record.seconds["server start"] = time.perf_counter() - begun
        labels = client.info().bundle.labels
        record.colors = {label.id: (label.color.red, label.color.green, label.color.blue) for label in labels}
        with record.clock("open"):
            document = client.open(photo_picture(task.photo), map_picture(task.layout))
        with document:
            with record.clock("first edit"):
                render_in(document, task, options, heard)
            since = time.perf_counter()

            def hear(event: Event) -> None:
                heard(event)
                record.hear(event, since)

            with record.clock("next edit"):
                return render_in(document, task, options, hear)


def panels(task: Task, rendered: Rendered, record: Record) -> Mapping[str, Panel]:
    """The pictures of the sheet by file name."""
    before = task.photo.colors
    found = {"before": Panel("before", Image.fromarray(before))}
    if task.layout is not None:
        found["layout"] = Panel("its label map", colored(task.layout, record.colors))
    found["edited"] = Panel("the label map, painted", colored(task.edited, record.colors))
    for kind, preview in record.previews.items():
        found[kind] = Panel(f"{kind} preview", Image.fromarray(on_photo(before, preview, rendered.mask)))
    found["after"] = Panel("after", Image.fromarray(rendered.pixels[..., :3]))
    return found


def on_photo(photo: NDArray[np.uint8], preview: Picture, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A preview pasted through the mask, enlarged where it came reduced."""
    image = Image.fromarray(array_of(preview)).resize((preview.width, preview.height), Image.Resampling.BILINEAR)
    place = np.s_[preview.y : preview.y + preview.height, preview.x : preview.x + preview.width]
    pasted = photo.copy()
    pasted[place] = np.where(mask[place][..., None], np.asarray(image), pasted[place])
    return pasted


def colored(labels: NDArray[np.uint8], colors: Mapping[int, tuple[int, int, int]]) -> Image.Image:
    """A label map in the colours of the bundle's labels."""
    table = np.zeros((256, 3), np.uint8)
    for label, color in colors.items():
        table[label] = color
    return Image.fromarray(table[labels])


def report(task: Task, rendered: Rendered, record: Record) -> list[str]:
    """What happened, in lines."""
    before = task.photo.pixels
    same = bool(np.array_equal(rendered.pixels[~rendered.mask], before[~rendered.mask]))
    height, width = rendered.mask.shape
    took = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in record.seconds.items())
    stages = ", ".join(f"{name} {spent:.0f} ms" for name, spent in rendered.timings.items())
    return [
        f"Photo of {width} x {height}; {100 * rendered.mask.mean():.0f} % of it may change; "
        f"every other pixel is {'the same' if same else 'NOT the same'}.",
        f"Seen from the client: {took}.",
        f"Next edit on the server: {stages}.",
    ]


def china() -> Path:
    """The photograph that scikit-learn ships.

    Raises:
        Problem: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise Problem("The photo comes with scikit-learn: pip install 'layoutbrush[demo]', or give --photo.") from None
    return Path(datasets.__file__).parent / "images" / "china.jpg"


if __name__ == "__main__":
    arguments = tyro.cli(Config, description=__doc__)
    sys.exit(guarded(lambda: run(arguments)))

"""Edit a real photo through a server of its own and write every picture on the way.

    python -m layoutbrush.plugin_bridge.demo --out demo

starts a server, opens scikit-learn's china.jpg with its label map, repaints the bushes on the right bank as lake, and
writes before, layout, edited-layout, warped, coarse and after.png, and sheet.png with all of them and the timings.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge.commands.files import Photo, Problem, read_labels, read_photo, write_png
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
from layoutbrush.plugin_bridge.demo.sheet import Picture, contact_sheet
from layoutbrush.plugin_bridge.events import Event, Preview

HERE = Path(__file__).parent
_UNKNOWN = (0, 0, 0)


@dataclass(frozen=True)
class Config:
    """Flags of the demo."""

    out: Path = Path("demo")
    """Folder for the pictures."""

    seed: int = 0
    """Another one gives another lake."""

    server: str = ""
    """HOST:PORT of a running server. Left out: a private one."""

    bundle: str = "scenes"
    """Trained networks of a private server."""

    threads: int = 0
    """Cores of a private server; 0 = all."""


@dataclass(eq=False)
class Story:
    """What happened, with milliseconds since the edit was asked for."""

    began: float
    previews: dict[str, Image.Image] = field(default_factory=dict)
    moments: dict[str, float] = field(default_factory=dict)

    def hear(self, event: Event, before: Photo) -> None:
        """Keep previews, pasted onto the photo."""
        if isinstance(event, Preview):
            self.moments[event.kind] = self.elapsed()
            self.previews[event.kind] = _pasted(before, event)

    def elapsed(self) -> float:
        """Milliseconds since the beginning."""
        return 1000 * (time.perf_counter() - self.began)


def main() -> int:
    """Run the demo; returns the exit status."""
    config = tyro.cli(Config, prog="python -m layoutbrush.plugin_bridge.demo", description=__doc__)
    return guarded(lambda: _demo(config))


def _demo(config: Config) -> int:
    task = Task(read_photo(_china()), read_labels(HERE / "edited.png"), read_labels(HERE / "layout.png"))
    began = time.perf_counter()
    with connected(ServerChoice(config.server, config.bundle, config.threads)) as client:
        info = client.info()
        started = time.perf_counter() - began
        began = time.perf_counter()
        with client.open(photo_picture(task.photo), map_picture(task.layout)) as document:
            opened = 1000 * (time.perf_counter() - began)
            with progress_bar("Editing") as shown:
                story = Story(time.perf_counter())

                def heard(event: Event) -> None:
                    shown(event)
                    story.hear(event, task.photo)

                rendered = render_in(document, task, Options(config.seed, previews=("warped", "coarse")), heard)
            story.moments["result"] = story.elapsed()
    lines = _lines(info, started, opened, story, rendered)
    _write(config.out, task, info, story, rendered, lines)
    print("\n".join([*lines, f"Pictures: {config.out}/  all of them: {config.out / 'sheet.png'}"]))
    return 0


def _china() -> Path:
    """Where scikit-learn keeps its photograph; scikit-learn itself is not imported."""
    package = find_spec("sklearn")
    path = Path(package.origin or "").parent / "datasets" / "images" / "china.jpg" if package else Path()
    if not path.is_file():
        raise Problem("The demo needs scikit-learn for its photograph: pip install 'layoutbrush[demo]'")
    return path


def _lines(
    info: v1.GetServerInfoResponse, started: float, opened: float, story: Story, rendered: Rendered
) -> list[str]:
    engine = next((f"{engine.name} ({engine.note})" for engine in info.engines if engine.active), "no engine")
    moments = ", ".join(f"{name} after {milliseconds:.0f} ms" for name, milliseconds in story.moments.items())
    stages = ", ".join(f"{name} {milliseconds:.0f} ms" for name, milliseconds in rendered.timings.items())
    return [
        f"Bundle {info.bundle.name} {info.bundle.version} on {engine}; server ready in {started:.1f} s, "
        f"photo opened in {opened:.0f} ms.",
        f"Seen by the client: {moments}. {100 * rendered.mask.mean():.1f} % of the photo redrawn, "
        "the rest is the photo's own, bit for bit.",
        f"In the server: {stages}.",
    ]


def _write(
    out: Path, task: Task, info: v1.GetServerInfoResponse, story: Story, rendered: Rendered, lines: list[str]
) -> None:
    colors = {label.id: (label.color.red, label.color.green, label.color.blue) for label in info.bundle.labels}
    pictures = {
        "before": Image.fromarray(task.photo.colors),
        "layout": _colored(task.layout, colors),
        "edited-layout": _colored(task.edited, colors),
        **story.previews,
        "after": Image.fromarray(rendered.pixels[..., :3]),
    }
    for name, image in pictures.items():
        write_png(out / f"{name}.png", np.asarray(image))
    sheet = contact_sheet([Picture(name.replace("-", " "), image) for name, image in pictures.items()], lines)
    write_png(out / "sheet.png", np.asarray(sheet))


def _colored(labels: NDArray[np.uint8] | None, colors: dict[int, tuple[int, int, int]]) -> Image.Image:
    """Return a label map in the bundle's colours; None (nothing known) is black."""
    table = np.array([colors.get(i, _UNKNOWN) for i in range(256)], np.uint8)
    return Image.fromarray(table[labels]) if labels is not None else Image.new("RGB", (1, 1))


def _pasted(photo: Photo, preview: Preview) -> Image.Image:
    """Return the photo with a preview on it, stretched where it came reduced."""
    whole = Image.fromarray(photo.colors)
    picture = preview.picture
    part = Image.fromarray(array_of(picture)[..., :3]).resize((picture.width, picture.height))
    whole.paste(part, (picture.x, picture.y))
    return whole


if __name__ == "__main__":
    sys.exit(main())

"""Edit a folder of tasks, one picture each.

Each task is a folder with image.png and edited.png, and optionally layout.png, mask.png, exclude.png, and a photo to
draw from, reference.png, with reference_layout.png; its result is written to DIR/<task>.png:

    layoutbrush edit-folder tasks --out results

A task that fails is named at the end; the others go on.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from layoutbrush.plugin_bridge import Client


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush edit-folder`."""

    tasks: Annotated[Path, tyro.conf.Positional]
    """Folder of task folders."""

    out: Path
    """Folder for the results."""

    only: str = "*"
    """Tasks to do, by pattern, e.g. 'R-scenes-*'."""

    skip_done: bool = False
    """Leave tasks out whose result is there already."""

    take: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """LABEL[:1[:LABEL_THERE]]: what the tasks with a reference draw from it, as in `layoutbrush edit`. Left out: what
    their label maps change, as far as the reference has the label."""

    seed: int = 0
    """Of every task."""

    server: str = ""
    """HOST:PORT of a running server. Left out: a private one."""

    bundle: str = "scenes"
    """Trained networks of a private server."""

    threads: int = 0
    """Cores of a private server; 0 = all."""


def run(config: Config) -> int:
    """Edit all tasks; returns the exit status, 1 where one failed."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _edit_all(config))


def _edit_all(config: Config) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from layoutbrush.plugin_bridge.commands import rendering
    from layoutbrush.plugin_bridge.commands.files import Problem
    from layoutbrush.plugin_bridge.errors import RemoteError

    tasks = _tasks(config)
    failures: list[str] = []
    begun = time.perf_counter()
    console = Console(stderr=True)
    choice = rendering.ServerChoice(config.server, config.bundle, config.threads)
    with (
        rendering.connected(choice) as client,
        Progress(console=console, disable=not console.is_terminal, transient=True) as bar,
    ):
        for task in bar.track(tasks, description="Editing"):
            try:
                _edit_one(client, task, config)
            except Problem as problem:
                failures.append(f"{task.name}: {problem}")
            except RemoteError as error:
                failures.append(f"{task.name}: {rendering.explained(error)}")
    print(
        f"{len(tasks) - len(failures)} of {len(tasks)} tasks done in {time.perf_counter() - begun:.1f} s: {config.out}"
    )
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def _tasks(config: Config) -> list[Path]:
    from layoutbrush.plugin_bridge.commands.files import FileProblem

    if not config.tasks.is_dir():
        raise FileProblem(f"There is no folder {config.tasks}.")
    found = [task for task in sorted(config.tasks.glob(config.only)) if (task / "image.png").is_file()]
    if not found:
        raise FileProblem(f"{config.tasks} holds no task: a folder with image.png and edited.png.")
    return [task for task in found if not (config.skip_done and (config.out / f"{task.name}.png").exists())]


def _edit_one(client: Client, folder: Path, config: Config) -> None:
    from layoutbrush.plugin_bridge.commands import mixing, rendering
    from layoutbrush.plugin_bridge.commands.files import write_png

    def there(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    optional = [there(f"{name}.png") for name in ("layout", "mask", "exclude")]
    task = rendering.read_task(folder / "image.png", folder / "edited.png", *optional)
    reference, layout = there("reference.png"), there("reference_layout.png")
    references = mixing.read_references([reference], [layout] if layout else []) if reference else []
    takes = mixing.parse_takes(config.take, 1) if references else []
    rendered = mixing.mixed(client, task, rendering.Options(seed=config.seed), references, takes)
    write_png(config.out / f"{folder.name}.png", rendered.pixels, task.photo.profile)

"""Build TensorRT engines for a bundle's graphs; list, check and remove them.

    layoutbrush engine build                                        for the card of this machine
    layoutbrush engine build --compute-capability 8.6 8.9 12.0      ahead of time, on a machine without a card
    layoutbrush engine list
    layoutbrush engine validate
    layoutbrush engine prune

Engines are kept in a folder of your own (LAYOUTBRUSH_CACHE, else your user's cache). They are code: build them here,
never take one from somebody else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from layoutbrush.runtime.engines.tensorrt.key import Device
    from layoutbrush.runtime.engines.tensorrt.listening import Report
    from layoutbrush.runtime.engines.tensorrt.store import StoredEngine


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush engine`."""

    action: Annotated[Literal["build", "list", "validate", "prune"], tyro.conf.Positional]
    """What to do."""

    bundle: str = "scenes"
    """Name of a shipped bundle, or path of a folder or zip."""

    compute_capability: tuple[str, ...] = ("current",)
    """Cards to build for, such as 8.6 8.9 12.0 (RTX 30, 40 and 50), or `current` for the one of this machine."""

    precision: Literal["fp16", "fp32"] = "fp16"
    """Arithmetic of the convolutions; everything else is fp32."""

    all: bool = False
    """With prune: remove every engine, not only those that this bundle and this TensorRT don't use."""


def run(config: Config) -> int:
    """Do it; returns the exit status."""
    return {"build": _build, "list": _list, "validate": _validate, "prune": _prune}[config.action](config)


def _build(config: Config) -> int:
    from layoutbrush.runtime.bundle import Bundle
    from layoutbrush.runtime.engines.tensorrt import building

    bundle = Bundle.load(config.bundle)
    device = _card() if config.compute_capability == ("current",) else None
    target = f"{device.gpu} ({device.capability})" if device else ", ".join(config.compute_capability)
    for graph in bundle.manifest.graphs:
        with _progress(f"{graph} for {target}") as report:
            engine = building.build(bundle, graph, config.compute_capability, config.precision, device, report)
        print(_line(engine))
    return 0


def _list(config: Config) -> int:
    from layoutbrush.runtime.engines.tensorrt import store

    engines = store.stored()
    for engine in engines:
        print(_line(engine))
    if not engines:
        print("There are no engines. Build some with `layoutbrush engine build`.", file=sys.stderr)
    return 0


def _validate(config: Config) -> int:
    """Every engine's bytes, and on a machine with a card what the engines answer, against ONNX Runtime."""
    from layoutbrush.runtime.bundle import Bundle
    from layoutbrush.runtime.engines.tensorrt import store, trial
    from layoutbrush.runtime.errors import DamagedData

    damaged = 0
    for engine in store.stored():
        try:
            engine.read()
            print(f"unchanged  {_line(engine)}")
        except DamagedData as error:
            damaged += 1
            print(f"DAMAGED    {_line(engine)}: {error}")
    wrong = 0
    for row in trial.rows(Bundle.load(config.bundle)):
        print(row)
        wrong += not row.good
    return 1 if damaged or wrong else 0


def _prune(config: Config) -> int:
    from layoutbrush.runtime.bundle import Bundle
    from layoutbrush.runtime.engines.tensorrt import package, store

    version = str(package.load().__version__) if package.installed() else ""
    for path in store.prune([Bundle.load(config.bundle)], version, config.all):
        print(f"removed {path.name}")
    return 0


def _card() -> Device:
    from layoutbrush.runtime.engines.tensorrt.card import Card
    from layoutbrush.runtime.engines.tensorrt.package import TensorRTUnavailable
    from layoutbrush.runtime.ops.errors import CudaUnavailable

    try:
        return Card().device
    except CudaUnavailable as error:
        raise TensorRTUnavailable(
            f"There is no card to build for ({error}). Name some: --compute-capability 8.6 8.9 12.0",
            "compute_capability",
        ) from error


@contextmanager
def _progress(title: str) -> Iterator[Report]:
    """A progress bar on standard error; TensorRT's phases nest, so it shows the one that moved last."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=1.0)
        yield lambda phase, done: bars.update(task, description=f"{title}: {phase}", completed=done)


def _line(engine: StoredEngine) -> str:
    key = engine.key
    target = f"{key.gpu}, driver {key.driver}" if key.gpu else f"compute capability {', '.join(key.capabilities)}"
    size = f"{engine.size / 1e6:.1f} MB"
    return f"{key.graph:13} {key.precision}  {size:>8}  {key.package} {key.version}  {target}  {key.digest[:12]}"

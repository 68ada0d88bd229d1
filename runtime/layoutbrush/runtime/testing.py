"""For tests of servers and plugins: an editor that follows a script, and a server in a thread.

with ServerThread(scripted_backend(ScriptedEditor(step_seconds=0.1))) as server:
    client = Client(server.address)
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush import v1
from layoutbrush.runtime.drafts import DraftRequest
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.finding import Describer, Library
from layoutbrush.runtime.pipeline.events import EditRequest, Event, Layer, Preview, Progress, Result
from layoutbrush.runtime.pipeline.mask import edit_mask
from layoutbrush.runtime.pipeline.tiling import tiles
from layoutbrush.runtime.server import Running, ServerOptions, serving
from layoutbrush.runtime.service.backend import Backend, Drafter, EngineNote

_POLL_SECONDS = 0.002
_ORDERS = {1: v1.CHANNEL_ORDER_GRAY, 3: v1.CHANNEL_ORDER_RGB, 4: v1.CHANNEL_ORDER_RGBA}
_TYPES = {
    "|u1": v1.DATA_TYPE_UINT8,
    "<u2": v1.DATA_TYPE_UINT16,
    "<f2": v1.DATA_TYPE_FLOAT16,
    "<f4": v1.DATA_TYPE_FLOAT32,
}


def raw_layer(kind: v1.LayerKind, values: NDArray[Any], x: int = 0, y: int = 0, reference_id: str = "") -> v1.Layer:
    """A message with the raw pixels of an array (h, w) or (h, w, 1, 3 or 4)."""
    form = v1.PixelFormat(
        channel_order=_ORDERS[values.shape[2] if values.ndim == 3 else 1], data_type=_TYPES[values.dtype.str]
    )
    return v1.Layer(
        kind=kind,
        bounds=v1.Bounds(x=x, y=y, width=values.shape[1], height=values.shape[0]),
        encoding=v1.ENCODING_RAW,
        format=form,
        data=values.tobytes(),
        reference_id=reference_id,
    )


@dataclass(frozen=True, eq=False)
class ScriptedPhoto:
    """What `ScriptedEditor.open` prepares."""

    photo: NDArray[np.uint8]
    layout: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self.photo.nbytes + self.layout.nbytes


@dataclass
class ScriptedEditor:
    """Fills the mask with the seed's grey, in `steps` steps of `step_seconds` each.

    `hold`: where set, every step after the first `free` ones waits until this event is set. `raises`: raised by `edit`
    after the first step.
    `deaf`: don't poll for cancellation inside a step, as a network in full run doesn't. What happened is counted.
    """

    steps: int = 3
    step_seconds: float = 0.0
    hold: threading.Event | None = None
    free: int = 0
    raises: BaseException | None = None
    deaf: bool = False
    opened: int = 0
    started: int = 0
    steps_begun: int = 0
    finished: int = 0
    cancelled: int = 0
    requests: list[EditRequest] = field(default_factory=list)

    def open(
        self, photo: NDArray[np.uint8], layout: NDArray[np.uint8] | None, cancelled: Callable[[], bool]
    ) -> ScriptedPhoto:
        """See `service.backend.Editor`."""
        self.opened += 1
        return ScriptedPhoto(photo, self.segment(photo, cancelled) if layout is None else layout)

    def segment(self, photo: NDArray[np.uint8], cancelled: Callable[[], bool]) -> NDArray[np.uint8]:
        """Sky above, grass below."""
        layout = np.zeros(photo.shape[:2], np.uint8)
        layout[photo.shape[0] // 2 :] = 3
        return layout

    def edit(self, prepared: ScriptedPhoto, request: EditRequest, cancelled: Callable[[], bool]) -> Iterator[Event]:
        """See `service.backend.Editor`."""
        self.started += 1
        self.requests.append(request)
        mask = edit_mask(prepared.layout, request)
        pixels = prepared.photo[mask.bounds.slices].copy()
        pixels[mask.pixels] = request.seed % 256
        layer = Layer(mask.bounds, pixels)
        try:
            for step in range(self.steps):
                yield Progress("warp" if step == 0 else "refine", step / self.steps)
                self._work(cancelled)
                if self.raises is not None:
                    raise self.raises
            for kind in request.previews:
                yield Preview(kind, layer)
            if request.tiles:
                for tile in reversed(list(tiles(layer.bounds, layer.pixels, mask.pixels))):
                    self._work(cancelled)
                    yield tile
        except (Cancelled, GeneratorExit):  # found by its own poll, or by the worker's between two events
            self.cancelled += 1
            raise
        self.finished += 1
        yield Result(layer, mask.pixels, {"warp": 1.0, "total": 2.0})

    def _work(self, cancelled: Callable[[], bool]) -> None:
        self.steps_begun += 1
        held = self.steps_begun > self.free
        end = time.monotonic() + self.step_seconds
        while time.monotonic() < end or (held and self.hold is not None and not self.hold.is_set()):
            if not self.deaf and cancelled():
                raise Cancelled
            time.sleep(_POLL_SECONDS)
        if cancelled():
            raise Cancelled


@dataclass
class ScriptedDrafter:
    """Grey pictures of 64 x 64, by seed and number; each takes `step_seconds`, and those after the first `free` ones
    wait for `hold` where it is set.

    `raises`: raised after the first one. What happened is counted.
    """

    step_seconds: float = 0.0
    hold: threading.Event | None = None
    free: int = 0
    raises: BaseException | None = None
    started: int = 0
    drawn: int = 0
    finished: int = 0
    requests: list[DraftRequest] = field(default_factory=list)

    @property
    def labels(self) -> tuple[str, ...]:
        """See `service.backend.Drafter`."""
        return tuple(label.name for label in STAND_IN_LABELS)

    def draft(self, request: DraftRequest, cancelled: Callable[[], bool]) -> Iterator[NDArray[np.uint8]]:
        """See `service.backend.Drafter`."""
        self.started += 1
        self.requests.append(request)
        for number in range(request.count):
            held = self.drawn >= self.free
            end = time.monotonic() + self.step_seconds
            while time.monotonic() < end or (held and self.hold is not None and not self.hold.is_set()):
                if cancelled():
                    raise Cancelled
                time.sleep(_POLL_SECONDS)
            if self.raises is not None and number:
                raise self.raises
            self.drawn += 1
            yield np.full((64, 64, 3), (request.seed + number) % 256, np.uint8)
        self.finished += 1


def scripted_backend(
    editor: ScriptedEditor | None = None,
    references: bool = True,
    drafter: Drafter | None = None,
    library: Library | None = None,
) -> Backend:
    """A backend with the labels of the bundle `scenes` and no networks."""
    note = EngineNote("scripted", note="no networks: follows a script")
    about = ("scripted", "1", STAND_IN_LABELS, [note], references)
    return Backend(editor or ScriptedEditor(), *about, drafter=drafter, library=library)


def small_library(folder: Path) -> Library:
    """The library of a folder of four photos that are made in `folder`, its index beside them: plain colours with
    noise, of several sizes, one below another folder. The stand-in for networks sees sky above grass in all of them.
    """
    photos = folder / "photos"
    (photos / "more").mkdir(parents=True)
    random = np.random.default_rng(5)
    colors = {
        "red.png": (200, 60, 50),
        "green.png": (60, 180, 70),
        "blue.jpg": (50, 70, 190),
        "more/grey.png": (128,) * 3,
    }
    for index, (name, color) in enumerate(colors.items()):
        pixels = np.clip(random.normal(color, 12, (80 + 16 * index, 120, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(photos / name)
    library = Library(photos, Describer(StandInEngine(), STAND_IN_MANIFEST), folder / "photos.index")
    for _ in library.update():
        pass
    return library


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to become true elsewhere, for as long as a busy machine may take.

    Raises:
        TimeoutError: it didn't.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("It did not happen in time.")
        time.sleep(_POLL_SECONDS)


class ServerThread:
    """A server on a free port of this machine, in a thread of its own, inside a context."""

    def __init__(self, backend: Backend | None = None, options: ServerOptions | None = None) -> None:
        self._backend = backend or scripted_backend()
        self._options = options or ServerOptions(port=0)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.running: Running | None = None

    @property
    def address(self) -> str:
        """host:port."""
        return "" if self.running is None else self.running.address

    def __enter__(self) -> ServerThread:
        self._thread.start()
        if not self._ready.wait(30.0) or self.running is None:
            raise RuntimeError("the server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30.0)

    def drain(self, seconds: float) -> None:
        """Begin to drain, as SIGTERM does; returns at once."""
        if self._loop is not None and self.running is not None:
            asyncio.run_coroutine_threadsafe(self.running.drain(seconds), self._loop)

    def on_loop(self, act: Callable[[], Awaitable[object]]) -> None:
        """Run a coroutine function on the server's event loop, to its end.

        Raises:
            TimeoutError: it took more than 30 seconds.
        """

        async def run() -> None:
            await act()

        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(30.0)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serving(self._options, self._backend) as self.running:
                self._ready.set()
                await self._stop.wait()
        finally:
            self._ready.set()

"""A browser with the built page, servers for it, and a folder for pictures to look at."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from layoutbrush.runtime.pipeline.events import Event, Layer, Preview, Progress, Result
from layoutbrush.runtime.pipeline.mask import edit_mask
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

from ..conftest import WEB, WebServer, run_tool
from .painter import Painter

PAGE = WEB.parent / "layoutbrush" / "plugin_bridge" / "web_page" / "index.html"
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
]


@pytest.fixture(scope="session")
def pictures(repository: Path) -> Path:
    """LAYOUTBRUSH_TEST_OUTPUT, by default `build/test-output` in the checkout."""
    base = Path(os.environ.get("LAYOUTBRUSH_TEST_OUTPUT", repository / "build" / "test-output"))
    folder = base / "web"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {folder}")
    return folder


@pytest.fixture(scope="session")
def page_built(node_tools: Path) -> None:
    """The page, built if a source is newer."""
    sources = [path for folder in ("src", "public") for path in (WEB / folder).rglob("*") if path.is_file()]
    sources += [WEB / name for name in ("index.html", "package-lock.json", "vite.config.ts")]
    if PAGE.exists() and PAGE.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return
    assert node_tools.exists()
    done = run_tool(["npm", "run", "--silent", "build"])
    assert done.returncode == 0, done.stdout + done.stderr


Launch = Callable[..., Any]


@pytest.fixture(scope="module")  # no longer: while Playwright runs, no other test can have an event loop
def launch(page_built: None) -> Iterator[Launch]:
    """Starts Chromium without a window, with further switches."""
    playwright = pytest.importorskip("playwright.sync_api", reason="not installed: playwright")
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("not installed: chromium (Debian: apt install chromium)")
    with playwright.sync_playwright() as running:
        yield lambda *switches: running.chromium.launch(
            executable_path=found, headless=True, args=[*SWITCHES, *switches]
        )


@pytest.fixture(scope="module")
def browser(launch: Launch) -> Iterator[Any]:
    """One browser for all; each visitor has a profile of their own in it."""
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def painter(browser: Any, pictures: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Painter]]:
    """Opens the page of a server as a new visitor: `painter(url)`. Errors in the page fail the test."""
    opened: list[Painter] = []

    def visit(url: str, using: Any = browser, **options: Any) -> Painter:
        size = {"width": 1280, "height": 800}
        context = using.new_context(**{"viewport": size, "accept_downloads": True, **options})
        visitor = Painter(context, url, pictures, request.node.name.removeprefix("test_"))
        opened.append(visitor)
        return visitor

    yield visit
    failures = [error for visitor in opened for error in visitor.errors]
    for visitor in opened:
        visitor.context.close()
    assert not failures


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of odd size: sky over a meadow, detail everywhere, clear and half-clear pixels, and an ICC profile."""
    width, height = 203, 149
    random = np.random.default_rng(11)
    rows, columns = np.mgrid[0:height, 0:width]
    sky = np.dstack([110 + rows, 160 + rows // 2, np.full_like(rows, 235)])
    meadow = np.dstack([70 + columns // 4, 190 - rows // 2, 40 + columns // 8])
    hills = 74 + 12 * np.sin(columns / 23) + 5 * np.cos(columns / 7)
    colors = np.where((rows < hills)[..., None], sky, meadow) + random.integers(-25, 26, (height, width, 3))
    pixels = np.dstack([colors, np.full_like(rows, 255)]).clip(0, 255).astype(np.uint8)
    pixels[10:30, 20:60, 3] = random.integers(0, 256, (20, 40), np.uint8)
    pixels[30:40, 20:60, 3] = 0
    path = tmp_path_factory.mktemp("photo") / "a lake.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(path, icc_profile=profile)
    return path


@dataclass
class GatedEditor(ScriptedEditor):
    """Waits for `preview` before its preview and for `finish` before its result, so that a test sees each state."""

    preview: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)

    def edit(self, prepared: Any, request: Any, cancelled: Callable[[], bool]) -> Iterator[Event]:
        """See `ScriptedEditor.edit`."""
        self.started += 1
        self.requests.append(request)
        mask = edit_mask(prepared.layout, request)
        pixels = prepared.photo[mask.bounds.slices].copy()
        pixels[mask.pixels] = (250, 20, 90)
        layer = Layer(mask.bounds, pixels)
        try:
            yield Progress("warp", 0.25)
            self._wait(self.preview, cancelled)
            for kind in request.previews:
                yield Preview(kind, layer)
            yield Progress("refine", 0.75)
            self._wait(self.finish, cancelled)
        except BaseException:
            self.cancelled += 1
            raise
        self.finished += 1
        yield Result(layer, mask.pixels, {"total": 2.0})

    def _wait(self, event: threading.Event, cancelled: Callable[[], bool]) -> None:
        self.hold = event
        self._work(cancelled)


@dataclass(frozen=True)
class GatedServer:
    """A server whose renders go on when the test says so."""

    editor: GatedEditor
    url: str


@pytest.fixture
def gated_server() -> Iterator[GatedServer]:
    """See `GatedServer`."""
    testing = pytest.importorskip("layoutbrush.plugin_bridge.gateway.testing", reason="the extra web isn't installed")
    editor = GatedEditor()
    with ServerThread(scripted_backend(editor)) as server, testing.GatewayThread(server.address) as gateway:
        yield GatedServer(editor, str(gateway.url).rstrip("/"))
        editor.preview.set()
        editor.finish.set()


@pytest.fixture
def mortal_server() -> Iterator[WebServer]:
    """A server of its own for one test, to be killed."""
    pytest.importorskip("hypercorn", reason="the extra web isn't installed")
    server = WebServer("stand-in")
    server.start()
    yield server
    server.kill()

"""Two photos in one edit, as a painter mixes them: dropped, drawn from, placed, removed, saved, found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Picture, Source
from layoutbrush.runtime.testing import ServerThread, scripted_backend

from ..conftest import WebServer
from .painter import Painter, Result, made_by_server

Visit = Callable[..., Painter]
SKY, GRASS = 0, 3


def _photo(path: Path, above: tuple[int, int, int], below: tuple[int, int, int], size: tuple[int, int]) -> Path:
    """Two colours with grain, the upper one down to a third."""
    width, height = size
    random = np.random.default_rng(height)
    rows = np.arange(height)[:, None, None]
    colors = np.where(rows < height // 3, above, below) + random.integers(-20, 21, (height, width, 3))
    Image.fromarray(colors.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def evening(tmp_path: Path) -> Path:
    """A second photo: a red sky over blue ground."""
    return _photo(tmp_path / "evening.png", (225, 120, 80), (50, 60, 130), (120, 96))


@pytest.fixture(scope="module")
def folder_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server with a folder of photos to look through."""
    pytest.importorskip("hypercorn", reason="the extra web isn't installed")
    folder = tmp_path_factory.mktemp("folder")
    _photo(folder / "red.png", (225, 120, 80), (50, 60, 130), (160, 120))
    _photo(folder / "tall.png", (90, 150, 230), (60, 120, 50), (90, 150))
    _photo(folder / "wide.png", (200, 210, 220), (120, 110, 90), (260, 100))
    server = WebServer("stand-in", "--references", str(folder))
    server.start()
    yield server
    server.kill()


def _draw_sky_from(one: Painter, name: str) -> None:
    one.choose("sky")
    one.page.get_by_label("Draw sky from", exact=True).select_option(label=name)


def _same(layer: Result, made: Result) -> bool:
    place = (layer.x, layer.y) == (made.x, made.y)
    return place and np.array_equal(layer.pixels[..., :3], made.pixels) and np.array_equal(layer.mask, made.mask)


def test_a_label_draws_from_a_second_photo(
    painter: Visit, web_server: WebServer, photo: Path, evening: Path, tmp_path: Path
) -> None:
    """Drop it, choose it for a label, see the server's picture to the last bit; undo, redo, save, reopen, remove."""
    one = painter(web_server.url)
    one.drop(photo)
    one.refer(evening)
    assert one.layers() == []
    one.look("second_photo")
    _draw_sky_from(one, "evening.png")
    one.settled()
    one.look("sky_from_it")
    (layer,) = one.layers()
    reference = one.page.evaluate("() => window.layoutbrush.project().references[0].id")
    source = Source(label=SKY, reference=reference)
    assert _same(layer, made_by_server(web_server.address, one, [source]))
    filled = layer.pixels[layer.mask > 0][:, :3].mean(axis=0)
    assert filled[0] > filled[2] + 40, "the new sky is as red as the evening's"
    assert np.array_equal(one.plane("edited"), one.plane("original"))
    one.page.get_by_role("radio", name=re.compile("^sky, .*drawn from evening.png")).wait_for()

    one.press("Control+z")
    one.until("state.layers.length === 0 && project.drawings.length === 0")
    one.press("Control+Shift+z")
    one.settled()
    assert _same(one.layers()[0], Result("", layer.x, layer.y, layer.pixels[..., :3], layer.mask))

    path = one.saved("Save project", tmp_path)
    two = painter(web_server.url)
    two.drop(path)
    two.settled()
    two.look("reopened")
    assert np.array_equal(one.composite(), two.composite())
    drawn = two.page.get_by_label("Draw sky from", exact=True).locator("option:checked")
    drawn.and_(two.page.get_by_text("evening.png", exact=True)).wait_for(state="attached")
    # A server that has never seen the second photo gets it when something is painted.
    two.choose("sky")
    two.stroke((100, 90), (130, 92))
    two.settled()
    assert _same(two.layers()[0], made_by_server(web_server.address, two, [source]))
    two.page.get_by_role("button", name="Remove evening.png").click()
    two.settled()
    assert two.page.evaluate("() => window.layoutbrush.project().references.length") == 0
    assert _same(two.layers()[0], made_by_server(web_server.address, two))
    two.press("Control+z")
    two.until("project.references.length === 1 && project.drawings.length === 1")


def test_a_region_draws_from_another_label(painter: Visit, web_server: WebServer, photo: Path, evening: Path) -> None:
    """A selected region takes the look of a label of the second photo that isn't its own."""
    one = painter(web_server.url)
    one.drop(photo)
    one.refer(evening)
    one.press("s")
    one.page.mouse.click(*one.at(100, 120))
    one.page.get_by_label("Draw Selection from", exact=True).select_option(label="evening.png")
    one.settled()
    labels = one.page.get_by_label("Label of evening.png to draw Selection from")
    labels.select_option(label="sky")
    one.settled()
    one.look("region")
    (layer,) = one.layers()
    region = (one.plane("edited") == GRASS).astype(np.uint8) * 255
    height, width = one.size()
    reference = one.page.evaluate("() => window.layoutbrush.project().references[0].id")
    source = Source(region=Picture(region.tobytes(), width, height, "GRAY"), reference=reference, source_label=SKY)
    assert _same(layer, made_by_server(web_server.address, one, [source]))
    one.page.get_by_role("button", name=re.compile("^Draw from this photo instead: Region")).click()
    one.until("state.layers.length === 0 && project.drawings.length === 0")


def _placed(one: Painter) -> Source:
    """The page's one placement, as the contract wants it."""
    found: dict[str, Any] = one.page.evaluate(
        "() => { const { placements: [p], references: [r] } = window.layoutbrush.project();"
        " return { ...p, mask: null, width: r.photo.width, height: r.photo.height }; }"
    )
    source, target = found["source"], found["target"]
    mask = one.array("project.placements[0].mask").reshape(source["height"], source["width"])
    height, width = one.size()
    region = np.zeros((height, width), np.uint8)
    edited = one.plane("edited")
    for y, x in np.ndindex(target["height"], target["width"]):
        sy = min((2 * y + 1) * source["height"] // (2 * target["height"]), source["height"] - 1)
        sx = min((2 * x + 1) * source["width"] // (2 * target["width"]), source["width"] - 1)
        at = target["y"] + y, target["x"] + x
        region[at] = 255 if mask[sy, sx] and edited[at] == found["label"] else 0
    scale = target["width"] / source["width"], target["height"] / source["height"]
    place = (
        math.floor(target["x"] - source["x"] * scale[0] + 0.5),
        math.floor(target["y"] - source["y"] * scale[1] + 0.5),
        math.floor(found["width"] * scale[0] + 0.5),
        math.floor(found["height"] * scale[1] + 0.5),
    )
    part = Picture(
        ((mask > 0) * np.uint8(255)).tobytes(), source["width"], source["height"], "GRAY", x=source["x"], y=source["y"]
    )
    return Source(
        region=Picture(region.tobytes(), width, height, "GRAY"),
        reference=found["referenceId"],
        source_label=found["label"],
        source_region=part,
        place=place,
    )


def test_a_region_is_placed_by_keyboard(painter: Visit, web_server: WebServer, photo: Path, evening: Path) -> None:
    """Take a region of the second photo, move it, put it down: its labels and its pixels come."""
    one = painter(web_server.url)
    one.drop(photo)
    one.refer(evening)
    one.press("a")
    dialog = one.page.get_by_role("dialog")
    dialog.get_by_text("Labels").click()
    one.look("dialog")
    dialog.get_by_role("button", name="grass", exact=True).press("Enter")
    one.page.get_by_role("application", name="Canvas").focus()
    one.press("ArrowUp", "ArrowUp", "ArrowLeft", "Enter")
    one.settled()
    one.look("placed")
    assert one.page.evaluate("() => window.layoutbrush.project().placements.length") == 1
    (layer,) = one.layers()
    assert _same(layer, made_by_server(web_server.address, one, [_placed(one)]))
    # What is painted over it draws from the photo itself again.
    one.press("b")
    one.choose("water")
    one.stroke((90, 60), (110, 64))
    one.settled()
    assert _same(one.layers()[0], made_by_server(web_server.address, one, [_placed(one)]))
    one.press("Control+z", "Control+z")
    one.until("project.placements.length === 0 && state.layers.length === 0")


def test_a_clicked_button_gives_the_keys_back(
    painter: Visit, web_server: WebServer, photo: Path, evening: Path
) -> None:
    """A button tells what it does; after a click on it, Enter puts the region down and doesn't press it again."""
    one = painter(web_server.url)
    one.drop(photo)
    one.refer(evening)
    one.press("a")
    one.page.get_by_role("dialog").get_by_role("button", name="sky", exact=True).click()
    canvas = one.page.get_by_role("application", name="Canvas")
    one.until("document.activeElement.classList.contains('marks')")
    canvas.wait_for()
    smaller = one.page.get_by_role("button", name="Smaller")
    smaller.hover()
    told = one.page.get_by_text("Smaller", exact=True)
    told.wait_for()
    one.look("told")
    (box, window) = told.bounding_box(), one.page.viewport_size
    assert box["x"] >= 0 and box["y"] >= 0
    assert box["x"] + box["width"] <= window["width"] and box["y"] + box["height"] <= window["height"]
    smaller.click()
    told.wait_for(state="detached")
    one.press("Enter")
    one.until("project.placements.length === 1")
    one.settled()
    placed = one.page.evaluate("() => window.layoutbrush.project().placements[0]")
    assert round(placed["source"]["width"] * 0.9) in range(placed["target"]["width"] - 2, placed["target"]["width"] + 3)
    one.press("?")
    one.page.get_by_role("dialog").wait_for()
    one.press("Escape")
    one.page.get_by_role("dialog").wait_for(state="detached")


def test_what_goes_wrong_with_a_second_photo_is_said(
    painter: Visit, mortal_server: WebServer, photo: Path, evening: Path, tmp_path: Path
) -> None:
    """A file that is none, one that is too small, a server that is gone: a sentence, and nothing is lost."""
    (tmp_path / "note.png").write_bytes(b"no picture at all")
    Image.new("RGB", (9, 9), (40, 90, 160)).save(tmp_path / "tiny.png")
    one = painter(mortal_server.url)
    one.drop(photo)
    one.let_go(tmp_path / "note.png", 0.9)
    one.page.get_by_text("can't be read as a picture").wait_for()
    one.let_go(tmp_path / "tiny.png", 0.9)
    one.page.get_by_text("at least").wait_for()
    one.look("refused")
    one.refer(evening)
    mortal_server.kill()
    _draw_sky_from(one, "evening.png")
    one.until("state.server === 'lost' && state.stale")
    one.look("lost")
    mortal_server.start()
    one.until("state.server === 'online'")
    one.settled()
    assert len(one.layers()) == 1
    assert one.page.evaluate("() => window.layoutbrush.project().references.length") == 1


@pytest.fixture
def plain_url() -> Iterator[str]:
    """Address of a server that draws from no other photo, makes no drafts and has no folder."""
    testing = pytest.importorskip("layoutbrush.plugin_bridge.gateway.testing", reason="the extra web isn't installed")
    with ServerThread(scripted_backend(references=False)) as server, testing.GatewayThread(server.address) as gateway:
        yield str(gateway.url).rstrip("/")


def test_what_a_server_cannot_do_is_not_shown(painter: Visit, plain_url: str, photo: Path, evening: Path) -> None:
    """Without the capabilities: nothing to draw from, no board, nothing to find. Labels can still be placed."""
    one = painter(plain_url)
    one.drop(photo)
    one.refer(evening)
    one.look("plain")
    assert one.page.get_by_role("group", name="Draw from").count() == 0
    assert one.page.get_by_role("button", name="Boxes and drafts").count() == 0
    assert one.page.get_by_role("button", name="Find photos like this layout").count() == 0
    one.page.get_by_role("button", name="Place a region of it").wait_for()
    one.press("d")
    assert one.page.get_by_role("group", name="Board of boxes").count() == 0


def _thumbnail(one: Painter) -> NDArray[np.uint8]:
    canvas = one.page.get_by_role("region", name="Found photos").locator("canvas").first
    script = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    return np.array(canvas.evaluate(script), np.uint8)


def test_photos_are_found_and_drawn_from(painter: Visit, folder_server: WebServer, photo: Path) -> None:
    """Photos like the layout in a strip; one becomes a second photo, another is opened under the layout."""
    one = painter(folder_server.url, color_scheme="dark")
    one.drop(photo)
    one.choose("water")
    one.stroke((120, 90), (160, 100))
    one.settled()
    edited = one.plane("edited")
    one.page.get_by_role("button", name="Find photos like this layout").click()
    strip = one.page.get_by_role("region", name="Found photos")
    strip.get_by_role("listitem").nth(2).wait_for()
    assert _thumbnail(one).any()
    one.look("strip")
    strip.get_by_role("button", name="Add red.png as a second photo").click()
    one.until("project.references.length === 1")
    with Image.open(Path(_folder(folder_server)) / "red.png") as stored:
        wanted = np.asarray(stored)
    found = one.array("project.references[0].photo.pixels").reshape(*wanted.shape[:2], 4)
    assert np.array_equal(found[..., :3], wanted)
    _draw_sky_from(one, "red.png")
    one.settled()
    one.look("drawn_from_found")
    reference = one.page.evaluate("() => window.layoutbrush.project().references[0].id")
    made = made_by_server(folder_server.address, one, [Source(label=SKY, reference=reference)])
    assert _same(one.layers()[0], made)

    strip.get_by_role("button", name="Open wide.png under this layout").click()
    one.page.get_by_role("dialog").get_by_role("button", name="Close it").click()
    one.until("project.photo.name === 'wide.png'")
    one.settled()
    one.look("under_the_layout")
    height, width = one.size()
    rows = np.minimum((2 * np.arange(height) + 1) * edited.shape[0] // (2 * height), edited.shape[0] - 1)
    columns = np.minimum((2 * np.arange(width) + 1) * edited.shape[1] // (2 * width), edited.shape[1] - 1)
    assert np.array_equal(one.plane("edited"), edited[rows][:, columns])
    assert len(one.layers()) == 1


def _folder(server: WebServer) -> str:
    return server.switches[server.switches.index("--references") + 1]

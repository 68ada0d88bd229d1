"""Boxes and drafts, as a painter sketches with them: by pointer, by keys, on a tablet; and what becomes of a draft."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layoutbrush.plugin_bridge import Box, Client, Draft

from ..conftest import WebServer
from .painter import PATIENCE, Painter

Visit = Callable[..., Painter]
TREE = 1
DRAFTS = 8
_PIXELS = """
(canvases) => canvases.map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
})
"""
_BOXES = "() => JSON.parse(localStorage.getItem('layoutbrush.boxes')).objects"


class Sketcher:
    """Hands for the board. Places are shares of it."""

    def __init__(self, one: Painter) -> None:
        self.one = one
        self.board = one.page.get_by_role("group", name="Board of boxes")
        self.board.wait_for()

    def drag(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Press at one place, let go at another."""
        box = self.board.bounding_box()
        mouse = self.one.page.mouse
        mouse.move(box["x"] + x0 * box["width"], box["y"] + y0 * box["height"])
        mouse.down()
        mouse.move(box["x"] + x1 * box["width"], box["y"] + y1 * box["height"], steps=5)
        mouse.up()

    def draw(self, label: str, x0: float, y0: float, x1: float, y1: float) -> None:
        """A box of a label."""
        self.one.page.get_by_role("radio", name=label, exact=True).click()
        self.drag(x0, y0, x1, y1)

    def boxes(self) -> list[dict[str, Any]]:
        """What the board holds, as its file."""
        found: list[dict[str, Any]] = self.one.page.evaluate(_BOXES)
        return found

    def drafted(self) -> list[NDArray[np.uint8]]:
        """The drafts of the strip once they show the board's boxes, as their canvases hold them."""
        strip = self.one.page.get_by_role("region", name="Drafts")
        strip.get_by_text(re.compile(r"^Seed \d+$")).wait_for()
        self.one.rested()
        found = strip.locator("canvas").evaluate_all(_PIXELS)
        return [np.frombuffer(base64.b64decode(text), np.uint8) for text in found]


def _sketch(sketcher: Sketcher) -> None:
    sketcher.draw("sky", 0.0, 0.0, 1.0, 0.5)
    sketcher.draw("grass", 0.04, 0.56, 1.0, 1.0)
    sketcher.draw("tree", 0.125, 0.25, 0.375, 0.75)


def _press_draft(one: Painter) -> None:
    one.page.get_by_role("button", name="Draft", exact=True).click()


def test_boxes_become_drafts(painter: Visit, web_server: WebServer, tmp_path: Path) -> None:
    """From nothing: draw boxes, draft, move one and see the others keep their looks; undo, vary, save, open."""
    one = painter(web_server.url)
    one.until("state.server === 'online'")
    one.page.get_by_role("button", name=re.compile("Sketch with boxes")).click()
    sketcher = Sketcher(one)
    one.look("empty")
    _sketch(sketcher)
    assert [box["label"] for box in sketcher.boxes()] == ["sky", "grass", "tree"]
    one.look("boxes")
    _press_draft(one)
    before = sketcher.drafted()
    one.look("drafts")
    assert len(before) == DRAFTS
    assert len({draft.tobytes() for draft in before}) == DRAFTS, "each draft has looks of its own"

    # Live: the moved box alone changes the picture, where it was and where it is.
    one.press("v")
    sketcher.drag(0.3, 0.3, 0.8, 0.3)
    one.page.get_by_role("button", name="Undo: Move box").wait_for()
    sketcher.board.get_by_role("button", name=re.compile("^tree.* at 6[0-9]")).wait_for()
    after = _changed(sketcher, before)
    for was, now in zip(before, after, strict=True):
        side = int((len(was) // 4) ** 0.5)
        changed = (was != now).reshape(side, side, 4).any(axis=2)
        sky, grass = changed[: side // 4 - 1], changed[side * 3 // 4 + 1 :]
        assert changed.any()
        assert not sky.any()
        assert not grass.any()
    one.look("moved")
    one.press("Control+z")
    assert _same(_changed(sketcher, after), before)
    one.page.get_by_role("button", name="Vary: other drafts of the same boxes").click()
    assert not _same(_changed(sketcher, before), before)

    path = one.saved("Save boxes", tmp_path)
    saved = json.loads(path.read_text())
    assert [box["label"] for box in saved["objects"]] == ["sky", "grass", "tree"]
    del saved["objects"][0]
    path.write_text(json.dumps(saved))
    with one.page.expect_file_chooser() as waiting:
        one.menu("Open boxes")
    waiting.value.set_files(path)
    one.page.get_by_role("button", name="Undo: Open boxes").wait_for()
    assert [box["label"] for box in sketcher.boxes()] == ["grass", "tree"]


def _changed(sketcher: Sketcher, before: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """The drafts once they are other ones."""
    for _ in range(PATIENCE):
        now = sketcher.drafted()
        if len(now) == len(before) and not any(_same([a], [b]) for a, b in zip(now, before, strict=True)):
            return now
        sketcher.one.page.wait_for_timeout(100)
    raise AssertionError("the drafts did not change")


def _same(a: list[NDArray[np.uint8]], b: list[NDArray[np.uint8]]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_board_by_keys(painter: Visit, web_server: WebServer) -> None:
    """Add, move, resize, reorder, relabel, give another look, draft, delete: without touching the mouse."""
    one = painter(web_server.url)
    one.until("state.server === 'online'")
    one.press("d")
    sketcher = Sketcher(one)
    one.page.get_by_role("radio", name="sky", exact=True).focus()
    one.press("ArrowRight")
    one.page.get_by_role("radio", name="sky", exact=True, checked=False).wait_for()
    chosen = one.page.get_by_role("radiogroup", name="Label of the next box").locator('[aria-checked="true"]')
    label = chosen.inner_text()
    chosen.evaluate("(button) => button.blur()")
    one.press("Enter")
    box = sketcher.board.get_by_role("button").first
    box.wait_for()
    one.until("document.activeElement.closest('[aria-label=\"Board of boxes\"]')")
    one.press("ArrowRight", "ArrowDown", "Shift+ArrowRight")
    one.page.get_by_role("button", name="Undo: Resize box").wait_for()
    (first,) = sketcher.boxes()
    assert first["label"] == label
    assert np.allclose(np.array(first["bbox"]) / 512, [0.37, 0.37, 0.32, 0.3], atol=0.002)
    box.evaluate("(box) => box.blur()")
    one.press("Enter")
    one.until("document.activeElement.closest('[aria-label=\"Board of boxes\"]')")
    one.press("PageDown")
    assert [found["look"] for found in sketcher.boxes()] == [1, 0]
    one.press("l")
    assert [found["look"] for found in sketcher.boxes()] == [2, 0]
    one.look("two_boxes")
    one.press("Control+Enter")
    assert len(sketcher.drafted()) == DRAFTS
    one.page.get_by_role("radio", name="Draft 1").focus()
    one.press("ArrowRight", "ArrowRight")
    one.page.get_by_role("radio", name="Draft 3", checked=True).wait_for()
    one.look("third_draft")
    one.press("Delete")
    assert len(sketcher.boxes()) == 1
    one.press("Control+z")
    assert len(sketcher.boxes()) == 2
    one.press("d")
    one.page.get_by_role("button", name=re.compile("Sketch with boxes")).wait_for()
    one.page.reload()
    one.until("state.server === 'online'")
    one.press("d")
    Sketcher(one).board.get_by_role("button").nth(1).wait_for()
    assert len(Sketcher(one).boxes()) == 2


def test_a_draft_becomes_layout_photo_and_second_photo(painter: Visit, web_server: WebServer, photo: Path) -> None:
    """Over the photo that is open: the boxes as its layout, the draft as a second photo; alone: a photo of its own."""
    one = painter(web_server.url, color_scheme="dark")
    one.drop(photo)
    one.press("d")
    sketcher = Sketcher(one)
    box = sketcher.board.bounding_box()
    height, width = one.size()
    assert abs(box["width"] / box["height"] - width / height) < 0.01
    sketcher.draw("tree", 0.25, 0.5, 0.5, 0.75)
    _press_draft(one)
    assert len(sketcher.drafted()) == DRAFTS
    one.look("board")
    original = one.plane("edited")
    one.page.get_by_role("button", name="Use boxes as layout").click()
    one.settled()
    one.look("laid")
    changed = one.plane("edited") != original
    rows, columns = np.nonzero(one.plane("edited") == TREE)
    assert set(np.unique(one.plane("edited")[changed])) == {TREE}
    assert np.allclose([rows.min() / height, columns.min() / width], [0.5, 0.25], atol=0.02)
    assert len(one.layers()) == 1
    one.press("Control+z")
    one.until("!state.canUndo && state.layers.length === 0")

    one.press("d")
    one.page.get_by_role("button", name="Use its labels").click()
    one.until("!state.opening")
    # The server without networks finds sky above and grass below, whatever it is shown: what the photo has already.
    assert np.array_equal(one.plane("edited"), original)
    one.press("d")
    one.page.get_by_role("button", name="Draw from it").click()
    one.until("project.references.length === 1")
    assert one.array("project.references[0].photo.pixels").size == 512 * round(512 * height / width) * 4
    one.look("second_photo")
    one.press("d")
    one.page.get_by_role("radio", name="Draft 2").click()
    one.page.get_by_role("button", name="Open it as a photo").click()
    one.page.get_by_role("dialog").get_by_role("button", name="Close it").click()
    one.until("project.photo.name.startsWith('draft 2') && !state.opening")
    one.look("opened")
    assert one.size() == (round(512 * height / width), 512)


def test_drafts_are_those_of_every_client(painter: Visit, web_server: WebServer) -> None:
    """The strip holds what the Python client gets for the same boxes, looks and seed, to the last bit."""
    one = painter(web_server.url)
    one.until("state.server === 'online'")
    one.press("d")
    sketcher = Sketcher(one)
    _sketch(sketcher)
    _press_draft(one)
    found = sketcher.drafted()
    made = _drafts_of(web_server.address, sketcher.boxes())
    assert len(made) == len(found)
    for mine, theirs in zip(found, made, strict=True):
        opaque = np.dstack([theirs, np.full(theirs.shape[:2], 255, np.uint8)])
        assert np.array_equal(mine.reshape(opaque.shape), opaque)


def _drafts_of(address: str, objects: list[dict[str, Any]]) -> list[NDArray[np.uint8]]:
    boxes = []
    for found in objects:
        x, y, width, height = found["bbox"]
        boxes.append(Box(found["label"], x, y, width, height, found["look"]))
    with Client(address) as client:
        drafts = [event for event in client.draft(boxes, 512, 512, count=DRAFTS) if isinstance(event, Draft)]
    pictures = [draft.picture for draft in drafts]
    return [np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3) for picture in pictures]


def test_drafts_on_a_tablet(painter: Visit, web_server: WebServer) -> None:
    """A finger draws a box and stretches it by its corner."""
    one = painter(web_server.url, has_touch=True, viewport={"width": 1024, "height": 768})
    one.until("state.server === 'online'")
    one.press("d")
    sketcher = Sketcher(one)
    wire = one.context.new_cdp_session(one.page)
    _finger(sketcher, wire, (0.2, 0.2), (0.5, 0.5))
    one.page.get_by_role("button", name="Undo: Draw box").wait_for()
    assert len(sketcher.boxes()) == 1
    _finger(sketcher, wire, (0.5, 0.5), (0.7, 0.8))
    one.page.get_by_role("button", name="Undo: Resize box").wait_for()
    (box,) = sketcher.boxes()
    assert np.allclose(np.array(box["bbox"]) / 512, [0.2, 0.2, 0.5, 0.6], atol=0.01)
    _press_draft(one)
    assert len(sketcher.drafted()) == DRAFTS
    one.look("drafts")


def _finger(sketcher: Sketcher, wire: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = sketcher.board.bounding_box()
    steps = np.linspace(start, end, 5)
    for index, (x, y) in enumerate(steps):
        point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": 1}
        wire.send("Input.dispatchTouchEvent", {"type": "touchMove" if index else "touchStart", "touchPoints": [point]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

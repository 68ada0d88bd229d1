"""What a painter does with the page, and what they see: the hands and eyes of the tests."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Client, Picture, Reference, Source

SECONDS = 120
PATIENCE = 600
"""Looks at the window, a tenth of a second apart."""
# Bytes cross into Python as base64, in pieces that a call's arguments can hold.
_BYTES = """
(value) => {
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}
"""
_DROP = """
([name, type, data, share]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const over = { dataTransfer: transfer, bubbles: true, cancelable: true, clientX: innerWidth * share };
  document.body.dispatchEvent(new DragEvent("dragover", over));
  document.body.dispatchEvent(new DragEvent("drop", over));
}
"""


@dataclass(frozen=True)
class Result:
    """A layer of the page. `pixels` (h, w, 4), `mask` (h, w)."""

    name: str
    x: int
    y: int
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class Painter:
    """A visitor of the page. `errors`: what went wrong in the page without being shown."""

    def __init__(self, context: Any, url: str, pictures: Path, name: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        # From the start: choosers that open before somebody listens are lost.
        self.page.on("filechooser", lambda _: None)
        self._pictures = pictures
        self._name = name
        self._shots = 0
        self.page.goto(url)
        self.until("!state.opening")
        self._set_up()

    def _set_up(self) -> None:
        # What the page sets up after its first frame is there after the next ones.
        self.rested()
        self.rested()

    def look(self, what: str) -> None:
        """Keep a screenshot."""
        self._shots += 1
        self.page.screenshot(path=self._pictures / f"{self._name}_{self._shots}_{what}.png")

    def until(self, condition: str) -> None:
        """Wait until an expression over `state` and `project` is true."""
        self.page.wait_for_function(
            f"() => {{ const state = window.layoutbrush?.state(); const project = window.layoutbrush?.project();"
            f" return Boolean(state && ({condition})); }}"
        )

    def state(self) -> dict[str, Any]:
        """What the page says of itself."""
        found: dict[str, Any] = self.page.evaluate("() => window.layoutbrush.state()")
        return found

    def settled(self) -> None:
        """Wait until the picture shows the map."""
        self.until("!state.stale && state.phase === 'idle' && !state.opening")

    def drop(self, file: Path) -> None:
        """Drop a file on the page and wait until it is open."""
        self.let_go(file)
        self.until("project && !state.opening")
        self._set_up()

    def let_go(self, file: Path, share: float = 0.0) -> None:
        """Drop a file on the page, at a share of its width, and wait for nothing."""
        kind = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}.get(file.suffix, "")
        data = base64.b64encode(file.read_bytes()).decode()
        self.page.evaluate(_DROP, [file.name, kind, data, share])

    def refer(self, file: Path) -> None:
        """Drop a second photo where those belong, and wait until it can be drawn from."""
        before = self.page.evaluate("() => window.layoutbrush.project().references.length")
        self.let_go(file, 0.9)
        self.until(f"project.references.length === {before} + 1")

    def array(self, expression: str) -> NDArray[np.uint8]:
        """A typed array of the page, flat. `expression` over `project`."""
        script = f"() => {{ const project = window.layoutbrush.project(); return ({_BYTES})({expression}); }}"
        return np.frombuffer(base64.b64decode(self.page.evaluate(script)), np.uint8)

    def size(self) -> tuple[int, int]:
        """Height and width of the photo."""
        width, height = self.page.evaluate(
            "() => { const { photo } = window.layoutbrush.project(); return [photo.width, photo.height]; }"
        )
        return height, width

    def plane(self, name: str) -> NDArray[np.uint8]:
        """A label map: "original" or "edited"."""
        return self.array(f"project.{name}.ids").reshape(self.size())

    def composite(self) -> NDArray[np.uint8]:
        """The picture as exported, (h, w, 4)."""
        return self.array("window.layoutbrush.composite().pixels").reshape(*self.size(), 4)

    def layers(self) -> list[Result]:
        """The stack, from the bottom."""
        found = []
        for index, layer in enumerate(self.state()["layers"]):
            box = layer["bounds"]
            shape = box["height"], box["width"]
            pixels = self.array(f"project.layers[{index}].pixels").reshape(*shape, 4)
            mask = self.array(f"project.layers[{index}].mask").reshape(shape)
            found.append(Result(layer["name"], box["x"], box["y"], pixels, mask))
        return found

    def choose(self, label: str) -> None:
        """Click a label of the palette."""
        self.page.get_by_role("radio", name=re.compile(rf"^{label}(,|$)")).click()

    def at(self, x: int, y: int) -> tuple[float, float]:
        """Where a pixel of the photo lies in the window."""
        point = self.page.evaluate("([x, y]) => window.layoutbrush.toScreen(x, y)", [x, y])
        return point["x"], point["y"]

    def stroke(self, *points: tuple[int, int], release: bool = True) -> None:
        """Draw with the mouse from pixel to pixel of the photo."""
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=6)
        if release:
            self.page.mouse.up()

    def press(self, *keys: str) -> None:
        """Press keys, one after the other; what a key has focused or shown gets the next one."""
        for key in keys:
            self.page.keyboard.press(key)
            self.rested()

    def menu(self, entry: str) -> None:
        """Choose from the file menu."""
        self.page.get_by_role("button", name="File").click()
        self.page.get_by_role("menuitem", name=entry).click()

    def saved(self, entry: str, folder: Path) -> Path:
        """What an entry of the file menu lets the browser save."""
        with self.page.expect_download() as waiting:
            self.menu(entry)
        path: Path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def rested(self) -> None:
        """Wait until what was asked to be drawn is drawn."""
        # Two frames: one that draws, one that shows.
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screen(self) -> NDArray[np.uint8]:
        """The whole window, (h, w, 3), in pixels of the screen."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))

    def shows(self, expected: NDArray[np.uint8], zoom: int = 1) -> bool:
        """Whether the window comes to show a picture (h, w, 3); large changes are drawn over several frames."""
        wanted = expected.repeat(zoom, axis=0).repeat(zoom, axis=1)
        for _ in range(PATIENCE):
            if np.array_equal(self.seen(zoom), wanted):
                return True
            self.page.wait_for_timeout(100)
        return False

    def seen(self, zoom: int = 1) -> NDArray[np.uint8]:
        """The photo as the window shows it, (h, w, 3), without labels over it; every pixel is `zoom` wide."""
        self.page.evaluate("(zoom) => window.layoutbrush.zoomTo(zoom)", zoom)
        self.page.mouse.move(5, 5)
        height, width = self.size()
        x, y = self.at(0, 0)
        self.rested()
        clip = {"x": x - zoom / 2, "y": y - zoom / 2, "width": width * zoom, "height": height * zoom}
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        return np.asarray(shot)


def shown(picture: NDArray[np.uint8], cell: int = 8) -> NDArray[np.uint8]:
    """Straight RGBA (h, w, 4) as it must be seen: on a chequerboard of 255 and 204, rounded once."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width] // cell
    ground = np.where((rows + columns) % 2 == 0, 255, 204)[..., None]
    alpha = picture[..., 3:].astype(np.int64)
    mixed = np.floor((ground * (255 - alpha) + picture[..., :3] * alpha) / 255 + 0.5)
    return mixed.astype(np.uint8)


def made_by_server(address: str, painter: Painter, sources: Sequence[Source] = ()) -> Result:
    """What a server makes of the page's map when the Python client asks. `pixels` (h, w, 3).

    `sources`: what the edit draws from; the page's second photos bear their ids as names.
    """
    height, width = painter.size()
    photo = painter.array("project.photo.pixels").tobytes()
    edited, original = (
        Picture(painter.plane(name).tobytes(), width, height, "GRAY") for name in ("edited", "original")
    )
    exclude = None
    if painter.page.evaluate("() => window.layoutbrush.project().exclude !== null"):
        marks = np.where(painter.array("project.exclude") > 0, 255, 0).astype(np.uint8)
        exclude = Picture(marks.tobytes(), width, height, "GRAY")
    picture = Picture(photo, width, height, "RGBA")
    with Client(address) as client, client.open(picture, original, references=_references(painter)) as document:
        result = document.edit(edited, exclude=exclude, sources=sources).result()
    size = result.picture.height, result.picture.width
    pixels = np.frombuffer(result.picture.data, np.uint8).reshape(*size, 3)
    mask = np.frombuffer(result.mask.data, np.uint8).reshape(size)
    return Result("made", result.picture.x, result.picture.y, pixels, mask)


def _references(painter: Painter) -> list[Reference]:
    """The page's second photos with their label maps."""
    found = painter.page.evaluate(
        "() => window.layoutbrush.project().references.map(({ id, photo }) => [id, photo.width, photo.height])"
    )
    references = []
    for index, (name, width, height) in enumerate(found):
        pixels = painter.array(f"project.references[{index}].photo.pixels").tobytes()
        labels = painter.array(f"project.references[{index}].labels.ids").tobytes()
        photo, label_map = Picture(pixels, width, height, "RGBA"), Picture(labels, width, height, "GRAY")
        references.append(Reference(name, photo, label_map))
    return references

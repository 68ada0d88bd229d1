"""The editor as a painter meets it, in Chromium, against running servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from ..conftest import WebServer
from .conftest import GatedServer, Launch
from .krita_eyes import has_krita, in_krita, patient
from .painter import Painter, Result, made_by_server, shown

Visit = Callable[..., Painter]


def _paint_water(painter: Painter) -> None:
    painter.choose("water")
    painter.stroke((120, 90), (160, 100), (190, 120))


@patient
def test_from_drop_to_export(painter: Visit, web_server: WebServer, photo: Path, tmp_path: Path) -> None:
    """Drop, paint, see the result to the last bit, undo, redo, export."""
    one = painter(web_server.url)
    one.until("state.server === 'online'")
    one.look("start")
    one.drop(photo)
    with Image.open(photo) as opened:
        pixels, profile = np.asarray(opened), opened.info["icc_profile"]
    assert np.array_equal(one.array("project.photo.pixels").reshape(pixels.shape), pixels)
    one.look("opened")
    _paint_water(one)
    one.stroke((64, 40), (62, 36))  # where the photo is clear and half clear, in part
    one.settled()
    one.look("result")

    edited = one.plane("edited")
    assert (edited != one.plane("original")).any()
    (layer,) = one.layers()
    made = made_by_server(web_server.address, one)
    _check_same(layer, made)

    one.press("o")  # labels off
    expected = pixels.copy()
    rows, columns = np.nonzero(made.mask)
    expected[rows + made.y, columns + made.x, :3] = made.pixels[rows, columns]
    expected[rows + made.y, columns + made.x, 3] = 255
    assert np.array_equal(one.composite(), expected)
    assert one.shows(shown(expected))
    assert one.shows(shown(expected), zoom=3)
    one.look("labels_off")

    one.press("Control+z", "Control+z")
    one.until("state.layers.length === 0 && !state.canUndo")
    assert one.shows(shown(pixels))
    one.look("undone")
    one.press("Control+Shift+z", "Control+Shift+z")
    one.until("!state.canRedo")
    one.settled()
    assert np.array_equal(one.composite(), expected)

    picture = one.saved("Export picture (PNG)", tmp_path)
    with Image.open(picture) as found:
        assert np.array_equal(np.asarray(found), expected)
        assert found.info["icc_profile"] == profile
    psd = one.saved("Export layers (PSD)", tmp_path)
    _check_psd(psd, pixels, layer)
    if has_krita():
        photo_layer, result_layer, *_ = in_krita([psd], tmp_path / "krita")[0]
        assert np.array_equal(photo_layer.pixels[pixels[..., 3] > 0], pixels[pixels[..., 3] > 0])
        height, width = layer.mask.shape
        assert np.array_equal(result_layer.pixels[layer.y : layer.y + height, layer.x : layer.x + width], layer.pixels)
        assert result_layer.masks == 1
    with Image.open(one.saved("Export label map (PNG)", tmp_path)) as found:
        assert np.array_equal(np.asarray(found), edited)
    one.look("exported")


def _check_same(layer: Result, made: Result) -> None:
    """What the page holds is what the server made, to the last bit."""
    assert (layer.x, layer.y) == (made.x, made.y)
    assert np.array_equal(layer.pixels[..., :3], made.pixels)
    assert np.array_equal(layer.mask, made.mask)


def _check_psd(path: Path, photo: NDArray[np.uint8], layer: Result) -> None:
    psd_tools = pytest.importorskip("psd_tools")
    psd = psd_tools.PSDImage.open(path)
    labels = ["Layoutbrush original labels", "Layoutbrush labels"]
    assert [part.name for part in psd] == ["a lake.png", layer.name, *labels]
    assert np.array_equal(np.round(psd[0].numpy() * 255).astype(np.uint8), photo)
    result = psd[1]
    assert (result.left, result.top) == (layer.x, layer.y)
    assert np.array_equal(np.round(result.numpy(real_mask=False) * 255).astype(np.uint8), layer.pixels)
    assert np.array_equal(np.asarray(result.mask.topil()), layer.mask)


def test_preview_then_cancel_then_result(painter: Visit, gated_server: GatedServer, photo: Path) -> None:
    """The preview shows while the server works; a cancel reaches it; what was painted stays."""
    editor = gated_server.editor
    one = painter(gated_server.url)
    one.drop(photo)
    _paint_water(one)
    one.until("state.phase === 'warp'")
    one.look("working")
    editor.preview.set()
    one.until("state.preview && state.phase === 'refine' && state.progress === 0.75")
    one.press("o")
    deadline_poll(one, lambda: (one.seen() == (250, 20, 90)).all(axis=2).sum() > 500)
    one.look("preview")
    map_before = one.plane("edited")

    one.page.get_by_role("button", name="Cancel").click()
    one.until("state.phase === 'idle' && !state.preview")
    one.look("cancelled")
    assert one.layers() == []
    assert np.array_equal(one.plane("edited"), map_before)
    deadline_poll(one, lambda: editor.cancelled == editor.started)

    editor.finish.set()
    one.page.get_by_role("button", name="Render now").click()
    one.settled()
    (layer,) = one.layers()
    assert (layer.pixels[layer.mask > 0][:, :3] == (250, 20, 90)).all()
    one.look("result")


def deadline_poll(one: Painter, condition: Callable[[], bool]) -> None:
    """Wait for something outside of the page."""
    for _ in range(2400):
        if condition():
            return
        one.page.wait_for_timeout(50)
    raise AssertionError("it did not come to pass")


def test_newest_stroke_wins(painter: Visit, gated_server: GatedServer, photo: Path) -> None:
    editor = gated_server.editor
    one = painter(gated_server.url)
    one.drop(photo)
    _paint_water(one)
    one.until("state.phase === 'warp'")
    one.choose("tree")
    one.stroke((60, 120), (90, 130))
    editor.preview.set()
    editor.finish.set()
    one.settled()
    assert len(one.layers()) == 1
    final = one.plane("edited")
    assert {1, 4} <= set(np.unique(final))
    assert np.array_equal(editor.requests[-1].edited, final)
    assert editor.finished < editor.started


def test_lost_server(painter: Visit, mortal_server: WebServer, photo: Path, tmp_path: Path) -> None:
    """The server dies; painting and saving go on; it comes back and knows nothing; the page goes on by itself."""
    one = painter(mortal_server.url)
    # A JPEG: for a PNG the page would have fetched already what it needs to save.
    jpeg = tmp_path / "a lake.jpg"
    with Image.open(photo) as picture:
        picture.convert("RGB").save(jpeg)
    one.drop(jpeg)
    _paint_water(one)
    one.settled()
    mortal_server.kill()
    one.choose("tree")
    one.stroke((60, 120), (90, 130))
    one.until("state.server === 'lost'")
    one.look("lost")
    one.page.get_by_text("Your work is safe").wait_for()
    painted = one.plane("edited")
    assert {1, 4} <= set(np.unique(painted))
    assert one.saved("Save project", tmp_path).stat().st_size > 10_000
    assert one.saved("Export layers (PSD)", tmp_path).stat().st_size > 10_000
    mortal_server.start()
    one.until("state.server === 'online'")
    one.settled()
    one.look("back")
    assert np.array_equal(one.plane("edited"), painted)
    (layer,) = one.layers()
    _check_same(layer, made_by_server(mortal_server.address, one))


def test_project_comes_back(painter: Visit, web_server: WebServer, photo: Path, tmp_path: Path) -> None:
    """Saved, opened by another visitor: everything to the last bit. A damaged file says so and changes nothing."""
    one = painter(web_server.url)
    one.drop(photo)
    _paint_water(one)
    one.settled()
    one.page.get_by_role("button", name="Keep").click()
    path = one.saved("Save project", tmp_path)
    assert path.suffix == ".layoutbrush"
    two = painter(web_server.url)
    two.drop(path)
    two.settled()
    two.look("reopened")
    for name in ("original", "edited"):
        assert np.array_equal(one.plane(name), two.plane(name))
    assert np.array_equal(one.composite(), two.composite())
    assert [layer.name for layer in one.layers()] == [layer.name for layer in two.layers()]
    path.write_bytes(path.read_bytes()[:-1000])
    two.drop(path)
    two.page.get_by_role("alert").wait_for()
    two.look("damaged")
    assert np.array_equal(one.composite(), two.composite())


def test_reload_loses_nothing(painter: Visit, web_server: WebServer, photo: Path) -> None:
    one = painter(web_server.url)
    one.drop(photo)
    _paint_water(one)
    one.settled()
    one.until("state.saved !== null")
    before = one.state()["saved"]
    one.choose("road")
    one.stroke((30, 120), (50, 130))
    one.settled()
    one.until(f"state.saved > {before}")
    composite, edited = one.composite(), one.plane("edited")
    one.page.reload()
    one.until("project && !state.opening")
    one.settled()
    assert np.array_equal(one.plane("edited"), edited)
    assert np.array_equal(one.composite(), composite)


def test_keyboard_alone(painter: Visit, web_server: WebServer, photo: Path) -> None:
    """Open, choose a label, paint, undo and export without touching the mouse."""
    one = painter(web_server.url)
    with one.page.expect_file_chooser() as waiting:
        one.press("Control+o")
    waiting.value.set_files(photo)
    one.until("project && !state.opening")
    chosen = one.page.locator('[role=radio][aria-checked="true"]')
    chosen.focus()
    one.press("ArrowRight")
    name = one.page.locator('[role=radio][aria-checked="true"]').get_attribute("aria-label").split(",")[0]
    one.page.get_by_role("application", name="Canvas").focus()
    one.press("ArrowRight", "Enter", *["ArrowRight"] * 4, *["ArrowDown"] * 3, "Enter")
    one.settled()
    one.look("painted")
    labels = one.page.evaluate("() => window.layoutbrush.project().labels.map(({ id, name }) => [id, name])")
    wanted = next(id_ for id_, label in labels if label == name)
    changed = one.plane("edited") != one.plane("original")
    assert changed.any()
    assert set(np.unique(one.plane("edited")[changed])) == {wanted}
    assert len(one.layers()) == 1
    one.press("Control+z")
    one.until("state.layers.length === 0 && !state.canUndo")
    one.press("Control+Shift+z")
    one.settled()
    with one.page.expect_download() as download:
        one.press("Control+e")
    assert download.value.suggested_filename == "a lake-edited.png"


def test_pen_and_touch(painter: Visit, web_server: WebServer, photo: Path) -> None:
    """A pen paints as wide as it is pressed; one finger paints, two fingers zoom and paint nothing."""
    one = painter(web_server.url, has_touch=True, viewport={"width": 1024, "height": 768})
    one.drop(photo)
    one.choose("water")
    wire = one.context.new_cdp_session(one.page)
    touched = [_pen(one, wire, force, y) for force, y in ((0.2, 100), (1.0, 130))]
    assert 0 < touched[0] < touched[1]
    before, steps = one.plane("edited"), one.state()["steps"]
    _fingers(wire, [[one.at(60, 60)], [one.at(80, 60)], [one.at(95, 62)]])
    # The browser may answer for a finger before the page has heard of it.
    one.until(f"state.steps > {steps}")
    one.settled()
    after = one.plane("edited")
    assert (after != before).any()
    zoom = one.state()["zoom"]
    middle = one.at(100, 75)
    spread = [[(middle[0] - by, middle[1]), (middle[0] + by, middle[1])] for by in (30, 60, 90)]
    _fingers(wire, spread)
    one.until(f"state.zoom > {zoom} * 1.5")
    assert np.array_equal(one.plane("edited"), after)
    one.look("tablet")


def _pen(one: Painter, wire: Any, force: float, y: int) -> int:
    """A stroke of a pen; returns how many pixels it changed."""
    before, steps = one.plane("edited"), one.state()["steps"]
    points = [one.at(x, y) for x in (120, 130, 140)]
    for index, (x, y_) in enumerate(points):
        kind = "mousePressed" if index == 0 else "mouseMoved"
        _tip(wire, kind, x, y_, buttons=1, force=force)
    _tip(wire, "mouseReleased", *points[-1])
    one.until(f"state.steps > {steps}")
    one.settled()
    return int((one.plane("edited") != before).sum())


def _tip(wire: Any, kind: str, x: float, y: float, **more: float) -> None:
    place = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, "pointerType": "pen"}
    wire.send("Input.dispatchMouseEvent", {**place, **more})


def _fingers(wire: Any, steps: list[list[tuple[float, float]]]) -> None:
    for index, points in enumerate(steps):
        kind = "touchStart" if index == 0 else "touchMove"
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_pixels_on_a_dense_screen(painter: Visit, launch: Launch, web_server: WebServer, photo: Path) -> None:
    """At 100 % one pixel of the photo is one of the screen's, even where a CSS pixel is one and a half."""
    density = 1.5
    browser = launch(f"--force-device-scale-factor={density}")
    try:
        one = painter(web_server.url, browser, viewport=None, no_viewport=True)
        one.drop(photo)
        _paint_water(one)
        one.settled()
        one.press("o")
        expected = shown(one.composite())
        height, width = expected.shape[:2]
        one.page.evaluate("() => window.layoutbrush.zoomTo(1)")
        one.page.mouse.move(5, 5)
        x, y = one.at(0, 0)
        left, top = round(x * density - 0.5), round(y * density - 0.5)
        part = slice(top, top + height), slice(left, left + width)
        deadline_poll(one, lambda: np.array_equal(one.screen()[part], expected))
        one.look("dense")
    finally:
        browser.close()


def test_photos_of_other_kinds(painter: Visit, web_server: WebServer, tmp_path: Path) -> None:
    """JPEG turned by EXIF and WebP: what the browser decodes is what is stored, with the profile."""
    random = np.random.default_rng(5)
    small = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
    picture = small.resize((160, 117), Image.Resampling.BICUBIC)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", quality=95, exif=exif, icc_profile=profile)
    picture.save(tmp_path / "same.webp", lossless=True, icc_profile=profile)
    one = painter(web_server.url)
    one.drop(tmp_path / "turned.jpg")
    assert one.size() == (160, 117)
    with Image.open(tmp_path / "turned.jpg") as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    found = one.array("project.photo.pixels").reshape(160, 117, 4)[..., :3]
    # Decoders of JPEG may round differently; the server gets what is seen here, so that both have the same numbers.
    assert np.abs(found - wanted).max() <= 3
    assert one.array("project.photo.profile").tobytes() == profile
    one.drop(tmp_path / "same.webp")
    one.until("project.photo.name === 'same.webp'")
    assert np.array_equal(one.array("project.photo.pixels").reshape(117, 160, 4)[..., :3], np.asarray(picture))
    assert one.array("project.photo.profile").tobytes() == profile
    (tmp_path / "note.png").write_bytes(b"no picture at all")
    one.drop(tmp_path / "note.png")
    one.page.get_by_role("alert").wait_for()
    one.page.get_by_text("can't be read as a picture").wait_for()
    one.until("project.photo.name === 'same.webp'")


def test_very_large_photos(painter: Visit, web_server: WebServer, tmp_path: Path) -> None:
    """They are asked about before anything is sent; what the server can't take is refused."""
    Image.new("RGB", (4100, 4000), (40, 90, 160)).save(tmp_path / "large.png")
    Image.new("RGB", (17000, 70), (40, 90, 160)).save(tmp_path / "long.png")
    one = painter(web_server.url)
    one.until("state.server === 'online'")
    sent: list[str] = []
    one.page.on("request", lambda request: sent.append(request.url.rsplit("/", 1)[-1]))
    one.let_go(tmp_path / "large.png")
    question = one.page.get_by_role("dialog")
    question.get_by_text("4100 x 4000").wait_for()
    one.look("question")
    question.get_by_role("button", name="Cancel").click()
    one.until("!project && !state.opening")
    one.let_go(tmp_path / "long.png")
    one.page.get_by_text("at most 16384 a side").wait_for()
    assert not {"OpenDocument", "UploadLayer", "Segment"} & set(sent)


def test_token(painter: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that wants a token is asked with one: typed in, or from the address, where it doesn't stay."""
    monkeypatch.setenv("LAYOUTBRUSH_TOKEN", "let me in")
    server = WebServer("stand-in")
    server.start()
    try:
        one = painter(server.url)
        one.until("state.server === 'denied'")
        one.look("denied")
        one.page.get_by_role("button", name="Enter token").click()
        one.page.get_by_role("textbox", name="Token").fill("let me in")
        one.press("Enter")
        one.until("state.server === 'online'")
        two = painter(f"{server.url}/#token=let%20me%20in")
        two.until("state.server === 'online'")
        assert "token" not in two.page.url
    finally:
        server.kill()


def test_with_the_networks(painter: Visit) -> None:
    """A sample photo and the bundle that ships: what a first-time user does."""
    pytest.importorskip("sklearn", reason="no sample photos: scikit-learn isn't installed")
    server = WebServer("scenes")
    server.start()
    try:
        one = painter(server.url)
        sample = one.page.get_by_role("button", name="Temple by a lake")
        one.until("state.server === 'online'")
        one.page.get_by_role("status").first.wait_for(state="attached")
        if not one.page.evaluate(
            "() => fetch('samples/index.json').then((a) => a.json()).then((j) => j.samples.length)"
        ):
            pytest.skip("no sample photos: scikit-learn isn't installed")
        sample.click()
        one.until("project && !state.opening")
        one.look("opened")
        one.choose("water")
        one.stroke((330, 380), (420, 400), (500, 390))
        one.settled()
        one.look("result")
        (layer,) = one.layers()
        _check_same(layer, made_by_server(server.address, one))
    finally:
        server.kill()

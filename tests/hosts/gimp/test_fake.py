"""The plug-in against a fake of GIMP's API, wherever GIMP isn't: layers, offsets, undo steps, previews, refusals."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.plugin_bridge.host import MaskUse, Server, Session, Wishes
from layoutbrush.plugin_bridge.host.controller import Controller
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

WIDTH, HEIGHT, WATER = 96, 80, 4


def load(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The fake, in the place of `gi`."""
    module = load(Path(__file__).parent / "fake_gimp.py", "fake_gimp")
    for name, found in module.modules().items():
        monkeypatch.setitem(sys.modules, name, found)
    yield module
    del sys.modules["fake_gimp"]


@pytest.fixture
def plugin(fake: Any, repository: Path) -> Iterator[Any]:
    yield load(repository / "plugin_bridge/hosts/gimp/layoutbrush_gimp/gimp_host.py", "gimp_host")
    del sys.modules["gimp_host"]


@pytest.fixture
def editor() -> ScriptedEditor:
    return ScriptedEditor()


@pytest.fixture
def controller(plugin: Any, editor: ScriptedEditor) -> Iterator[Controller]:
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as server:
        controller = Controller(plugin.GimpHost(), Session(channels="RGBA"))
        controller.server = Server(server.address)
        yield controller
        controller.close()


@pytest.fixture
def image(fake: Any) -> Any:
    """A photo whose layer reaches beyond the canvas at the top and leaves it clear on the left."""
    made = fake.Image(WIDTH, HEIGHT)
    photo = fake.Layer.new(made, "photo", WIDTH, HEIGHT + 3, None, 100.0, None)
    photo.buffer.values[:] = np.random.default_rng(1).integers(0, 256, photo.buffer.values.shape, np.uint8)
    photo.buffer.values[..., 3] = 255
    photo.set_offsets(2, -3)
    made.insert_layer(photo, None, 0)
    made.steps.clear()
    fake.IMAGES.append(made)
    return made


def settle(controller: Controller, until: Callable[[], bool] = lambda: False) -> None:
    end = time.monotonic() + 30
    while controller.waiting and not until():
        assert time.monotonic() < end
        controller.tick()
        time.sleep(0.005)


def labelled(controller: Controller, image: Any) -> Any:
    """Find labels and paint a square of water; returns the label layer."""
    key = str(image.get_id())
    controller.segment(key)
    settle(controller)
    assert not controller.status(key).trouble, controller.status(key)
    layer = image.stack[0]
    layer.buffer.values[20:40, 30:50] = [*controller.palette.colors[WATER], 255]
    return layer


def test_photo_is_read_at_its_offset(plugin: Any, image: Any) -> None:
    picture = plugin.GimpHost().photo(str(image.get_id()))
    values = np.frombuffer(picture.data, np.uint8).reshape(HEIGHT, WIDTH, 4)
    assert not values[:, :2].any()
    assert (values[:, 2:] == image.stack[-1].buffer.values[3:, : WIDTH - 2]).all()


def test_labels_are_a_layer_a_palette_and_a_parasite(controller: Controller, image: Any, fake: Any) -> None:
    layer = labelled(controller, image)
    assert (layer.name, layer.opacity, image.chosen) == ("Layoutbrush labels", 50.0, [layer])
    assert [name for name, _ in fake.Palette.made["Layoutbrush"]][:2] == ["sky", "tree"]
    assert "layoutbrush-labels" in image.parasites
    assert image.steps == [["add Layoutbrush labels"]]
    again = labelled(controller, image)
    assert again.name == "Layoutbrush labels 2" and not layer.visible and len(fake.Palette.made) == 1


def test_result_is_one_step_below_the_labels(controller: Controller, image: Any, editor: ScriptedEditor) -> None:
    labels = labelled(controller, image)
    before = image.stack[-1].buffer.values.copy()
    image.steps.clear()
    controller.generate(str(image.get_id()), Wishes(seed=9))
    settle(controller)
    assert [layer.name for layer in image.stack] == ["Layoutbrush labels", "Layoutbrush (seed 9)", "photo"]
    assert len(image.steps) == 1 and image.steps[0][-1] == "add Layoutbrush (seed 9)" and image.depth == 0
    assert image.steps[0][0] == "add Layoutbrush preview"
    assert image.chosen == [labels] and (image.stack[-1].buffer.values == before).all()
    result = image.stack[1]
    pixels = result.buffer.values
    assert set(np.unique(pixels[..., 3])) == {0, 255} and (pixels[pixels[..., 3] == 255] == [9, 9, 9, 255]).all()
    assert (result.mask.values[..., 0] == pixels[..., 3]).all()
    assert result.x <= 30 and result.y <= 20 and result.x + pixels.shape[1] >= 50
    wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
    wanted[HEIGHT // 2 :] = 3
    wanted[20:40, 30:50] = WATER
    assert (editor.requests[-1].edited == wanted).all()


def test_selection_and_exclude_reach_the_server(
    controller: Controller, image: Any, fake: Any, editor: ScriptedEditor
) -> None:
    labelled(controller, image)
    image.marked = np.zeros((HEIGHT, WIDTH), np.uint8)
    image.marked[3:9, 5:12] = 255
    exclude = fake.Layer.new(image, "Layoutbrush exclude", 10, 10, None, 100.0, None)
    exclude.buffer.values[2:4, 2:4] = 255
    exclude.set_offsets(50, 60)
    image.insert_layer(exclude, None, 0)
    controller.generate(str(image.get_id()), Wishes(MaskUse.SELECTION))
    settle(controller)
    request = editor.requests[-1]
    assert request.mask is not None and request.mask.sum() == 6 * 7
    assert request.exclude is not None and request.exclude[62:64, 52:54].all()
    assert request.exclude[:, 2:].sum() == 4, "besides the columns that the photo leaves clear"


def test_cancel_and_failure_take_the_preview_away(controller: Controller, image: Any, editor: ScriptedEditor) -> None:
    labelled(controller, image)
    editor.hold = threading.Event()
    key = str(image.get_id())
    controller.generate(key, Wishes())
    settle(controller, lambda: editor.started > 0)
    controller.cancel(key)
    settle(controller)
    assert controller.status(key).text == "Cancelled."
    assert [layer.name for layer in image.stack] == ["Layoutbrush labels", "photo"] and image.depth == 0


def test_closed_image_is_survived(controller: Controller, image: Any, fake: Any, editor: ScriptedEditor) -> None:
    labelled(controller, image)
    editor.hold = threading.Event()
    controller.generate(str(image.get_id()), Wishes())
    settle(controller, lambda: editor.started > 0)
    fake.IMAGES.remove(image)
    settle(controller)
    assert not controller.waiting


def test_other_kinds_of_images(controller: Controller, plugin: Any, image: Any) -> None:
    key = str(image.get_id())
    image.precision = "HALF_NON_LINEAR"
    assert "8-bit sRGB" in plugin.check_space(image)
    for attribute, value, words in (("base", "GRAY", "RGB images"), ("precision", "U8_LINEAR", "8-bit linear")):
        setattr(image, attribute, value)
        controller.generate(key, Wishes())
        assert controller.status(key).trouble and words in controller.status(key).text
        image.base = "RGB"

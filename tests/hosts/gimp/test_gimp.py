"""The plug-in in GIMP 3 itself, without a window: procedures, layers, pixels, masks, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Client, Picture, Result
from layoutbrush.plugin_bridge.host import Palette, label_layer
from layoutbrush.plugin_bridge.private_server import private_server

if TYPE_CHECKING:
    from tests.hosts.gimp.conftest import GimpHome

WIDTH, HEIGHT, WATER = 257, 193, 4
PAINTED = (slice(91, 134), slice(100, 161))


@pytest.fixture(scope="module")
def server(gimp_home: GimpHome) -> Iterator[str]:
    with private_server("stand-in", 1) as address:
        yield address


@pytest.fixture(scope="module")
def photo(gimp_home: GimpHome) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(gimp_home.path / "photo.png")
    return pixels


@pytest.fixture(scope="module")
def facts(gimp_home: GimpHome, server: str, photo: NDArray[np.uint8]) -> dict[str, Any]:
    """What the script found out; one run of GIMP for all tests here."""
    done = gimp_home.run(
        Path(__file__).parent / "inside_gimp.py",
        SERVER=server,
        PHOTO=gimp_home.inside(gimp_home.path / "photo.png"),
        OUT=gimp_home.inside(gimp_home.path),
    )
    path = gimp_home.path / "facts.json"
    assert path.exists(), done.stderr[-2000:]
    facts: dict[str, Any] = json.loads(path.read_text())
    assert "error" not in facts, facts["error"]
    return facts


@pytest.fixture(scope="module")
def expected(server: str, photo: NDArray[np.uint8]) -> tuple[bytes, Result]:
    """Labels and result of the same edit, asked for by the plain client."""
    opaque = np.dstack([photo, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    with Client(server) as client, client.open(Picture(opaque.tobytes(), WIDTH, HEIGHT, "RGBA")) as document:
        labels = document.segment(store=True).data
        edited = np.frombuffer(labels, np.uint8).reshape(HEIGHT, WIDTH).copy()
        edited[PAINTED] = WATER
        edit = document.edit(Picture.gray(edited.tobytes(), WIDTH, HEIGHT), seed=5, grow=0.1, channels="RGBA")
        return labels, edit.result()


def test_connection_and_palette(facts: dict[str, Any], server: str) -> None:
    assert facts["version"].startswith("3.")
    worked, message = facts["nobody"]
    assert not worked and "127.0.0.1:9" in message and "layoutbrush serve" in message
    assert facts["connection"] == [True, ""]
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    assert facts["palette"] == [len(palette.paints), "water"]
    assert tuple(facts["water"]) == palette.colors[WATER]


def test_label_layer_shows_the_segmentation(
    facts: dict[str, Any], expected: tuple[bytes, Result], gimp_home: GimpHome, server: str
) -> None:
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    assert facts["labels"] == [True, ""] and facts["label_layer"] == ["Layoutbrush labels", 50.0]
    assert (gimp_home.path / "labels.rgba").read_bytes() == label_layer.paint(expected[0], palette, "RGBA")


def test_result_is_the_servers_to_the_last_bit(
    facts: dict[str, Any], expected: tuple[bytes, Result], gimp_home: GimpHome
) -> None:
    _, result = expected
    picture, mask = result.picture, result.mask
    assert facts["generated"] == [True, ""]
    assert facts["result"] == [picture.x, picture.y, picture.width, picture.height, True]
    shown = np.frombuffer((gimp_home.path / "result.rgba").read_bytes(), np.uint8).reshape(HEIGHT, WIDTH, 4)
    wanted = np.zeros_like(shown)
    place = slice(picture.y, picture.y + picture.height), slice(picture.x, picture.x + picture.width)
    wanted[place] = np.frombuffer(picture.data, np.uint8).reshape(picture.shape)
    np.testing.assert_array_equal(shown[..., 3], wanted[..., 3])
    assert 0 < (shown[..., 3] == 255).sum() < WIDTH * HEIGHT
    inside = wanted[..., 3] == 255
    np.testing.assert_array_equal(shown[inside], wanted[inside])
    assert (gimp_home.path / "mask.gray").read_bytes() == mask.data


def test_layers_are_where_they_belong(facts: dict[str, Any]) -> None:
    assert facts["layers"] == ["Layoutbrush labels", "Layoutbrush (seed 5)", "photo"]
    assert facts["photo_untouched"] and facts["selected"] == ["Layoutbrush labels"]
    names = ["Layoutbrush labels", "Layoutbrush (seed 7)", "Layoutbrush (seed 6)", "Layoutbrush (seed 5)", "photo"]
    assert facts["again"] == names and facts["labels_again"]


def test_selection_bounds_or_replaces_the_mask(facts: dict[str, Any]) -> None:
    assert facts["bounded"] == facts["selection"] == [True, 110, 95, 11, 13]


def test_what_can_not_be_rendered_is_told(facts: dict[str, Any]) -> None:
    for name, words in (("without_labels", "no label layer"), ("stray", "#ff000a (81 pixels"), ("gray", "RGB images")):
        worked, message = facts[name]
        assert not worked and words in message
    assert facts["deep"] == [True, "Layoutbrush (seed 9)"]

"""The plug-in inside Krita without a window: layers, pixels, selections, several documents, cancel, other depths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Client, Picture, Result
from layoutbrush.plugin_bridge.commands import edit_file
from layoutbrush.plugin_bridge.commands.layered_edit import open_layered
from layoutbrush.plugin_bridge.host import label_layer
from layoutbrush.plugin_bridge.host.palette import Palette

if TYPE_CHECKING:
    from tests.hosts.krita.conftest import Home, SlowServer

WATER = 4
PAINTED = (slice(91, 134), slice(100, 161))
"""Rows and columns that the script paints with water."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the script writes."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def facts(home: Home, server: str, slow_server: SlowServer, photo: Path, out: Path) -> dict[str, Any]:
    """What the script found out; one run of Krita for all tests here."""
    done = home.run(
        ["kritarunner", "-s", "inside_headless", "-f", "main"],
        QT_QPA_PLATFORM="offscreen",
        PYTHONPATH=f"{home.plugins}:{Path(__file__).parent}",
        SERVER=server,
        SLOW_SERVER=slow_server.address,
        PHOTO=str(photo),
        OUT=str(out),
    )
    return home.facts(out, done)


@pytest.fixture(scope="module")
def expected(server: str, photo: Path) -> tuple[NDArray[np.uint8], Result]:
    """Labels and result of the same edit, asked for by the plain client."""
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGBA"))
    height, width = pixels.shape[:2]
    with Client(server) as client, client.open(Picture(pixels.tobytes(), width, height, "RGBA")) as document:
        labels = np.frombuffer(document.segment(store=True).data, np.uint8).reshape(height, width)
        edited = labels.copy()
        edited[PAINTED] = WATER
        edit = document.edit(Picture.gray(edited.tobytes(), width, height), seed=5, channels="BGRA")
        return labels, edit.result()


def canvas(path: Path, photo: Path, channels: int) -> NDArray[np.uint8]:
    """Pixels that the script wrote, as (H, W, channels)."""
    with Image.open(photo) as image:
        width, height = image.size
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(height, width, channels)


def test_connection_is_told_in_words(facts: dict[str, Any]) -> None:
    text, trouble = facts["nobody"]
    assert trouble and "127.0.0.1:9" in text and "layoutbrush serve" in text
    text, trouble = facts["connection"]
    assert not trouble and "stand-in" in text and "15 labels" in text
    assert facts["names"][WATER] == "water"


def test_label_layer_shows_the_segmentation(
    facts: dict[str, Any], expected: tuple[NDArray[np.uint8], Result], out: Path, photo: Path, server: str
) -> None:
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    labels, _ = expected
    shown = canvas(out / "labels.bgra", photo, 4)
    assert shown.tobytes() == label_layer.paint(labels.tobytes(), palette)
    name, opacity, annotations = facts["label_layer"]
    assert name == "Layoutbrush labels" and 0 < opacity < 255 and annotations == ["layoutbrush/labels"]


def test_result_is_the_servers_to_the_last_bit(
    facts: dict[str, Any], expected: tuple[NDArray[np.uint8], Result], out: Path, photo: Path
) -> None:
    assert facts["status"][0].startswith("Done in") and not facts["status"][1]
    _, result = expected
    shown, selected = canvas(out / "result.bgra", photo, 4), canvas(out / "selection.gray", photo, 1)[..., 0]
    wanted = np.zeros_like(shown)
    mask = np.zeros_like(selected)
    place = (
        slice(result.picture.y, result.picture.y + result.picture.height),
        slice(result.picture.x, result.picture.x + result.picture.width),
    )
    wanted[place] = np.frombuffer(result.picture.data, np.uint8).reshape(result.picture.shape)
    mask[place] = np.frombuffer(result.mask.data, np.uint8).reshape(result.mask.shape[:2])
    assert set(np.unique(mask)) == {0, 255}
    assert not shown[..., 3][mask == 0].any(), "clear outside of the mask"
    assert (shown[..., 3][mask == 255] == 255).all()
    np.testing.assert_array_equal(shown[mask == 255], wanted[mask == 255])
    np.testing.assert_array_equal(selected, mask)
    assert (mask[PAINTED] == 255).all() and (mask == 0).any()


def test_layers_are_where_they_belong(facts: dict[str, Any]) -> None:
    names = [name for name, _, _ in facts["nodes"]]
    assert names == ["Background", "Layoutbrush (seed 5)", "Layoutbrush labels"] or names[1:] == [
        "Layoutbrush (seed 5)",
        "Layoutbrush labels",
    ]
    assert facts["nodes"][1][1:] == ["paintlayer", ["selectionmask"]]
    assert facts["result"][1:] == [255, "normal", True]
    assert facts["photo_untouched"]
    assert len(facts["previews"]) == 2 and len({tuple(bounds) for bounds in facts["previews"]}) == 1


def test_photo_is_the_layer_that_was_chosen(facts: dict[str, Any], out: Path, photo: Path) -> None:
    exact, told, untouched = facts["chosen"]
    assert exact and "gone" in told and untouched
    with Image.open(photo) as image:
        wanted = np.asarray(image.convert("RGBA"))[..., [2, 1, 0, 3]].copy()
    result = canvas(out / "result.bgra", photo, 4)
    wanted[result[..., 3] == 255] = result[result[..., 3] == 255]
    np.testing.assert_array_equal(canvas(out / "everything.bgra", photo, 4), wanted)


def test_previews_come_and_go(facts: dict[str, Any]) -> None:
    assert facts["preview"].index("Layoutbrush preview") == facts["preview"].index("Layoutbrush labels") - 1
    assert facts["dropped"] and facts["made_again"] == [True, 1]


def test_reduced_previews_are_stretched_beyond_the_canvas_too(facts: dict[str, Any]) -> None:
    exact, x, y, width, height = facts["stretched"]
    assert exact and x <= -3 and y <= 7 and x + width >= 5 and y + height >= 13


def test_document_survives_its_file(facts: dict[str, Any]) -> None:
    assert facts["saved"] and facts["nodes_again"] == facts["nodes"] and facts["labels_again"]


def test_labels_found_again_leave_the_painted_ones(facts: dict[str, Any], out: Path) -> None:
    assert facts["refreshed"] == ["Layoutbrush labels 2", "Layoutbrush labels", False, True]
    assert (out / "fresh.bgra").read_bytes() == (out / "labels.bgra").read_bytes()


def test_selection_bounds_or_replaces_the_mask(facts: dict[str, Any]) -> None:
    assert facts["bounded"] == [110, 95, 120, 107]
    assert facts["selected"] == [110, 95, 120, 107]


def test_missing_and_strange_labels_are_told(facts: dict[str, Any]) -> None:
    assert facts["without_labels"][1] and "label layer" in facts["without_labels"][0]
    text, new_layers = facts["stray"]
    assert "#ff00ff" in text and "81 pixels" in text and "10, 12" in text and new_layers == 0


def test_documents_do_not_mix(facts: dict[str, Any]) -> None:
    assert facts["apart"] == ["Layoutbrush (seed 9)", "Layoutbrush (seed 10)"]


def test_large_canvas_is_asked_about(facts: dict[str, Any]) -> None:
    (question,), status, busy = facts["large"]
    assert "9000 x 4000" in question and "36 megapixels" in question
    assert status == "Nothing was sent." and not busy


def test_cancelled_and_closed_in_mid_render(facts: dict[str, Any]) -> None:
    assert "Waiting behind 1 ..." in facts["waiting"]
    text, new_layers, _ = facts["cancelled"]
    assert text == "Cancelled." and new_layers == 0
    assert facts["closed"] == [False, ""]


def test_bytes_pass_through_any_8_bit_profile(facts: dict[str, Any], out: Path) -> None:
    own, new, status = facts["profile"]
    assert own == new == "sRGB-elle-V2-g10.icc" and "sRGB" not in status
    assert (out / "profile.bgra").read_bytes() == (out / "result.bgra").read_bytes()


def test_other_depths_are_converted_or_refused(facts: dict[str, Any]) -> None:
    depths = facts["depths"]
    assert "CMYKA" in depths["CMYKA U8"][0] and len(depths["CMYKA U8"]) == 1
    for name, told in (("RGBA U16", "16-bit RGB"), ("RGBA F32", "32-bit float RGB"), ("GRAYA U8", "8-bit greyscale")):
        _, status, depth, model, own_depth, bounds = depths[name]
        assert told in status and "8-bit sRGB" in status and depth == "U8" and f"{model} {own_depth}" == name
        assert bounds[0] <= 20 and bounds[1] <= 21 and bounds[2] >= 69 and bounds[3] >= 60


@pytest.mark.parametrize("kind", ["psd", "ora"])
def test_layered_files_of_krita_are_edited_and_opened_again(
    kind: str, facts: dict[str, Any], home: Home, server: str, out: Path, tmp_path: Path
) -> None:
    """Krita writes a file, `layoutbrush edit-file` adds a layer, Krita shows it clear outside of its mask."""
    assert facts["exported"] == [True, True]
    source, edited = out / f"layered.{kind}", tmp_path / f"edited.{kind}"
    before = open_layered(source)
    config = edit_file.Config(source, edited, seed=3, name="By file", server=server)
    assert edit_file.run(config) == 0
    file = open_layered(edited)
    photo, new = file.layers[0], file.layers[1]
    assert new.name == "By file" and len(file.layers) == len(before.layers) + 1
    wanted = file.pixels(new)
    if kind == "psd":
        psd_tools = pytest.importorskip("psd_tools", reason="psd-tools is not installed (extra `dev`)")
        layer = psd_tools.PSDImage.open(edited)[1]
        mask = np.zeros(wanted.shape[:2], np.uint8)
        mask[layer.mask.top : layer.mask.bottom, layer.mask.left : layer.mask.right] = np.asarray(layer.mask.topil())
        wanted[..., 3] = mask
    assert 0 < (wanted[..., 3] == 255).sum() < wanted[..., 3].size
    done = home.run(
        ["kritarunner", "-s", "inside_open", "-f", "main"],
        QT_QPA_PLATFORM="offscreen",
        PYTHONPATH=str(Path(__file__).parent),
        FILES=str(edited),
        OUT=str(tmp_path),
    )
    width, height, layers = home.facts(tmp_path, done)[str(edited)]
    assert (width, height) == (file.width, file.height)
    assert [name for name, *_ in layers][:2] == [photo.name, "By file"]
    assert len(layers) == len(file.layers)
    _, _, masks, picture = layers[1]
    shown = np.frombuffer((tmp_path / picture).read_bytes(), np.uint8).reshape(height, width, 4)
    visible = wanted[..., 3] == 255
    assert (shown[..., 3] == wanted[..., 3]).all()
    assert (shown[visible][:, 2::-1] == wanted[visible][:, :3]).all()
    assert masks == (["transparencymask"] if kind == "psd" else [])

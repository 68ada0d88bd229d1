"""`layoutbrush edit-file` end to end: PSD and ORA in, the same with the server's layer out, and what is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge import Client, Picture, Result
from layoutbrush.plugin_bridge.commands import edit_file
from layoutbrush.plugin_bridge.commands.layered_edit import open_layered
from layoutbrush.plugin_bridge.host import Palette
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

WIDTH, HEIGHT = 103, 81
WATER = 4
SQUARE = (slice(30, 55), slice(41, 70))
"""Rows and columns that the label layer has painted with water."""


@pytest.fixture
def editor() -> ScriptedEditor:
    return ScriptedEditor()


@pytest.fixture
def server(editor: ScriptedEditor) -> Iterator[str]:
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as running:
        yield running.address


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    pixels = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def painted(server: str) -> NDArray[np.uint8]:
    """A label layer that is clear but for a square of water."""
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    layer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    layer[SQUARE] = [*palette.colors[WATER], 255]
    return layer


def write_psd(path: Path, layers: dict[str, NDArray[np.uint8]]) -> Path:
    psd_tools = pytest.importorskip("psd_tools", reason="psd-tools is not installed (extra `dev`)")
    image = psd_tools.PSDImage.new("RGBA", (WIDTH, HEIGHT))
    for name, pixels in layers.items():
        image.create_pixel_layer(Image.fromarray(pixels), name=name)
    image.save(path)
    return path


def write_ora(path: Path, layers: dict[str, NDArray[np.uint8]]) -> Path:
    lines = "".join(f'<layer name="{name}" src="data/{name}.png"/>' for name in reversed(layers))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        archive.writestr("stack.xml", f'<image w="{WIDTH}" h="{HEIGHT}"><stack>{lines}</stack></image>')
        for name, pixels in layers.items():
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"data/{name}.png", picture.getvalue())
    return path


WRITERS = {"psd": write_psd, "ora": write_ora}


def edited(server: str, photo: NDArray[np.uint8], seed: int) -> Result:
    """The same edit by the client alone."""
    with Client(server) as client, client.open(Picture(photo.tobytes(), WIDTH, HEIGHT, "RGBA")) as document:
        labels = np.frombuffer(document.segment(store=True).data, np.uint8).reshape(HEIGHT, WIDTH).copy()
        labels[SQUARE] = WATER
        return document.edit(Picture.gray(labels.tobytes(), WIDTH, HEIGHT), seed=seed).result()


@pytest.mark.parametrize("kind", WRITERS)
def test_result_is_the_servers_layer_above_the_photo(
    kind: str, server: str, photo: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = WRITERS[kind](tmp_path / f"in.{kind}", {"photo": photo, "labels": painted(server)})
    before = path.read_bytes()
    out = tmp_path / f"out.{kind}"
    assert edit_file.run(edit_file.Config(path, out, seed=200, name="New", server=server)) == 0
    assert 'new layer "New"' in capsys.readouterr().out
    assert path.read_bytes() == before
    file = open_layered(out)
    assert [layer.name for layer in file.layers] == ["photo", "New", "labels"]
    assert (file.pixels(file.layers[0]) == photo).all()
    result = edited(server, photo, 200)
    picture, mask = (np.frombuffer(part.data, np.uint8).reshape(part.shape) for part in (result.picture, result.mask))
    rows = slice(result.picture.y, result.picture.y + result.picture.height)
    columns = slice(result.picture.x, result.picture.x + result.picture.width)
    new = file.pixels(file.layers[1])
    assert (new[rows, columns, :3] == picture[..., :3]).all()
    outside = new.copy()
    outside[rows, columns] = 0
    assert not outside.any()
    if kind == "ora":
        assert (new[rows, columns, 3] == mask[..., 0]).all()


def test_psd_layer_bears_the_servers_mask(server: str, photo: NDArray[np.uint8], tmp_path: Path) -> None:
    path = write_psd(tmp_path / "in.psd", {"photo": photo, "labels": painted(server)})
    assert edit_file.run(edit_file.Config(path, path, server=server)) == 0, "the file itself may be the one to write"
    psd_tools = pytest.importorskip("psd_tools")
    layer = psd_tools.PSDImage.open(path)[1]
    result = edited(server, photo, 0)
    place = (result.mask.x, result.mask.y, result.mask.x + result.mask.width, result.mask.y + result.mask.height)
    assert layer.mask.bbox == layer.bbox == place
    assert np.asarray(layer.mask.topil()).tobytes() == result.mask.data


def test_masks_and_other_layers_reach_the_server(
    server: str, editor: ScriptedEditor, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    mask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    mask[10:60, 20:90] = [255, 255, 255, 255]
    mask[10:20, 20:90] = [0, 0, 0, 255]
    exclude = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    exclude[5:9, 5:9] = [1, 2, 3, 200]
    layers = {"photo": photo, "labels": painted(server), "mask": mask, "Exclude": exclude}
    path = write_psd(tmp_path / "in.psd", layers)
    assert edit_file.run(edit_file.Config(path, tmp_path / "o.psd", bound=True, grow=0.0, server=server)) == 0
    request = editor.requests[-1]
    assert request.mask is not None and request.exclude is not None
    assert request.mask.sum() == 40 * 70 and request.exclude.sum() == 16
    layout = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    with Client(server) as client:
        layout[:] = [*Palette.of(client.info().bundle.labels).colors[2], 255]
    path = write_ora(tmp_path / "in.ora", {"photo": photo, "layout": layout, "labels": painted(server)})
    assert edit_file.run(edit_file.Config(path, tmp_path / "o.ora", server=server)) == 0
    assert set(np.unique(editor.requests[-1].edited)) == {2, WATER}, "clear pixels have the layout's label"


@pytest.mark.parametrize(
    ("names", "flags", "told"),
    [
        (["photo"], {}, "--labels: in.psd has no layer"),
        (["photo", "labels"], {"labels": "paint"}, '--labels: in.psd has no layer named "paint". It has "photo"'),
        (["photo", "noise"], {"labels": "noise"}, "--labels: in.psd: The label layer holds colours of no label: #"),
        (["photo", "labels"], {"out": "out.ora"}, "--out: out.ora must be of the same kind as in.psd"),
        (["photo", "labels"], {"grow": 3.0}, "--grow is 0 to 1"),
        (["photo", "unpainted"], {"labels": "unpainted"}, "nothing to change"),
    ],
)
def test_refusals_name_the_layer_or_flag(
    names: list[str],
    flags: dict[str, object],
    told: str,
    server: str,
    photo: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pixels = {"photo": photo, "labels": painted(server), "noise": photo, "unpainted": np.zeros_like(photo)}
    path = write_psd(tmp_path / "in.psd", {name: pixels[name] for name in names})
    out = tmp_path / str(flags.pop("out", "out.psd")) if "out" in flags else tmp_path / "out.psd"
    assert edit_file.run(edit_file.Config(path, out, server=server, **flags)) == 1  # type: ignore[arg-type]
    assert told in capsys.readouterr().err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in.psd"], "nothing half written"


def test_a_private_server_is_started(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    mask[10:40, 20:60] = 255
    path = write_ora(tmp_path / "in.ora", {"photo": photo, "mask": mask})
    assert edit_file.run(edit_file.Config(path, tmp_path / "out.ora", bundle="stand-in", threads=1)) == 0
    file = open_layered(tmp_path / "out.ora")
    assert [layer.name for layer in file.layers] == ["photo", "Layoutbrush", "mask"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_reference_layer_is_drawn_from_where_it_lies(
    kind: str, tmp_path: Path, server: str, editor: ScriptedEditor, photo: NDArray[np.uint8]
) -> None:
    other = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    other[:, :20, 3] = 0
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    labels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    labels[40:] = [*palette.colors[WATER], 255]
    layers = {"photo": photo, "reference": other, "reference layout": labels, "labels": painted(server)}
    file, out = WRITERS[kind](tmp_path / f"in.{kind}", layers), tmp_path / f"out.{kind}"
    assert edit_file.run(edit_file.Config(file, out, server=server)) == 0
    (source,) = editor.requests[-1].sources
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[SQUARE] = True
    assert source.region is not None
    assert source.source_region is not None
    assert np.array_equal(source.region, region)
    assert source.place == Bounds(0, 0, WIDTH, HEIGHT)
    assert np.array_equal(source.source_region, other[..., 3] > 0)
    reference = editor.requests[-1].references["1"]
    assert set(np.unique(reference.layout[:40])) == {255}
    assert set(np.unique(reference.layout[40:])) == {WATER}
    assert edit_file.run(edit_file.Config(file, out, take=("sky:1:water",), server=server)) == 0
    (source,) = editor.requests[-1].sources
    assert (source.label, source.source_label) == (0, WATER)


def test_take_without_a_reference_layer_is_refused(
    tmp_path: Path, server: str, photo: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_ora(tmp_path / "in.ora", {"photo": photo, "labels": painted(server)})
    config = edit_file.Config(file, tmp_path / "out.ora", take=("sky",), server=server)
    assert edit_file.run(config) == 1
    assert "--take: 'sky' asks for reference 1, there is none" in capsys.readouterr().err

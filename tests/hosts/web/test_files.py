"""Files between the page and other programs: what Pillow writes is read exactly, what the page writes others read."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ..conftest import run_tool
from .krita_eyes import in_krita, patient

KINDS = ("opaque", "clear")


def _write_pngs(folder: Path) -> None:
    """PNGs of every kind that Pillow writes, each with the RGBA that it means."""
    random = np.random.default_rng(3)
    grey = random.integers(0, 256, (13, 11), np.uint8)
    colour = random.integers(0, 256, (13, 11, 4), np.uint8)
    deep = random.integers(0, 65536, (13, 11), np.uint16)
    pictures = {
        "grey": Image.fromarray(grey),
        "grey_alpha": Image.fromarray(colour[..., :2].copy(), "LA"),
        "rgb": Image.fromarray(colour[..., :3].copy()),
        "rgba": Image.fromarray(colour),
        "palette": Image.fromarray(colour[..., :3].copy()).quantize(7),
        "bits": Image.fromarray(grey > 100),
    }
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
        (folder / f"{name}.rgba").write_bytes(picture.convert("RGBA").tobytes())
    # Pillow's own conversion of 16 bit clips; the upper byte is what is meant.
    Image.fromarray(deep).save(folder / "deep.png")
    upper = (deep >> 8).astype(np.uint8)
    (folder / "deep.rgba").write_bytes(np.dstack([upper] * 3 + [np.full_like(upper, 255)]).tobytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures["rgb"].save(folder / "turned.png", exif=exif)
    upright = pictures["rgb"].transpose(Image.Transpose.ROTATE_270)
    (folder / "turned.rgba").write_bytes(upright.convert("RGBA").tobytes())


@pytest.fixture(scope="module")
def exchange(node_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's code has read what Pillow wrote, and left its exports."""
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "read").mkdir()
    _write_pngs(folder / "read")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (folder / "read" / "profile.icc").write_bytes(profile)
    done = run_tool([str(node_tools / "vitest"), "run", "test/io/exchange.test.ts"], LAYOUTBRUSH_EXCHANGE=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@dataclass(frozen=True)
class Expected:
    """A layer as the page has it. `pixels` (h, w, 4) straight; `mask` (h, w) or None."""

    name: str
    x: int
    y: int
    visible: bool
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None

    @property
    def masked(self) -> NDArray[np.uint8]:
        """The pixels with the mask as their alpha."""
        if self.mask is None:
            return self.pixels
        return np.dstack([self.pixels[..., :3], self.mask])


def _array(path: Path, *shape: int) -> NDArray[np.uint8]:
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(shape)


def _stack(folder: Path) -> list[Expected]:
    layers = []
    for index, layer in enumerate(json.loads((folder / "stack.json").read_text())):
        box = layer["bounds"]
        size = box["height"], box["width"]
        mask = _array(folder / f"{index}.mask", *size) if layer["masked"] else None
        pixels = _array(folder / f"{index}.rgba", *size, 4)
        layers.append(Expected(layer["name"], box["x"], box["y"], layer["visible"], pixels, mask))
    return layers


def _rgba(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("RGBA"))


@pytest.mark.parametrize("kind", KINDS)
def test_png_is_the_canvas(exchange: Path, kind: str) -> None:
    folder = exchange / kind
    with Image.open(folder / "project.png") as picture:
        assert np.array_equal(_rgba(picture), _array(folder / "composite.rgba", 23, 37, 4))
        assert picture.info["icc_profile"] == (folder / "profile.icc").read_bytes()


def test_label_map_holds_ids(exchange: Path) -> None:
    with Image.open(exchange / "opaque" / "labels.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), _array(exchange / "opaque" / "labels.ids", 23, 37))


@pytest.mark.parametrize("kind", KINDS)
def test_psd_in_psd_tools(exchange: Path, kind: str) -> None:
    psd_tools = pytest.importorskip("psd_tools")
    folder = exchange / kind
    psd = psd_tools.PSDImage.open(folder / "project.psd")
    assert psd.size == (37, 23)
    assert bytes(psd.image_resources.get_data(1039)) == (folder / "profile.icc").read_bytes()
    stack = _stack(folder)
    assert [layer.name for layer in psd] == [layer.name for layer in stack]
    for layer, expected in zip(psd, stack, strict=True):
        assert (layer.left, layer.top, layer.visible) == (expected.x, expected.y, expected.visible)
        found = np.round(layer.numpy(real_mask=False) * 255).astype(np.uint8)
        assert np.array_equal(found, expected.pixels), layer.name
        assert layer.has_mask() == (expected.mask is not None)
        if expected.mask is not None:
            assert (layer.mask.left, layer.mask.top) == (expected.x, expected.y)
            assert np.array_equal(np.asarray(layer.mask.topil()), expected.mask)
    if kind == "opaque":
        merged = np.round(psd.numpy() * 255).astype(np.uint8)[..., :3]
        assert np.array_equal(merged, _array(folder / "composite.rgba", 23, 37, 4)[..., :3])


@pytest.mark.parametrize("kind", KINDS)
def test_ora_is_a_zip_of_png(exchange: Path, kind: str) -> None:
    folder = exchange / kind
    with zipfile.ZipFile(folder / "project.ora") as archive:
        assert archive.testzip() is None
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
        root = ElementTree.fromstring(archive.read("stack.xml"))
        assert (root.get("w"), root.get("h")) == ("37", "23")
        # From the top down; masks follow as layers of their own.
        layers = [layer for layer in root.iter("layer") if "mask" not in layer.attrib["src"]][::-1]
        for layer, expected in zip(layers, _stack(folder), strict=True):
            assert layer.get("name") == expected.name
            assert (layer.get("x"), layer.get("y")) == (str(expected.x), str(expected.y))
            with archive.open(layer.attrib["src"]) as data:
                assert np.array_equal(_rgba(Image.open(data)), expected.masked)
        with archive.open("mergedimage.png") as data:
            assert np.array_equal(_rgba(Image.open(data)), _array(folder / "composite.rgba", 23, 37, 4))


def test_ora_in_pyora(exchange: Path) -> None:
    pyora = pytest.importorskip("pyora")
    project = pyora.Project.load(str(exchange / "opaque" / "project.ora"))
    layers = [layer for layer in project.children if not layer.name.endswith(" mask")][::-1]
    for layer, expected in zip(layers, _stack(exchange / "opaque"), strict=True):
        assert (layer.name, tuple(layer.offsets)) == (expected.name, (expected.x, expected.y))


@patient
def test_krita_reads_both(exchange: Path, tmp_path: Path) -> None:
    files = [exchange / kind / f"project.{ending}" for kind in KINDS for ending in ("psd", "ora")]
    for file, seen in zip(files, in_krita(files, tmp_path), strict=True):
        stack = _stack(file.parent)
        layers = [layer for layer in seen if not layer.name.endswith(" mask")]
        assert [layer.name for layer in layers] == [layer.name for layer in stack], file
        for layer, expected in zip(layers, stack, strict=True):
            assert layer.visible == expected.visible
            assert layer.pixels.shape == (23, 37, 4)
            height, width = expected.pixels.shape[:2]
            found = layer.pixels[expected.y : expected.y + height, expected.x : expected.x + width]
            # Krita keeps a PSD's mask as a mask; in an ORA it is the alpha.
            wanted = expected.pixels if file.suffix == ".psd" else expected.masked
            assert np.array_equal(found[..., 3], wanted[..., 3]), (file, expected.name)
            opaque = wanted[..., 3] > 0
            assert np.array_equal(found[opaque], wanted[opaque]), (file, expected.name)
            if file.suffix == ".psd":
                assert layer.masks == (1 if expected.mask is not None else 0)

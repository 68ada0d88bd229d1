"""PSD and ORA files: what is read, what a layer more leaves as it was, and what is refused."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from layoutbrush.plugin_bridge.commands import layered
from layoutbrush.plugin_bridge.commands.files import FileProblem
from layoutbrush.plugin_bridge.commands.layered import NewLayer, choose
from layoutbrush.plugin_bridge.commands.layered_edit import open_layered
from layoutbrush.plugin_bridge.commands.ora import OraFile
from layoutbrush.plugin_bridge.commands.psd import PsdFile

psd_tools = pytest.importorskip("psd_tools", reason="psd-tools is not installed (extra `dev`)")

WIDTH, HEIGHT = 101, 77
ICC = 1039


def noise(height: int, width: int, seed: int, opaque: bool = True) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[: height // 2, : width // 2] = [10, 20, 30, 255]  # something to pack
    if opaque:
        pixels[..., 3] = 255
    return pixels


STRIPES = np.tile(np.array([0, 255, 255, 0] * 5, np.uint8)[:17], (13, 1))
NEW = NewLayer("Über 1", noise(13, 17, 9)[..., :3], STRIPES, 31, -4)


def psd_bytes(compression: int = 1, groups: bool = True, profile: bytes = b"") -> bytes:
    """A PSD of psd-tools: photo, a clipped layer on it, a group with a masked layer, a half-transparent one on top."""
    from psd_tools.constants import BlendMode, Compression

    image = psd_tools.PSDImage.new("RGBA", (WIDTH, HEIGHT))
    packing = Compression(compression)

    def add(name: str, pixels: NDArray[np.uint8], **more: Any) -> Any:
        return image.create_pixel_layer(Image.fromarray(pixels), name=name, compression=packing, **more)

    add("photo", noise(HEIGHT, WIDTH, 1))
    add("shade", noise(20, 30, 2, False), top=5, left=6).clipping = True
    masked = add("masked é", noise(40, 41, 3, False), top=50, left=70, opacity=99)
    masked.create_mask(Image.fromarray(noise(40, 41, 4)[..., 0]))
    masked.blend_mode = BlendMode.MULTIPLY
    if groups:
        image.create_group([masked], name="group")
    hidden = add("labels", noise(30, 30, 5, False), top=-7, left=-9)
    hidden.visible = False
    if profile:
        image.image_resources[ICC] = psd_tools.psd.image_resources.ImageResource(key=ICC, data=profile)
    out = io.BytesIO()
    image.save(out)
    return out.getvalue()


def opened(data: bytes) -> Any:
    """A PSD in psd-tools' eyes."""
    return psd_tools.PSDImage.open(io.BytesIO(data))


def ora_bytes(space: str = "\n  ", profile: bytes | None = None, kept: str = "<!-- kept -->") -> bytes:
    """An ORA with three layers and everything that others write besides."""
    layers = {"top é": (noise(20, 21, 5, False), 60, -3), "labels": (noise(30, 30, 6, False), 5, 6)}
    layers["photo"] = (noise(HEIGHT, WIDTH, 7), 0, 0)
    lines = "".join(
        f'{space}<layer composite-op="svg:src-over" name="{name}" opacity="0.5" src="data/{i}.png" x="{x}" y="{y}"/>'
        for i, (name, (_, x, y)) in enumerate(layers.items())
    )
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n{kept}\n<image w='{WIDTH}' h='{HEIGHT}'>"
    xml = f"{head}<stack>{lines}</stack></image>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "image/openraster", zipfile.ZIP_STORED)
        for i, (pixels, _, _) in enumerate(layers.values()):
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG", icc_profile=profile)
            archive.writestr(f"data/{i}.png", picture.getvalue(), zipfile.ZIP_STORED if i else zipfile.ZIP_DEFLATED)
        archive.writestr("stack.xml", xml)
        archive.writestr("Thumbnails/thumbnail.png", b"not looked at")
        archive.comment = b""
    return out.getvalue()


@pytest.mark.parametrize("compression", [0, 1, 2, 3])
def test_psd_pixels_are_read_whatever_their_packing(compression: int) -> None:
    data = psd_bytes(compression)
    file = PsdFile(data, "a.psd")
    assert [layer.name for layer in file.layers] == ["photo", "shade", "masked é", "labels"]
    assert [layer.visible for layer in file.layers] == [True, True, True, False]
    theirs = [layer for layer in opened(data).descendants() if layer.kind == "pixel"]
    for mine, layer in zip(file.layers, theirs, strict=True):
        whole = Image.new("RGBA", (WIDTH, HEIGHT))
        whole.paste(layer.topil().convert("RGBA"), (layer.left, layer.top))
        found = file.pixels(mine)
        np.testing.assert_array_equal(found, np.asarray(whole))
    assert (file.pixels(file.layers[0]) == noise(HEIGHT, WIDTH, 1)).all()


@pytest.mark.parametrize("groups", [False, True])
def test_psd_with_a_layer_more_keeps_every_other_byte(groups: bool) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = psd_bytes(groups=groups, profile=profile)
    file = PsdFile(data, "a.psd")
    more = file.with_layer(NEW, file.layers[0])
    before, after = opened(data), opened(more)
    old = list(before._record.layer_and_mask_information.layer_info.layer_records)
    new = list(after._record.layer_and_mask_information.layer_info.layer_records)
    assert len(new) == len(old) + 1
    added = next(i for i, record in enumerate(new) if record.name == "?ber 1")
    assert added == 2, "above the photo and what is clipped to it"
    rest = new[:added] + new[added + 1 :]
    assert [record.tobytes() for record in rest] == [record.tobytes() for record in old]
    pixels = list(after._record.layer_and_mask_information.layer_info.channel_image_data)
    kept = list(before._record.layer_and_mask_information.layer_info.channel_image_data)
    assert [channels.tobytes() for channels in pixels[:added] + pixels[added + 1 :]] == [c.tobytes() for c in kept]
    assert after._record.image_resources.tobytes() == before._record.image_resources.tobytes()
    assert after._record.image_data.tobytes() == before._record.image_data.tobytes()
    assert after.image_resources[ICC].data == profile
    tail = before._record.layer_and_mask_information
    assert after._record.layer_and_mask_information.tagged_blocks == tail.tagged_blocks
    assert data[: file._section_at] == more[: file._section_at], "header, colours and resources, byte for byte"
    assert data[file._section_end :] == more[len(more) - (len(data) - file._section_end) :]
    for record in file._records:
        assert data[record.start : record.end] in more and data[record.data_start : record.data_end] in more


def test_psd_layer_is_what_was_given() -> None:
    data = psd_bytes()
    file = PsdFile(data, "a.psd")
    (layer,) = [x for x in opened(file.with_layer(NEW, file.layers[0])).descendants() if x.name == "Über 1"]
    assert layer.bbox == (31, -4, 48, 9) and layer.visible and layer.opacity == 255
    np.testing.assert_array_equal(np.asarray(layer.topil().convert("RGB")), NEW.pixels)
    np.testing.assert_array_equal(np.asarray(layer.mask.topil()), NEW.mask)
    again = PsdFile(file.with_layer(NEW, file.layers[0]), "b.psd")
    twice = PsdFile(again.with_layer(NEW, again.layers[0]), "c.psd")
    assert [x.name for x in twice.layers].count("Über 1") == 2
    (mine, _) = [x for x in twice.layers if x.name == "Über 1"]
    assert (twice.pixels(mine)[:9, 31:48, :3] == NEW.pixels[4:]).all()


def test_psb_is_psd_with_longer_lengths() -> None:
    """No writer of PSB at hand keeps layers simple enough, so that one is made from a PSD here."""
    wide = as_psb(psd_bytes(0, groups=False))
    file = PsdFile(wide, "a.psb")
    assert [layer.name for layer in file.layers] == ["photo", "shade", "masked é", "labels"]
    assert (file.pixels(file.layers[0]) == noise(HEIGHT, WIDTH, 1)).all()
    more = opened(file.with_layer(NEW, file.layers[0]))
    assert [x.name for x in more] == ["photo", "shade", "Über 1", "masked é", "labels"]
    assert np.array_equal(np.asarray(more[0].topil().convert("RGBA")), noise(HEIGHT, WIDTH, 1))


def as_psb(data: bytes) -> bytes:
    """The same file as PSB, by psd-tools' records."""
    image = opened(data)
    record = image._record
    record.header.version = 2
    pieces = io.BytesIO()
    record.write(pieces)
    return pieces.getvalue()


@pytest.mark.parametrize("space", ["\n  ", ""])
def test_ora_with_a_layer_more_keeps_every_other_byte(space: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = ora_bytes(space, profile)
    file = OraFile(data, "a.ora")
    assert [layer.name for layer in file.layers] == ["photo", "labels", "top é"]
    assert (file.pixels(file.layers[0]) == noise(HEIGHT, WIDTH, 7)).all()
    assert (file.pixels(file.layers[2])[:17, 60:81] == noise(20, 21, 5, False)[3:]).all()
    more = file.with_layer(NEW, file.layers[0])
    before, after = zipfile.ZipFile(io.BytesIO(data)), zipfile.ZipFile(io.BytesIO(more))
    with before, after:
        assert after.testzip() is None
        assert after.namelist() == [*before.namelist(), "data/layoutbrush1.png"]
        assert after.infolist()[0].filename == "mimetype" and more[30:54] == b"mimetypeimage/openraster"
        for info in before.infolist():
            if info.filename != "stack.xml":
                mine = after.getinfo(info.filename)
                assert after.read(mine) == before.read(info)
                packed = data[info.header_offset : info.header_offset + 30 + info.compress_size]
                assert more[mine.header_offset : mine.header_offset + len(packed)] == packed
                assert (mine.date_time, mine.compress_type) == (info.date_time, info.compress_type)
        stack = after.read("stack.xml").decode()
        without = re.sub(r'<layer name="Über 1"[^>]*/>\s*', "", stack)
        assert without == before.read("stack.xml").decode()
        with Image.open(io.BytesIO(after.read("data/layoutbrush1.png"))) as picture:
            assert picture.info["icc_profile"] == profile
            np.testing.assert_array_equal(np.asarray(picture), np.dstack([NEW.pixels, NEW.mask]))
    again = OraFile(more, "b.ora")
    assert [layer.name for layer in again.layers] == ["photo", "Über 1", "labels", "top é"]
    assert "data/layoutbrush2.png" in zipfile.ZipFile(io.BytesIO(again.with_layer(NEW, again.layers[0]))).namelist()


@pytest.mark.parametrize("make", [psd_bytes, ora_bytes])
def test_damaged_files_are_refused_and_nothing_else(make: Callable[[], bytes]) -> None:
    """Cut anywhere, and with random bytes changed: either it reads, or one sentence says that it doesn't."""
    data = make()
    kind = PsdFile if make is psd_bytes else OraFile
    random = np.random.default_rng(1)
    for case in range(150):
        broken = bytearray(data)
        if case % 2:
            broken = broken[: int(random.integers(0, len(data)))]
        else:
            for place in random.integers(0, min(len(data), 3000), 3):
                broken[place] = int(random.integers(0, 256))
        with contextlib.suppress(FileProblem):
            file = kind(bytes(broken), "x")
            for layer in file.layers:
                file.pixels(layer)
            if file.layers:
                file.with_layer(NEW, file.layers[0])


def test_other_kinds_are_refused_by_name(tmp_path: Path) -> None:
    for mode, depth, words in (("CMYK", 8, "CMYK with 8 bits"), ("RGB", 16, "RGB with 16 bits"), ("L", 8, "greyscale")):
        out = io.BytesIO()
        psd_tools.PSDImage.new(mode, (64, 64), depth=depth).save(out)
        with pytest.raises(FileProblem, match=words):
            PsdFile(out.getvalue(), "a.psd")
    out = io.BytesIO()
    psd_tools.PSDImage.new("RGB", (64, 64)).save(out)
    with pytest.raises(FileProblem, match="no layers"):
        PsdFile(out.getvalue(), "a.psd")
    deep = ora_bytes()
    start = deep.index(b"\x89PNG", deep.index(b"data/1.png"))
    deep = deep[: start + 24] + b"\x10" + deep[start + 25 :]
    file = OraFile(deep, "a.ora")
    with pytest.raises(FileProblem, match=r"16 bits|damaged"):
        file.pixels(file.layers[1])
    with pytest.raises(FileProblem, match="document type"):
        OraFile(ora_bytes(kept="<!DOCTYPE image>"), "a.ora")
    for name, content, words in (("a.psd", b"GIF89a", "neither"), ("b.ora", b"PK..", "no OpenRaster")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileProblem, match=words):
            open_layered(tmp_path / name)
    with pytest.raises(FileProblem, match="There is no file"):
        open_layered(tmp_path / "c.psd")


def test_layers_are_chosen_by_name_or_flag() -> None:
    file = PsdFile(psd_bytes(), "a.psd")
    path = Path("a.psd")
    parts = choose(file, path, {})
    assert {role: layer.name for role, layer in parts.items()} == {"photo": "photo", "labels": "labels"}
    parts = choose(file, path, {"photo": "SHADE ", "mask": "masked É"})
    assert {role: layer.name for role, layer in parts.items()} == {
        "photo": "shade",
        "labels": "labels",
        "mask": "masked é",
    }
    with pytest.raises(FileProblem, match=r'--labels: a.psd has no layer named "paint". It has "photo", "shade"'):
        choose(file, path, {"labels": "paint"})
    assert choose(file, path, {"labels": "photo"})["photo"].name == "shade", "a layer has one part"


def test_layers_beyond_the_canvas_are_cut() -> None:
    pixels = noise(4, 6, 1)
    whole = layered.on_canvas(pixels, layered.Place(-2, 8, 6, 4), 7, 10)
    assert whole.shape == (10, 7, 4) and (whole[8:, :4] == pixels[:2, 2:]).all() and not whole[:8].any()
    assert not layered.on_canvas(pixels, layered.Place(70, 0, 6, 4), 7, 10).any()

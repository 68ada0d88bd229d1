"""Picture files of the commands: kinds that work work as a user expects, others are refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.commands.files import (
    FileProblem,
    Photo,
    check_output,
    check_size,
    read_labels,
    read_mask,
    read_photo,
    write_png,
)

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (20, 30, 4), np.uint8)


def saved(folder: Path, image: Image.Image, name: str = "x.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def deep_png(path: Path) -> Path:
    """A PNG of 2 x 1 pixels, RGB with 16 bits a channel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + bytes(12))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_common_modes_become_rgb_and_keep_alpha(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(PIXELS if "A" in mode else PIXELS[..., :3]).convert(mode)
    photo = read_photo(saved(tmp_path, image))
    np.testing.assert_array_equal(photo.colors, np.asarray(image.convert("RGB")))
    assert (photo.alpha is not None) == (mode in ("RGBA", "LA"))
    if mode == "RGBA":
        np.testing.assert_array_equal(photo.pixels, PIXELS)


def test_palette_with_a_clear_colour_has_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[..., 0] % 4).convert("P")
    photo = read_photo(saved(tmp_path, image, transparency=0))
    assert photo.alpha is not None
    assert set(np.unique(photo.alpha)) == {0, 255}


def test_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    photo = read_photo(saved(tmp_path, image, exif=exif.tobytes()))
    np.testing.assert_array_equal(photo.colors, np.rot90(PIXELS[..., :3], -1))


def test_colour_profile_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(PIXELS[..., :3]), icc_profile=b"a profile")
    photo = read_photo(path)
    write_png(tmp_path / "y.png", photo.pixels, photo.profile)
    with Image.open(tmp_path / "y.png") as image:
        assert image.info["icc_profile"] == b"a profile"


def test_deep_pictures_are_refused_by_name(tmp_path: Path) -> None:
    grey = saved(tmp_path, Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)), "grey.png")
    for path in (deep_png(tmp_path / "deep.png"), grey):
        with pytest.raises(FileProblem, match=rf"{path.name} has more than 8 bits"):
            read_photo(path)
    with pytest.raises(FileProblem, match="8-bit channel"):
        read_labels(grey)
    with pytest.raises(FileProblem, match="more than 8 bits"):
        read_mask(grey)


def test_cmyk_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(PIXELS[..., :3]).convert("CMYK"), "x.jpg")
    with pytest.raises(FileProblem, match=r"x\.jpg is a CMYK picture"):
        read_photo(path)


def test_broken_and_absent_files_are_named(tmp_path: Path) -> None:
    whole = saved(tmp_path, Image.fromarray(PIXELS[..., :3])).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.png").write_bytes(b"not a picture")
    with pytest.raises(FileProblem, match="damaged or truncated"):
        read_photo(tmp_path / "half.png")
    with pytest.raises(FileProblem, match="not a picture of a known kind"):
        read_photo(tmp_path / "none.png")
    with pytest.raises(FileProblem, match="There is no file"):
        read_photo(tmp_path / "gone.png")
    with pytest.raises(FileProblem, match="is a folder"):
        read_photo(tmp_path)


def test_label_maps_are_read_by_id(tmp_path: Path) -> None:
    ids = RANDOM.integers(0, 15, (20, 30), np.uint8)
    palette = Image.fromarray(ids).convert("P")
    palette.putpalette([255 - value // 3 for value in range(768)])
    palette.putdata(list(ids.ravel()))
    np.testing.assert_array_equal(read_labels(saved(tmp_path, Image.fromarray(ids), "l.png")), ids)
    np.testing.assert_array_equal(read_labels(saved(tmp_path, palette, "p.png")), ids)
    with pytest.raises(FileProblem, match="no label map"):
        read_labels(saved(tmp_path, Image.fromarray(PIXELS[..., :3]), "rgb.png"))


def test_masks_are_half_white(tmp_path: Path) -> None:
    grey = RANDOM.integers(0, 256, (20, 30), np.uint8)
    np.testing.assert_array_equal(read_mask(saved(tmp_path, Image.fromarray(grey))), grey >= 128)


def test_sizes_are_compared_and_named() -> None:
    photo = Photo(PIXELS[..., :3])
    check_size(np.zeros((20, 30)), photo, "--mask")
    with pytest.raises(FileProblem, match=r"--mask is 20 x 30 pixels, the photo \(upright\) is 30 x 20"):
        check_size(np.zeros((30, 20)), photo, "--mask")


def test_results_are_png_and_whole(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="PNG"):
        check_output(tmp_path / "x.jpg")
    write_png(tmp_path / "new" / "x.PNG", PIXELS)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.PNG"]
    with Image.open(tmp_path / "new" / "x.PNG") as image:
        np.testing.assert_array_equal(np.asarray(image), PIXELS)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileProblem, match="can't be written"):
        write_png(tmp_path / "file" / "x.png", PIXELS)

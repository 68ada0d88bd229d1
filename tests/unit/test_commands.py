"""edit, edit-folder and segment end to end, through a private server with the stand-in for networks."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.private_server import private_server
from layoutbrush.runtime import cli

pytestmark = pytest.mark.skipif(
    not metadata.entry_points(group=cli.GROUP), reason="layoutbrush is not installed here: no commands are registered"
)

Words = list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Words]:
    """Flags that name a server which all tests of the module share."""
    with private_server("stand-in", threads=1) as address:
        yield ["--server", address]


def task(folder: Path, width: int = 160, height: int = 120, mode: str = "RGB") -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    photo = np.random.default_rng(width).integers(0, 256, (height, width, len(mode)), np.uint8)
    layout = np.full((height, width), 3, np.uint8)
    layout[: height // 2] = 0
    edited = layout.copy()
    edited[: height // 2 + height // 4, width // 3 : width // 2] = 0
    found = {"image": photo, "layout": layout, "edited": edited}
    for name, values in found.items():
        Image.fromarray(values).save(folder / f"{name}.png")
    return found


def flags(folder: Path, out: Path) -> Words:
    maps = ["--layout", str(folder / "layout.png"), "--edited-layout", str(folder / "edited.png")]
    return ["edit", str(folder / "image.png"), *maps, "--out", str(out)]


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (333, 97), (1500, 1100)])
def test_edit_changes_only_what_it_may(tmp_path: Path, server: Words, width: int, height: int) -> None:
    made = task(tmp_path, width, height)
    assert cli.main([*flags(tmp_path, tmp_path / "out.png"), *server]) == 0
    out = read(tmp_path / "out.png")
    assert out.shape == made["image"].shape
    changed = (out != made["image"]).any(axis=2)
    differs = made["edited"] != made["layout"]
    assert changed[differs].mean() > 0.9
    assert changed.mean() < differs.mean() + 0.1


def test_mask_decides_and_alpha_stays(tmp_path: Path, server: Words) -> None:
    made = task(tmp_path, mode="RGBA")
    mask = np.zeros((120, 160), np.uint8)
    mask[70:90, 60:75] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = [*flags(tmp_path, tmp_path / "out.png"), "--mask", str(tmp_path / "mask.png"), *server]
    assert cli.main([*words, "--previews", str(tmp_path / "previews")]) == 0
    out = read(tmp_path / "out.png")
    np.testing.assert_array_equal(out[mask == 0], made["image"][mask == 0])
    np.testing.assert_array_equal(out[..., 3], made["image"][..., 3])
    assert (out[mask > 0] != made["image"][mask > 0]).any()
    assert {path.name for path in (tmp_path / "previews").iterdir()} == {"warped.png", "coarse.png"}


def test_same_seed_same_file(tmp_path: Path, server: Words) -> None:
    task(tmp_path)
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert cli.main([*flags(tmp_path, tmp_path / f"{name}.png"), "--seed", seed, *server]) == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_rotated_jpeg_comes_out_upright(tmp_path: Path, server: Words) -> None:
    made = task(tmp_path, 160, 120)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(made["image"])).save(tmp_path / "photo.jpg", quality=95, exif=exif.tobytes())
    words = flags(tmp_path, tmp_path / "out.png")
    words[1] = str(tmp_path / "photo.jpg")
    assert cli.main([*words, *server]) == 0
    assert read(tmp_path / "out.png").shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["--seed", "-1"], "--seed"),
        (["--grow", "7"], "--grow"),
        (["--out", "out.jpg"], "PNG"),
        (["--reference", "x.png"], "There is no file x.png"),
        (["--mask", "absent.png"], "There is no file"),
        (["--server", "127.0.0.1:1"], "No Layoutbrush server answers"),
    ],
)
def test_faults_are_one_sentence(
    tmp_path: Path, server: Words, change: Words, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task(tmp_path)
    assert cli.main([*flags(tmp_path, tmp_path / "out.png"), *server, *change]) == 1
    found = capsys.readouterr().err
    assert text in found
    assert len(found.strip().splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def test_wrong_size_and_label_name_the_flag(tmp_path: Path, server: Words, capsys: pytest.CaptureFixture[str]) -> None:
    made = task(tmp_path)
    Image.fromarray(made["edited"][1:]).save(tmp_path / "edited.png")
    assert cli.main([*flags(tmp_path, tmp_path / "out.png"), *server]) == 1
    assert "--edited-layout is 160 x 119" in capsys.readouterr().err
    Image.fromarray(made["edited"] + np.uint8(90)).save(tmp_path / "edited.png")
    assert cli.main([*flags(tmp_path, tmp_path / "out.png"), *server]) == 1
    assert "--edited-layout" in capsys.readouterr().err


def test_folder_goes_on_after_a_failure(tmp_path: Path, server: Words, capsys: pytest.CaptureFixture[str]) -> None:
    tasks, out = tmp_path / "tasks", tmp_path / "out"
    for name in ("a", "b", "c"):
        task(tasks / name)
    (tasks / "b" / "edited.png").write_bytes(b"no picture")
    (tasks / "c" / "layout.png").unlink()
    Image.fromarray(np.full((120, 160), 255, np.uint8)).save(tasks / "c" / "mask.png")
    assert cli.main(["edit-folder", str(tasks), "--out", str(out), *server]) == 1
    found = capsys.readouterr()
    assert "2 of 3 tasks done" in found.out
    assert "b: edited.png" in found.err
    assert {path.name for path in out.iterdir()} == {"a.png", "c.png"}
    assert cli.main(["edit-folder", str(tasks), "--out", str(out), "--only", "[ac]", "--skip-done", *server]) == 0
    assert "0 of 0" in capsys.readouterr().out


def test_segment_writes_ids_with_colours(tmp_path: Path, server: Words, capsys: pytest.CaptureFixture[str]) -> None:
    task(tmp_path, 200, 128)
    for palette in ("--palette", "--no-palette"):
        words = ["segment", str(tmp_path / "image.png"), "--out", str(tmp_path / "labels.png"), palette]
        assert cli.main([*words, *server]) == 0
        assert "sky 50 %" in capsys.readouterr().out
        labels = read(tmp_path / "labels.png")
        assert set(np.unique(labels[:64])) == {0}
        assert set(np.unique(labels[64:])) == {3}
    with Image.open(tmp_path / "labels.png") as image:
        assert image.mode == "L"


def test_private_server_serves_one_edit(tmp_path: Path) -> None:
    task(tmp_path)
    assert cli.main([*flags(tmp_path, tmp_path / "out.png"), "--bundle", "stand-in", "--threads", "1"]) == 0
    assert (tmp_path / "out.png").is_file()

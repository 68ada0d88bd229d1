"""`layoutbrush check-data`: sound data passes, and each kind of fault is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

from layoutbrush.training.commands import check_data
from layoutbrush.training.data.toy import toy_photo


def write_pair(root: Path, split: str, name: str, seed: int) -> None:
    for top in ("images", "annotations"):
        (root / top / split).mkdir(parents=True, exist_ok=True)
    photo = toy_photo(seed, 64)
    Image.fromarray(photo.image).save(root / "images" / split / f"{name}.jpg", quality=95)
    ids = np.where(photo.labels == 0, 3, 2).astype(np.uint8)  # ADE20K: sky and building
    Image.fromarray(ids).save(root / "annotations" / split / f"{name}.png")


@pytest.fixture
def ade(tmp_path: Path) -> Path:
    root = tmp_path / "ade"
    for i in range(5):
        write_pair(root, "training", f"ADE_train_{i:08d}", i)
    for i in range(2):
        write_pair(root, "validation", f"ADE_val_{i:08d}", 50 + i)
    return root


def check(root: Path, out: Path, **changes: Any) -> tuple[int, dict[str, Any]]:
    status = check_data.run(check_data.Config((Path(f"ade20k:{root}"),), out, threads=2, **changes))
    return status, json.loads((out / "report.json").read_text())


def test_sound_data_passes_and_is_shown(ade: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, report = check(ade, tmp_path / "out")
    assert status == 0
    assert report["errors"] == 0
    train, val = report["splits"]
    assert (train["photos"], train["examined"], train["labelled"], val["photos"]) == (5, 5, 5, 2)
    assert train["share"]["sky"] + train["share"]["building"] == pytest.approx(1)
    assert train["photos_with"]["sky"] == 5
    assert train["unknown"] == 0
    assert train["smallest"] == [64, 64]
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size[0] == 6 * 64 + 7 * 4
        assert sheet.size[1] > 3 * 64
    assert "sky" in capsys.readouterr().out


def problems(report: dict[str, Any], severity: str = "error") -> dict[str, str]:
    found = [finding for split in report["splits"] for finding in split["findings"]]
    return {Path(f["file"]).name: f["problem"] for f in found if f["severity"] == severity}


def test_every_fault_is_named(ade: Path, tmp_path: Path) -> None:
    images, labels = ade / "images" / "training", ade / "annotations" / "training"
    (images / "ADE_train_00000000.jpg").write_bytes((images / "ADE_train_00000000.jpg").read_bytes()[:300])
    Image.fromarray(np.zeros((30, 64), np.uint8)).save(labels / "ADE_train_00000001.png")
    Image.fromarray(np.full((64, 64), 200, np.uint8)).save(labels / "ADE_train_00000002.png")
    (labels / "ADE_train_00000003.png").rename(labels / "ADE_train_00000033.png")
    (labels / "ADE_train_00000004.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    shutil.copy(ade / "images" / "validation" / "ADE_val_00000000.jpg", images / "ADE_train_00000077.jpg")
    Image.fromarray(np.full((64, 64), 3, np.uint8)).save(labels / "ADE_train_00000077.png")
    status, report = check(ade, tmp_path / "out")
    assert status == 1
    found = problems(report)
    assert found["ADE_train_00000000.jpg"] == "not a readable picture"
    assert found["ADE_train_00000001.png"] == "is of 64x30, its photo 64x64"
    assert found["ADE_train_00000002.png"] == "not in the data set's list: id 200 (4096 pixels)"
    assert found["ADE_train_00000003.png"] == "is missing: its photo has no labels"
    assert found["ADE_train_00000033.png"] == "has no photo"
    assert found["ADE_train_00000004.png"] == "not a readable label map"
    assert found["ADE_val_00000000.jpg"].startswith("is in train too: ")
    assert len(found) == report["errors"] == 7
    assert "no pixel has a known label" in problems(report, "warning")["ADE_train_00000002.png"]


def test_duplicates_are_warnings(ade: Path, tmp_path: Path) -> None:
    images, labels = ade / "images" / "training", ade / "annotations" / "training"
    for name, target in (("same", "ADE_train_00000080"), ("again", "ADE_train_00000090")):
        shutil.copy(labels / "ADE_train_00000001.png", labels / f"{target}.png")
        if name == "same":
            shutil.copy(images / "ADE_train_00000001.jpg", images / f"{target}.jpg")
        else:
            with Image.open(images / "ADE_train_00000001.jpg") as picture:
                picture.save(images / f"{target}.jpg", quality=97)
    status, report = check(ade, tmp_path / "out")
    assert status == 0
    found = problems(report, "warning")
    assert found["ADE_train_00000080.jpg"].startswith("is the same file as ")
    assert found["ADE_train_00000090.jpg"].startswith("looks the same as ")


def test_some_of_many_are_looked_at(ade: Path, tmp_path: Path) -> None:
    _, report = check(ade, tmp_path / "out", count=2, split="train")
    (train,) = report["splits"]
    assert (train["photos"], train["examined"]) == (5, 2)


def test_what_is_no_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word, text in (("nowhere", "no such folder"), ("ade:/x", "unknown kind 'ade'"), ("no.toml", "not a readable")):
        assert check_data.run(check_data.Config((tmp_path / word if word != "ade:/x" else Path(word),))) == 1
        assert text in capsys.readouterr().err
    assert check_data.run(check_data.Config((Path(f"cityscapes:{tmp_path}"),), tmp_path / "out")) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "holds no folder gtFine or gtCoarse" in report["splits"][0]["findings"][0]["problem"]
    assert check_data.run(check_data.Config(())) == 2


def test_plain_folders_and_prepared_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        Image.fromarray(toy_photo(i, 64).image).save(tmp_path / f"{i}.png")
    config = check_data.Config((tmp_path,), split="train")
    assert check_data.run(config) == 0
    assert "3 photos, 3 examined, 0 with labels" in capsys.readouterr().out
    for kind in ("scenes", "streets"):
        for top in ("images", "labels"):
            (tmp_path / kind / top).mkdir(parents=True)
        Image.fromarray(toy_photo(0, 64).image).save(tmp_path / kind / "images" / "a.jpg")
        Image.fromarray(np.full((64, 64), 1, np.uint8)).save(tmp_path / kind / "labels" / "a.png")
        (tmp_path / kind / "train.txt").write_text("a\n")
    assert check_data.run(config) == 0
    shown = capsys.readouterr().out
    assert "tree 100.0%" in shown
    assert "building 100.0%" in shown


def test_the_optional_data_sets_are_sound(shared: Path) -> None:
    assert check_data.run(check_data.Config((shared / "data",), count=20, threads=2)) == 0

"""Metrics against their definitions, and against the project's scorer where it lies beside the repository."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("cv2", reason="needs the training extra")
import torch

from layoutbrush.training.commands import evaluate
from layoutbrush.training.data import DataError, TaskConfig, TaskSampler, toy_collection
from layoutbrush.training.metrics import pixels
from layoutbrush.training.metrics.confusion import Confusion
from layoutbrush.training.metrics.features import FeatureError, FeatureNetwork, load_features
from layoutbrush.training.metrics.gram import style_distance
from layoutbrush.training.metrics.lpips import Lpips, load_lpips
from layoutbrush.training.metrics.report import Row, interval, markdown
from layoutbrush.training.metrics.tasks import read_task, task_names

METRICS = ("psnr_w", "ssim_w", "l1_w", "lpips_w", "style_w", "psnr_m", "ssim_m", "l1_m", "lpips_m", "style_m", "out_l1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three toy tasks in the format of the evaluation."""
    sampler = TaskSampler([toy_collection(4)], TaskConfig(size=64, manipulate=0, fill=0))
    for index in range(3):
        task, place = sampler.task(0, index), tmp_path / "tasks" / f"R-toy-{index}"
        place.mkdir(parents=True)
        alpha = np.where(task.mask, 255, 0).astype(np.uint8)
        Image.fromarray(task.image).save(place / "image.png")
        Image.fromarray(np.dstack([task.truth, alpha])).save(place / "truth.png")
        Image.fromarray(task.edited).save(place / "edited.png")
        Image.fromarray(task.layout).save(place / "layout.png")
        Image.fromarray(task.mask.astype(np.uint8) * 255).save(place / "mask.png")
        Image.fromarray((~task.source).astype(np.uint8) * 255).save(place / "exclude.png")
    return tmp_path / "tasks"


def outputs_of(folder: Path, to: Path) -> Path:
    """Outputs that are the truth inside the mask."""
    to.mkdir()
    for name in task_names(folder):
        Image.fromarray(read_task(folder, name).truth).save(to / f"{name}.png")
    return to


def test_pixel_metrics_of_known_pictures() -> None:
    black, grey = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 51, np.uint8)
    mask = np.zeros((16, 16), np.bool_)
    mask[:4] = True
    assert pixels.mean_absolute(black, grey) == pytest.approx(0.2)
    assert pixels.psnr(black, grey, mask) == pytest.approx(-20 * np.log10(0.2))
    assert pixels.psnr(grey, grey) == pixels.PSNR_CAP
    assert pixels.ssim(grey, grey) == pytest.approx(1)
    assert pixels.ssim(black, grey) == pytest.approx(6.5025 / (51**2 + 6.5025))
    assert pixels.mean_absolute(black, grey, np.zeros_like(mask)) == 0


def test_ssim_is_scikit_images() -> None:
    structural = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (40, 33, 3)).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    mean, full = structural.structural_similarity(a, b, channel_axis=2, data_range=255, full=True)
    assert pixels.ssim(a, b) == pytest.approx(mean, abs=1e-6)
    assert np.abs(pixels.ssim_map(a, b) - full).max() < 1e-6


def toy_lpips() -> Lpips:
    torch.manual_seed(0)
    network = FeatureNetwork(taps=range(7)).requires_grad_(False)
    channels = [f.shape[1] for f in network(torch.rand(1, 3, 64, 64))]
    return Lpips(network, [torch.rand(c) for c in channels])


def test_lpips_is_nothing_for_equal_pictures_and_sees_only_the_mask() -> None:
    lpips, picture = toy_lpips(), torch.rand(2, 3, 64, 64)
    other = picture.clone()
    other[:, :, :16, :16] = 0
    near, far = torch.zeros(2, 64, 64, dtype=torch.bool), torch.zeros(2, 64, 64, dtype=torch.bool)
    near[:, :16, :16], far[:, 60:, 60:] = True, True
    assert lpips(picture, picture).abs().max() < 1e-6
    assert (lpips(other, picture, near) > 5 * lpips(other, picture, far)).all()
    assert lpips(other, picture).shape == (2,)
    assert float(lpips(other, picture, torch.zeros_like(near)).abs().max()) == 0


def test_style_is_blind_to_places() -> None:
    features = [torch.rand(1, 8, 6, 6)]
    moved = [torch.roll(features[0], 3, 3)]
    assert float(style_distance(moved, features)) < 1e-5
    assert float(style_distance([features[0] * 0], features)) == pytest.approx(1)
    mask = torch.zeros(1, 12, 12, dtype=torch.bool)
    mask[:, :, :6] = True
    assert float(style_distance(moved, features, mask)) > 0.01


def test_aligned_feature_maps_divide_the_picture() -> None:
    network = FeatureNetwork(taps=(0, 1, 2, 6), aligned=True)
    assert [tuple(f.shape[2:]) for f in network(torch.rand(1, 3, 64, 96))] == [(32, 48), (16, 24), (8, 12), (4, 6)]
    for backend, count in (("alexnet", 4), ("vgg16", 4)):
        assert len(FeatureNetwork(backend)(torch.rand(1, 3, 64, 64))) == count  # type: ignore[arg-type]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="squeezenet"):
        load_features(tmp_path)
    arrays: dict[str, Any] = {"features.0.weight": np.zeros((64, 3, 3, 3))}
    np.savez(tmp_path / "squeezenet1_1.npz", **arrays)
    with pytest.raises(FeatureError, match="lack"):
        load_features(tmp_path)
    with pytest.raises(FeatureError, match="lpips"):
        load_lpips(tmp_path)


def test_confusion_counts_only_known_pixels() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 1, 1, 2]], np.uint8))
    assert confusion.accuracy() == pytest.approx(2 / 3)
    assert confusion.iou()[:2].tolist() == [0.5, 0.5]
    assert np.isnan(confusion.iou()[2])
    assert confusion.mean_iou() == 0.5
    assert np.isnan(Confusion(3).mean_iou())


def test_intervals_hold_the_mean() -> None:
    low, high = interval([1.0, 2.0, 3.0, 4.0])
    assert 1 <= low < 2.5 < high <= 4
    assert interval([2.0]) == (2.0, 2.0)
    text = markdown([Row("a", "t", "S", {"lpips_m": 0.25})], ("lpips_m",))
    assert "| a | 1 | 0.250 (0.250 to 0.250) |" in text


def test_evaluate_scores_folders_and_writes_everything(folder: Path, tmp_path: Path) -> None:
    given = outputs_of(folder, tmp_path / "exact")
    report = tmp_path / "report"
    assert evaluate.run(evaluate.Config(folder, outputs=(f"exact={given}",), out=report)) == 0
    assert {path.name for path in report.iterdir()} == {"table.md", "scores.csv", "scores.json", "sheet-R-toy.png"}
    rows = list(csv.DictReader((report / "scores.csv").read_text().splitlines()))
    assert len(rows) == 6
    exact = [row for row in rows if row["output"] == "exact"]
    assert all(float(row["psnr_m"]) == 60 and float(row["out_l1"]) == 0 for row in exact)
    summary = json.loads((report / "scores.json").read_text())
    assert summary["sets"]["R-toy"]["input"]["psnr_m"]["mean"] < 40
    assert summary["features"] is None


def test_evaluate_says_what_is_missing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = outputs_of(folder, tmp_path / "few")
    (given / "R-toy-1.png").unlink()
    Image.new("RGB", (8, 8)).save(given / "R-toy-2.png")
    assert evaluate.run(evaluate.Config(folder, outputs=(str(given),))) == 1
    errors = capsys.readouterr().err
    assert "R-toy-1.png: no output" in errors
    assert "R-toy-2.png: its size" in errors
    assert evaluate.run(evaluate.Config(folder)) == 2
    assert evaluate.run(evaluate.Config(folder, outputs=(str(tmp_path / "nowhere"),))) == 1
    with pytest.raises(DataError, match="no tasks"):
        task_names(folder, ["M"])


def test_evaluate_runs_a_bundle(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("layoutbrush.runtime.pipeline", reason="the runtime's pipeline is not installed")
    assert evaluate.run(evaluate.Config(folder, bundle="stand-in", out=tmp_path / "report", threads=1)) == 0
    summary = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert summary["sets"]["R-toy"]["stand-in"]["out_l1"]["mean"] == 0
    assert summary["milliseconds"]["total"] > 0
    assert len(list((tmp_path / "report" / "outputs" / "stand-in").iterdir())) == 3


def test_figures_are_those_of_the_projects_scorer(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the scorer needs scikit-image")
    tasks, weights = tmp_path / "tasks", shared / "data" / "weights"
    if not (shared / "eval" / "score.py").is_file() or not weights.is_dir():
        pytest.skip("no scorer or no feature weights in the shared folder")
    tasks.mkdir()
    given = tmp_path / "blurred"
    given.mkdir()
    for name in task_names(shared / "eval" / "tasks")[::75]:
        (tasks / name).symlink_to(shared / "eval" / "tasks" / name)
        picture = Image.open(tasks / name / "image.png").convert("RGB")
        picture.resize((picture.width // 4, picture.height // 4)).resize(picture.size).save(given / f"{name}.png")
    theirs = tmp_path / "theirs.csv"
    command = [sys.executable, str(shared / "eval" / "score.py"), str(tasks), str(weights), "--jobs", "1"]
    subprocess.run([*command, "--out", f"blurred={given}", "--csv", str(theirs)], check=True, capture_output=True)
    config = evaluate.Config(tasks, outputs=(f"blurred={given}",), weights=weights, out=tmp_path / "r", untouched=False)
    assert evaluate.run(config) == 0
    own = {row["task"]: row for row in csv.DictReader((tmp_path / "r" / "scores.csv").read_text().splitlines())}
    for row in csv.DictReader(theirs.read_text().splitlines()):
        for metric in METRICS:
            assert float(own[row["task"]][metric]) == pytest.approx(float(row[metric]), abs=1e-3), metric

"""Constants for labels: they undo a network's preference, leave a fair one alone, and go into new weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

import torch
from PIL import Image

from layoutbrush.training.commands import calibrate
from layoutbrush.training.data.toy import toy_photo
from layoutbrush.training.models.segmentation import SegmentationNetwork
from layoutbrush.training.stages.label_bias import LABELS, agreement, fit, gather, photo_scores
from layoutbrush.training.trainer.weights import load_weights, save_weights, stored_arguments


def samples(seed: int, preference: float, rare: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Noisy scores of three labels, the last of which may be rare and preferred."""
    rng = np.random.default_rng(seed)
    labels = rng.choice((0, 3, 9), 20000, p=((1 - rare) / 2, (1 - rare) / 2, rare)).astype(np.uint8)
    scores = rng.normal(0, 1, (len(labels), LABELS)).astype(np.float32) - 9
    scores[:, [0, 3, 9]] += 9
    scores[np.arange(len(labels)), labels] += 2.5
    scores[:, 9] += preference
    return scores, labels


def test_a_preference_is_undone_on_samples_that_were_not_seen() -> None:
    bias = fit([samples(0, 2.0)])
    assert bias[9] <= -1.2
    unseen = samples(1, 2.0)
    before, after = agreement(unseen, np.zeros(LABELS, np.float32)), agreement(unseen, bias)
    assert after[0] > before[0] + 0.1
    assert after[1] > before[1] + 0.1


def test_labels_without_a_preference_stay_as_they_are() -> None:
    assert (fit([samples(2, 0.0, rare=1 / 3)], least=0.005) == 0).all()
    free = fit([samples(2, 2.0)])
    assert set(np.flatnonzero(free)) <= {0, 3, 9}


def test_agreement_is_overlap_and_accuracy() -> None:
    scores = np.eye(LABELS, dtype=np.float32)[[0, 0, 1, 1]]
    overlap, accuracy = agreement((scores, np.array([0, 0, 0, 1], np.uint8)), np.zeros(LABELS, np.float32))
    assert accuracy == 0.75
    assert overlap == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_scores_are_gathered_at_the_photos_own_pixels() -> None:
    network = SegmentationNetwork().eval()
    photo = toy_photo(0, 72)
    assert photo_scores(network, photo.image, 96).shape == (LABELS, 72, 72)
    scores, labels = gather(network, [photo, toy_photo(1, 72)], (64, 96), 3)
    assert scores.shape == (2 * 2 * 24 * 24, LABELS)
    assert (labels[: 24 * 24] == photo.labels[::3, ::3].ravel()).all()


def test_the_command_writes_weights_that_differ_in_one_bias(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    save_weights(tmp_path / "seg.safetensors", SegmentationNetwork(), {"step": 7})
    photos = tmp_path / "photos"
    (photos / "labels").mkdir(parents=True)
    for i in range(10):
        Image.fromarray(toy_photo(i, 64).image).save(photos / f"{i}.png")
        Image.fromarray(np.asarray(toy_photo(i, 64).labels)).save(photos / "labels" / f"{i}.png")
    config = calibrate.Config(
        tmp_path / "seg.safetensors", Path(f"folder:{photos}"), tmp_path / "out", sides=(64,), threads=1
    )
    assert calibrate.run(config) == 0
    assert "val folder: mean IoU" in capsys.readouterr().out
    stored = json.loads((tmp_path / "out" / "segmentation.json").read_text())
    assert stored["step"] == 7
    before, after = (
        SegmentationNetwork(),
        SegmentationNetwork(**stored_arguments(tmp_path / "out/segmentation.safetensors")),
    )
    load_weights(tmp_path / "seg.safetensors", before)
    load_weights(tmp_path / "out" / "segmentation.safetensors", after)
    for name, value in after.state_dict().items():
        change = value - before.state_dict()[name]
        if name == "head.bias":
            assert np.allclose(change.numpy(), list(stored["label_bias"].values()), atol=1e-3)
            assert change.abs().max() > 0
        else:
            assert (change == 0).all()
    missing = calibrate.Config(tmp_path / "none.safetensors", photos, tmp_path / "out")
    assert calibrate.run(missing) == 1

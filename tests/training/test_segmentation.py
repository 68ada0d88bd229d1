"""The visual-semantic encoder and the segmentation network, and that their stages learn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

import torch
from torch.utils.flop_counter import FlopCounterMode

from layoutbrush.training.data import UNKNOWN, toy_collection
from layoutbrush.training.metrics.features import FeatureError, FeatureNetwork
from layoutbrush.training.models.segmentation import Segment, SegmentationNetwork
from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
from layoutbrush.training.stages import distill, segmentation
from layoutbrush.training.trainer.loop import LoopSettings, train
from layoutbrush.training.trainer.stage import DataOptions
from layoutbrush.training.trainer.weights import load_weights, save_weights, stored_arguments


def operations(network: torch.nn.Module, side: int) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.rand(1, 3, side, side))
    return float(counter.get_total_flops())


def test_the_encoder_keeps_its_budget_and_scales() -> None:
    encoder = VisualSemanticEncoder()
    assert operations(encoder, 128) * 16 <= 6e9  # 512 x 512
    assert sum(p.numel() for p in encoder.parameters()) < 0.9e6
    shapes = [tuple(f.shape) for f in encoder(torch.rand(2, 3, 64, 96))]
    assert shapes == [
        (2, channels, 64 >> level, 96 >> level) for level, channels in enumerate(encoder.channels, start=1)
    ]


def test_the_segmenter_keeps_its_budget() -> None:
    network = SegmentationNetwork()
    assert operations(network, 128) * 16 <= 15e9
    assert sum(p.numel() for p in network.parameters()) < 1.8e6
    assert SegmentationNetwork(**network.arguments).arguments == network.arguments


def test_segment_gives_ids_and_probabilities() -> None:
    with torch.no_grad():
        labels, confidence, features = Segment(SegmentationNetwork().eval())(torch.rand(2, 3, 64, 80))
    assert labels.shape == confidence.shape == (2, 64, 80)
    assert labels.dtype == torch.int32
    assert 0 <= int(labels.min()) <= int(labels.max()) < 15
    assert 1 / 15 <= float(confidence.min()) <= float(confidence.max()) <= 1
    assert features.shape == (2, 96 + 144, 4, 5)
    assert float(features.min()) >= 0


def test_photos_of_any_size_are_segmented() -> None:
    assert segmentation.segment_photo(SegmentationNetwork().eval(), np.zeros((70, 33, 3), np.uint8)).shape == (70, 33)


def test_rare_labels_weigh_more_and_unknown_pixels_nothing() -> None:
    weights = segmentation.class_weights([toy_collection(8)], 0.5, (0.2, 5.0))
    assert weights.shape == (15,)
    assert float(weights[0]) < 1  # sky is everywhere
    labels = torch.tensor([[[0, 1], [UNKNOWN, 1]]])
    right = torch.nn.functional.one_hot(labels.clamp_max(2), 3).permute(0, 3, 1, 2).float()
    assert float(segmentation.soft_overlap(right, labels)) == pytest.approx(0)
    assert float(segmentation.soft_overlap(1 - right, labels)) == pytest.approx(1)
    assert float(segmentation.soft_overlap(right, torch.full_like(labels, UNKNOWN))) == 0


def test_parts_of_the_crops_are_hidden_and_the_teacher_sees_all(tmp_path: Path) -> None:
    teacher = SegmentationNetwork()
    save_weights(tmp_path / "teacher.safetensors", teacher)
    teacher_file = str(tmp_path / "teacher.safetensors")
    plain = segmentation.Settings(collections=("toy",), shares=(1.0,), evaluated=2, teacher=teacher_file)
    stage = segmentation.build(replace(plain, hidden=0.5), DataOptions(tmp_path, batch=8, size=64))
    batch = stage.batch(0, 0)
    changed = (batch["seen"] != batch["image"]).any(1)
    parts = changed.float().mean((1, 2))
    assert 0 < int((parts > 0).sum()) < 8
    assert float(parts.max()) <= segmentation.HIDDEN_AREA[1] + 0.1
    torch.testing.assert_close(batch["seen"], stage.batch(0, 0)["seen"])
    shown: list[torch.Tensor] = []
    stage.frozen["teacher"].register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    train(stage, LoopSettings(tmp_path / "run", steps=1, evaluations=1, tensorboard=False))
    assert torch.equal(shown[0], batch["image"])
    assert "seen" not in segmentation.build(plain, DataOptions(tmp_path, batch=2, size=64)).batch(0, 0)


def test_the_segmenter_learns_toys_and_its_weights_load(tmp_path: Path) -> None:
    settings = segmentation.Settings(collections=("toy",), shares=(1.0,), rate=4e-3, warm=5, evaluated=6)
    stage = segmentation.build(settings, DataOptions(tmp_path, batch=6, size=64))
    before = stage.evaluate({"segmentation": stage.modules["segmentation"].eval()})
    stage.modules["segmentation"].train()
    position = train(stage, LoopSettings(tmp_path / "run", steps=60, evaluations=1, decay=0.9, tensorboard=False))
    assert position.best < before.score - 0.15
    path = next((tmp_path / "run" / "checkpoints").glob("step-*/segmentation.safetensors"))
    again = SegmentationNetwork(**stored_arguments(path))
    load_weights(path, again)
    assert stage.evaluate({"segmentation": again.eval()}).score == pytest.approx(position.best, abs=1e-6)


def test_the_encoder_learns_from_a_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = FeatureNetwork(taps=distill.TEACHER_TAPS, aligned=True)
    settings = distill.Settings(collections=("toy",), validation=("toy",), shares=(1.0,), warm=5, evaluated=8)
    stage = distill.DistillStage(settings, DataOptions(tmp_path, batch=6, size=64), teacher.requires_grad_(False))
    with torch.no_grad():
        before = stage.evaluate({name: module.eval() for name, module in stage.modules.items()})
    position = train(stage, LoopSettings(tmp_path / "run", steps=25, evaluations=1, decay=0.9, tensorboard=False))
    assert position.best < 0.85 * before.score
    with pytest.raises(FeatureError, match="--weights"):
        distill.build(settings, DataOptions(tmp_path))


def test_a_teacher_on_a_pretrained_trunk_teaches_photos_without_labels(tmp_path: Path) -> None:
    teacher = SegmentationNetwork(trunk={"pretrained": "squeezenet"})
    save_weights(tmp_path / "teacher.safetensors", teacher)
    settings = segmentation.Settings(
        collections=("toy",), shares=(1.0,), warm=5, evaluated=2, teacher=str(tmp_path / "teacher.safetensors")
    )
    stage = segmentation.build(settings, DataOptions(tmp_path, batch=2, size=64))
    train(stage, LoopSettings(tmp_path / "run", steps=3, evaluations=1, log_every=1, tensorboard=False))
    logged = [json.loads(line) for line in (tmp_path / "run" / "curves.jsonl").read_text().splitlines()]
    assert all(np.isfinite(entry["soft"]) and entry["soft"] >= 0 for entry in logged if entry["group"] == "train")
    assert "teacher" not in stage.modules

"""The completion network: what it keeps, what it finds, and that its stage learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

import torch
from torch.utils.flop_counter import FlopCounterMode

from layoutbrush.training.data import UNKNOWN
from layoutbrush.training.models.completion import Complete, CompletionNetwork, first_guess
from layoutbrush.training.models.labels import one_hot
from layoutbrush.training.models.segmentation import SegmentationNetwork
from layoutbrush.training.stages import complete
from layoutbrush.training.trainer.loop import LoopSettings, train
from layoutbrush.training.trainer.stage import DataOptions
from layoutbrush.training.trainer.weights import load_weights, save_weights, stored_arguments


def _scene(height: int = 96, width: int = 128) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A photo, sky over grass with a gap across the horizon, and the gap."""
    torch.manual_seed(0)
    labels = torch.full((1, height, width), 3, dtype=torch.int32)
    labels[:, : height // 2] = 0
    gap = torch.zeros(1, height, width, dtype=torch.bool)
    gap[:, height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
    return torch.rand(1, 3, height, width), torch.where(gap, UNKNOWN, labels).int(), gap


def test_completion_keeps_its_budget() -> None:
    network = CompletionNetwork().eval()
    photo, edited, gap = _scene(240, 304)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Complete(network)(photo, edited, gap)
    assert counter.get_total_flops() < 2.2e9
    assert sum(p.numel() for p in network.parameters()) < 1.5e6
    assert CompletionNetwork(**network.arguments).arguments == network.arguments


def test_a_new_network_gives_the_labels_around() -> None:
    photo, edited, gap = _scene()
    with torch.no_grad():
        labels, confidence = Complete(CompletionNetwork().eval())(photo, edited, gap)
    assert labels.dtype == torch.int32
    assert labels.shape == confidence.shape == (1, 96, 128)
    assert torch.equal(labels[~gap], edited[~gap])
    assert (confidence[~gap] == 1).all()
    assert set(labels[gap].unique().tolist()) == {0, 3}
    assert (labels[0, 34, 44:84] == 0).all()
    assert (labels[0, 62, 44:84] == 3).all()
    assert 1 / 15 < float(confidence[gap].min()) <= float(confidence[gap].max()) <= 1


def test_what_lies_under_the_mask_is_not_looked_at() -> None:
    photo, edited, gap = _scene()
    network = CompletionNetwork().eval()
    torch.nn.init.normal_(network.head.weight)
    other = torch.where(gap[:, None], 1 - photo, photo)
    brighter = (photo + 0.3).clamp(0, 1)
    with torch.no_grad():
        one, same, changed = (network(x, edited, gap) for x in (photo, other, brighter))
    torch.testing.assert_close(one, same)
    assert not torch.allclose(one, changed)


def test_a_layout_without_any_label_is_completed_without_nan() -> None:
    photo, edited, gap = _scene()
    nothing = torch.full_like(edited, UNKNOWN)
    assert (first_guess(one_hot(nothing, 15)) == 0).all()
    with torch.no_grad():
        labels, confidence = Complete(CompletionNetwork().eval())(photo, nothing, gap)
    assert int(labels.max()) < 15
    assert torch.isfinite(confidence).all()


def test_entropy_counts_hidden_pixels_of_known_truth_and_tasks_alike() -> None:
    truth = torch.zeros(2, 16, 16, dtype=torch.int32)
    truth[:, :, 8:] = UNKNOWN
    hidden = torch.zeros(2, 16, 16, dtype=torch.bool)
    hidden[0] = True
    hidden[1, :4] = True  # a quarter of it, and counts as much
    logits = torch.zeros(2, 3, 4, 4)
    logits[0, 0] = 50.0  # right in the first task, undecided in the second
    found = complete.hidden_entropy(logits, truth, hidden, 0.0).item()
    assert found == pytest.approx(np.log(3) / 2, rel=1e-5)
    assert complete.correct(logits, truth, hidden).tolist() == [1.0, 1.0]
    nothing = complete.hidden_entropy(logits, truth, torch.zeros_like(hidden), 0.0)
    assert float(nothing) == 0


def test_the_stage_hides_and_learns_to_find_on_toys(tmp_path: Path) -> None:
    settings = complete.Settings(collections=("toy",), shares=(1.0,), zoom=(0.66, 1.0), rate=4e-3, warm=5, evaluated=8)
    stage = complete.build(settings, DataOptions(tmp_path, batch=8, size=64))
    batch = stage.batch(3, 0)
    assert (batch["edited"][batch["hidden"]] == UNKNOWN).all()
    assert not (batch["hidden"] & ~batch["mask"]).any()
    torch.testing.assert_close(batch["image"], stage.batch(3, 0)["image"])
    before = stage.evaluate({"completion": stage.modules["completion"].eval()})
    assert before.scalars["toy/right"] == pytest.approx(before.scalars["toy/guess"], abs=0.02)
    stage.modules["completion"].train()
    position = train(stage, LoopSettings(tmp_path / "run", steps=60, evaluations=1, decay=0.9, tensorboard=False))
    after = stage.evaluate({"completion": _stored(tmp_path)})
    assert after.score == pytest.approx(position.best, abs=1e-6)
    assert after.scalars["toy/entropy"] < 0.9 * before.scalars["toy/entropy"]
    assert after.pictures["completion"].dtype == np.uint8


def test_a_share_of_the_tasks_starts_from_the_segmenters_labels(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trunk = {"channels": (8, 8, 8, 8), "blocks": (0, 0, 0, 0)}
    segmenter = SegmentationNetwork(context=8, decoder=(8, 6, 4), trunk=trunk)
    save_weights(tmp_path / "segmentation.safetensors", segmenter)
    settings = complete.Settings(
        collections=("toy",),
        shares=(1.0,),
        evaluated=2,
        segmenter=str(tmp_path / "segmentation.safetensors"),
        segmented=0.5,
    )
    stage = complete.build(settings, DataOptions(tmp_path, batch=6, size=64))
    batch = stage.batch(0, 0)
    chosen = batch["segmented"]
    assert 0 < int(chosen.sum()) < 6
    hidden = batch["mask"][:, None].expand_as(batch["without"])
    assert torch.equal(batch["without"][~hidden], batch["image"][~hidden])
    assert not torch.equal(batch["without"], batch["image"])
    edited = stage._segmented(batch, chosen)
    assert torch.equal(edited[~chosen], batch["edited"][~chosen])
    assert (edited[batch["hidden"]] == UNKNOWN).all()
    seen = complete.segmented(stage.frozen["segmenter"], batch["without"][chosen])
    gap = batch["hidden"][chosen]
    assert torch.equal(edited[chosen][~gap], seen[~gap])
    assert seen.dtype == torch.int32
    scalars = stage.evaluate({"completion": stage.modules["completion"].eval()}).scalars
    assert {name for name in scalars if name.startswith("toy/")} == {f"toy/{name}" for name in complete.FIGURES}


def _stored(folder: Path) -> torch.nn.Module:
    path = next((folder / "run" / "checkpoints").glob("step-*/completion.safetensors"))
    network = CompletionNetwork(**stored_arguments(path))
    load_weights(path, network)
    return network.eval()

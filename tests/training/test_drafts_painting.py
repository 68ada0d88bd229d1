"""Layout2Im beyond its source: regions of label maps as boxes, painted maps for the decoder; the table's command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from layoutbrush.training.commands import evaluate_drafts, train
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN
from layoutbrush.training.data.photo import DataError, Photo
from layoutbrush.training.drafts import stage
from layoutbrush.training.drafts.boxed_photo import Box, BoxFilter
from layoutbrush.training.drafts.classifier import CropClassifier
from layoutbrush.training.drafts.config import DraftConfig, DraftConfigError
from layoutbrush.training.drafts.evaluation import Evaluator
from layoutbrush.training.drafts.generator import DraftNetwork, load_drafts
from layoutbrush.training.drafts.graph import DraftGraph
from layoutbrush.training.drafts.opening import open_boxes
from layoutbrush.training.drafts.painting import Painter
from layoutbrush.training.drafts.regions import cuts, region_boxes
from layoutbrush.training.drafts.scores import shuffled_chance
from layoutbrush.training.drafts.toy import COLORS, toy_boxes
from layoutbrush.training.stages.options import OptionError
from layoutbrush.training.trainer.stage import DataOptions
from layoutbrush.training.trainer.weights import save_weights

SMALL = DraftConfig(4, size=32, latent=6, embedding=5, width=8, hidden=8, layers=1, blocks=1, painted=7)


def labelled() -> Photo:
    """Sky above grass, two cars, a speck of fence, some unknown pixels; 60 x 100."""
    labels = np.full((60, 100), LABEL_NAMES.index("grass"), np.uint8)
    labels[:30] = LABEL_NAMES.index("sky")
    labels[40:50, 10:30] = labels[35:55, 60:80] = LABEL_NAMES.index("car")
    labels[0:2, 0:2] = LABEL_NAMES.index("fence")
    labels[50:60, 90:100] = UNKNOWN
    image = np.random.default_rng(0).integers(0, 255, (60, 100, 3)).astype(np.uint8)
    return Photo("made", image, labels)


def test_regions_become_boxes_larger_first() -> None:
    found = region_boxes(labelled().labels)
    names = [LABEL_NAMES[entry.label] for entry in found]
    assert names == ["sky", "grass", "car", "car"]  # the speck is too small, what is unknown is nothing
    assert found[0].box == Box(0, 0, 1, 0.5)
    assert found[2].box == Box(0.6, 35 / 60, 0.8, 55 / 60)
    assert "fence" in {LABEL_NAMES[entry.label] for entry in region_boxes(labelled().labels, filled=0)}


def test_a_photo_is_cut_many_ways_and_the_same_again() -> None:
    first, again = (list(cuts(labelled(), 4, 32, np.random.default_rng(5))) for _ in range(2))
    assert first[0].objects == region_boxes(labelled().labels)  # the first is the whole
    assert len({photo.objects for photo in first}) == 4
    for a, b in zip(first, again, strict=True):
        assert isinstance(a.image, np.ndarray)
        assert a.image.shape == (32, 32, 3)
        np.testing.assert_array_equal(a.image, np.asarray(b.image))
        assert a.objects == b.objects


def test_regions_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "scenes" / "images").mkdir(parents=True)
    (tmp_path / "scenes" / "labels").mkdir()
    photo = labelled()
    ids = photo.labels.copy()
    ids[ids >= 8] = 7  # the data set has eight labels
    Image.fromarray(photo.image).save(tmp_path / "scenes" / "images" / "a.jpg")
    Image.fromarray(ids).save(tmp_path / "scenes" / "labels" / "a.png")
    for split in ("train", "val"):
        (tmp_path / "scenes" / f"{split}.txt").write_text("a\n")
    train, val = (open_boxes("regions", tmp_path, split, BoxFilter(), ("scenes",), 5, 16) for split in ("train", "val"))
    assert 1 < len(train.photos) <= 5
    assert len(val.photos) == 1
    assert all(3 <= len(photo.objects) <= 8 for photo in train.photos)
    with pytest.raises(DataError, match=r"test\.txt"):
        open_boxes("regions", tmp_path, "test", BoxFilter(), ("scenes",))


@torch.no_grad()
def test_a_painted_map_holds_each_object_in_its_box() -> None:
    torch.manual_seed(0)
    painter = Painter(SMALL)
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 1.0, 0.75]]])
    labels, latents = torch.tensor([[1, 2]]), torch.randn(1, 2, 6)
    maps = painter(labels, latents, boxes)
    assert [tuple(m.shape) for m in maps] == [(1, 10, side, side) for side in (8, 16, 32)]
    wanted = painter.mix(torch.cat([painter.embedding(labels), latents], 2))[0]
    finest = maps[-1][0]
    torch.testing.assert_close(finest[:7, 30, 3], wanted[0], atol=1e-4, rtol=1e-4)
    weights = torch.tensor([1.0, 4.0**2])  # of the areas 1 and 1/4
    both = (weights[:, None] * wanted).sum(0) / weights.sum()
    torch.testing.assert_close(finest[:7, 16, 24], both, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(finest[7, 30], (torch.arange(32) + 0.5) / 16 - 1, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(finest[8, :, 3], (torch.arange(32) + 0.5) / 16 - 1, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(finest[9], torch.ones(32, 32), atol=1e-4, rtol=1e-4)
    alone = painter(labels[:, 1:], latents[:, 1:], boxes[:, 1:])[-1][0]
    assert float(alone[:, :, :15].abs().max()) == 0  # nothing outside the only box
    hidden = painter(labels, latents, boxes, torch.tensor([[False, True]]))[-1][0]
    torch.testing.assert_close(hidden, alone)


def test_the_order_of_painting_does_not_matter() -> None:
    painter = Painter(SMALL)
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 1.0, 0.75], [0.4, 0.4, 0.7, 0.7]]])
    labels, latents = torch.tensor([[1, 2, 3]]), torch.randn(1, 3, 6)
    for a, b in zip(
        painter(labels, latents, boxes), painter(labels.flip(1), latents.flip(1), boxes.flip(1)), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [64, 128])
def test_moving_one_box_changes_the_draft_there_above_all(size: int) -> None:
    torch.manual_seed(1)
    graph = DraftGraph(DraftNetwork(replace(SMALL, size=size, placed=size // 2))).eval()
    labels = torch.tensor([0, 1, 2], dtype=torch.int32)
    boxes = torch.tensor([[0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0], [0.0, 0.7, 0.2, 0.9]])
    moved = boxes.clone()
    moved[2, [0, 2]] += 0.1
    latents = torch.randn(2, 3, 6)
    with torch.no_grad():
        before, after = graph(labels, boxes, latents), graph(labels, moved, latents)
        again = graph(labels, boxes, latents)
    assert before.shape == (2, 3, size, size)
    assert torch.equal(before, again)
    changed = (before - after).abs().mean((0, 1))
    near, far = changed[int(size * 0.7) : int(size * 0.9), : int(size * 0.3)], changed[:, size // 2 :]
    assert float(near.mean()) > 2 * float(far.mean())


@pytest.mark.parametrize("placed", [8, 24, 64])
def test_sizes_that_do_not_fit_are_named(placed: int) -> None:
    with pytest.raises(DraftConfigError, match="placed"):
        replace(SMALL, placed=placed)


def test_chance_of_shuffled_labels() -> None:
    assert shuffled_chance(torch.tensor([0, 0, 1, 2])) == pytest.approx(0.25 + 2 / 16)


def test_a_perceptual_loss_without_its_network_is_an_error(tmp_path: Path) -> None:
    settings = stage.Settings(kind="toy", width=8, hidden=8, layers=1, judge_width=8, perceptual=1.0)
    with pytest.raises(OptionError, match="perceptual"):
        stage.build(settings, DataOptions(tmp_path, batch=2, size=32))


def test_judges_with_a_penalty_train_on_changed_pictures(tmp_path: Path) -> None:
    sizes = ("kind=toy", "latent=6", "embedding=5", "width=8", "hidden=8", "layers=1", "blocks=0", "judge_width=8")
    judged = (
        "placed=16",
        "painted=8",
        "spectral=false",
        "r1=0.1",
        "augment=true",
        "evaluated=2",
        "drawn=2",
        "rate=1e-3",
    )
    config = train.Config(
        "drafts",
        tmp_path,
        tmp_path / "run",
        steps=20,
        batch=2,
        size=32,
        set=(*sizes, *judged),
        precision="32-true",
        threads=1,
        accelerator="cpu",
        evaluations=1,
        tensorboard=False,
    )
    assert train.run(config) == 0
    (last,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    network = load_drafts(last / "drafts.safetensors")
    assert (network.config.painted, network.config.placed) == (8, 16)
    judge = json.loads((last / "image_judge.json").read_text())
    assert judge["arguments"]["spectral"] is False
    lines = [json.loads(line) for line in (tmp_path / "run" / "curves.jsonl").read_text().splitlines()]
    logged = next(line for line in lines if "image_gan" in line)
    assert logged["image_r1"] > 0
    assert logged["object_r1"] > 0


def test_the_command_writes_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    for name in ("full", "sum"):
        sizes = replace(SMALL, fuser="sum" if name == "sum" else "lstm")
        save_weights(tmp_path / f"{name}.safetensors", DraftNetwork(sizes))
    save_weights(tmp_path / "classifier.safetensors", CropClassifier(4, 8))
    rows = tuple(f"{name}={tmp_path / name}.safetensors" for name in ("full", "sum"))
    config = evaluate_drafts.Config(
        tmp_path,
        rows,
        kind="toy",
        size=32,
        count=18,
        drawn=2,
        classifier=tmp_path / "classifier.safetensors",
        out=tmp_path / "out",
    )
    assert evaluate_drafts.run(config) == 0
    printed = capsys.readouterr().out
    assert "Accuracy without knowledge" in printed
    assert "18 layouts" in printed
    found = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["real", "full", "sum"]
    assert all(0 <= row["accuracy"] <= 1 for row in found["rows"])
    assert 0.25 == found["chances"]["uniform"] <= found["chances"]["shuffled"] <= found["chances"]["chance"]
    assert set(found["misplaced"]) == {"full", "sum"}
    assert (tmp_path / "out" / "table.md").read_text().strip() == printed.strip()
    assert {"full.png", "sum.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert evaluate_drafts.run(replace(config, rows=(f"none={tmp_path}/none.safetensors",))) == 1
    assert evaluate_drafts.run(replace(config, size=64)) == 1


class Copyist(nn.Module):
    """Draws the photo itself."""

    config = SMALL

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.image = torch.zeros(0)

    def estimate(self, image: Tensor, boxes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        self.image = image
        return torch.zeros(2, int(valid.sum()), 6).unbind(0)  # type: ignore[return-value]

    def draft(self, *_: Tensor) -> Tensor:
        return self.image


class ColorJudge(nn.Module):
    """The toy label whose colour a crop's mean is most like, whatever the brightness."""

    def forward(self, crops: Tensor) -> Tensor:
        colors = F.normalize(torch.tensor(COLORS).float(), dim=1)
        return F.normalize(crops.mean((2, 3)), dim=1) @ colors.T


def test_misplaced_boxes_belong_to_other_layouts() -> None:
    """A judge that knows the colours is right in a picture's own boxes, and seldom in those of another layout."""
    evaluator = Evaluator(toy_boxes(16, 32, seed=1), 32, 5, 16, 2, None)
    evaluator.networks["crops"] = ColorJudge()
    (real, drafts), further = evaluator.rows(Copyist())
    assert real.accuracy is not None
    assert real.accuracy == drafts.accuracy
    assert further["misplaced"] < real.accuracy - 0.2

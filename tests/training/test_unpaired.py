"""The unpaired stage: its steps alternate, each term reaches the network, and the command runs it on toy photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn

from layoutbrush.training.commands import train as command
from layoutbrush.training.data.toy import toy_photo
from layoutbrush.training.stages import unpaired
from layoutbrush.training.trainer.loop import Lent
from layoutbrush.training.trainer.stage import DataOptions


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "labels").mkdir()
    for i in range(12):
        photo = toy_photo(i, 80)
        Image.fromarray(photo.image).save(folder / f"{i:02d}.png")
        Image.fromarray(np.asarray(photo.labels)).save(folder / "labels" / f"{i:02d}.png")
    return folder


def stage_of(photos: Path, **changes: float) -> unpaired.UnpairedStage:
    torch.manual_seed(0)
    settings = unpaired.Settings(evaluated=2, **changes)  # type: ignore[arg-type]
    return unpaired.build(settings, DataOptions(Path(f"folder:{photos}"), batch=1, size=64))


def lent(stage: unpaired.UnpairedStage, step: int) -> Lent:
    fabric = Fabric(accelerator="cpu", devices=1)
    context = Lent(fabric, dict(stage.modules), stage.optimizations())
    context.step, context.progress = step, 1.0
    return context


def test_paired_and_unpaired_steps_alternate(photos: Path) -> None:
    stage = stage_of(photos, every=3)
    assert [stage.is_unpaired(step) for step in range(6)] == [False, False, True, False, False, True]
    assert not stage.batch(2, 0)["paired"].any()
    assert stage.batch(1, 0)["paired"].all()
    assert torch.equal(stage.batch(5, 0)["image"], stage.batch(5, 0)["image"])
    assert not torch.equal(stage.batch(5, 0)["image"], stage.batch(5, 1)["image"])


@pytest.mark.parametrize("term", ["alignment", "cycle", "adversarial"])
def test_each_term_alone_changes_the_warp(photos: Path, term: str) -> None:
    off = dict.fromkeys(("alignment", "contextual", "cycle", "adversarial"), 0.0)
    stage = stage_of(photos, every=1, warm=1, **{**off, term: 1.0})
    assert ("discriminator" in stage.modules) == (term == "adversarial")
    before = {name: value.clone() for name, value in stage.network.state_dict().items()}
    context = lent(stage, 0)
    scalars = stage.train_step(stage.batch(0, 0), context)
    assert {name for name in scalars if name in {f"unpaired_{word}" for word in off}} == {f"unpaired_{term}"}
    assert all(torch.isfinite(torch.as_tensor(value)) for value in scalars.values())
    assert float(scalars["unpaired_norm"]) > 0
    assert any(not torch.equal(value, before[name]) for name, value in stage.network.state_dict().items())


def test_contextual_is_computed_where_there_is_a_feature_network(photos: Path) -> None:
    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1) for i in range(3))

        def forward(self, x: Tensor) -> list[Tensor]:
            found = []
            for layer in self.layers:
                x = layer(x).relu()
                found.append(x)
            return found

    stage = stage_of(photos, every=1, alignment=0.0, cycle=0.0, adversarial=0.0)
    with pytest.raises(ValueError, match="every weight of an unpaired step is 0"):
        stage.train_step(stage.batch(0, 0), lent(stage, 0))
    stage.frozen = {"judge": Judge().requires_grad_(False)}
    scalars = stage.train_step(stage.batch(0, 0), lent(stage, 0))
    assert float(scalars["unpaired_contextual"]) > 0
    assert float(scalars["unpaired_norm"]) > 0


def test_alignment_comes_in_late(photos: Path) -> None:
    stage = stage_of(photos, every=1, cycle=0.5, adversarial=0.0)
    context = lent(stage, 0)
    context.progress = 0.1
    assert float(stage.train_step(stage.batch(0, 0), context)["unpaired_alignment"]) == 0


def test_the_command_trains_it(photos: Path, tmp_path: Path) -> None:
    config = command.Config(
        "unpaired",
        Path(f"folder:{photos}"),
        tmp_path,
        steps=4,
        batch=1,
        size=64,
        precision="32-true",
        evaluations=1,
        set=("evaluated=2", "r1_every=1"),
        tensorboard=False,
        accelerator="cpu",
        threads=1,
    )
    assert command.run(config) == 0
    last = json.loads((tmp_path / "checkpoints" / "last.json").read_text())["checkpoint"]
    names = {path.name for path in (tmp_path / "checkpoints" / last).glob("*.safetensors")}
    assert names == {"state.safetensors", "warp.safetensors", "discriminator.safetensors"}

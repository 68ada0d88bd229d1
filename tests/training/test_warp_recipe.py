"""The warp with all of the losses of the patent: each term by its weight alone, and the way back of the cycle."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the training extra")
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.data import TaskConfig, TaskSampler, toy_collection
from layoutbrush.training.losses.warp_back import warp_back
from layoutbrush.training.stages.warp_recipe import Settings, WarpRecipeStage
from layoutbrush.training.trainer.stage import DataOptions


class Pools(nn.Module):
    """A feature network without weights: three scales of the picture."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x, F.avg_pool2d(x, 2), F.avg_pool2d(x, 4)


def test_what_was_copied_comes_back_to_where_it_was() -> None:
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 4, 8)
    key = F.normalize(torch.randn(1, 4, 8, 32), dim=-1)
    hole, valid = torch.zeros(1, 4, 8, dtype=torch.bool), torch.zeros(1, 4, 8, dtype=torch.bool)
    hole[:, :, :3], valid[:, :, 4:] = True, True
    # the hole's column x shows the photo's column x + 5
    painted, query = photo.clone(), key.clone()
    painted[..., :3], query[:, :, :3] = photo[..., 5:], key[:, :, 5:]
    returned, reached = warp_back(painted, query, key, hole, valid, temperature=0.005)
    assert reached[0, 0].sum() == 12
    assert (reached[0, 0, :, 5:] == 1).all()
    torch.testing.assert_close(returned[..., 5:], photo[..., 5:], atol=1e-4, rtol=0)
    assert float(returned[..., :5].abs().max()) == 0
    nothing = warp_back(painted, query, key, torch.zeros_like(hole), valid)
    assert float(nothing[1].sum()) == 0


def test_the_way_back_has_gradients_to_all_that_made_it() -> None:
    torch.manual_seed(0)
    tensors = [torch.rand(1, 3, 4, 4), torch.randn(1, 4, 4, 8), torch.randn(1, 4, 4, 8)]
    image, query, key = (x.requires_grad_() for x in tensors)
    where = torch.ones(1, 4, 4, dtype=torch.bool)
    warp_back(image, query, key, where, where, temperature=1.0)[0].square().sum().backward()
    for tensor in (image, query, key):
        assert tensor.grad is not None
        assert float(tensor.grad.abs().sum()) > 0


class Lent:
    """The least of a context."""

    step, progress, device = 0, 1.0, torch.device("cpu")

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self.modules = modules
        self.losses: list[Tensor] = []

    def autocast(self) -> Any:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def update(self, name: str) -> float:
        return 1.0

    def frozen(self, name: str) -> Any:
        return nullcontext()


def step_with(**weights: float) -> dict[str, float]:
    base: dict[str, Any] = {"l1": 1.0, "feature": 0.0, "correspondence": 0.0, "dense": 0.0, "evaluated": 1, **weights}
    photos = TaskSampler([toy_collection(4, seed=1)], TaskConfig(size=64, seed=3, manipulate=0, fill=0))
    stage = WarpRecipeStage(Settings(**base), DataOptions(Path(), 1, 64), {64: photos}, photos, Pools())
    torch.manual_seed(0)
    scalars = stage.train_step(stage.batch(0, 0), Lent(stage.modules))
    gradients = [p.grad for p in stage.network.parameters() if p.grad is not None]
    assert sum(float(g.abs().sum()) for g in gradients) > 0
    return {name: float(value) for name, value in scalars.items() if name not in ("norm", "key_norm")}


def test_each_term_comes_with_its_weight_alone() -> None:
    assert set(step_with()) == {"l1"}
    for name in ("alignment", "perceptual", "contextual", "cycle"):
        once, twice = step_with(**{name: 1.0}), step_with(**{name: 2.0})
        assert set(once) == {"l1", name}
        assert once[name] > 0
        assert twice[name] == pytest.approx(2 * once[name], rel=1e-3)
    assert set(step_with(alignment=1.0, alignment_from=1.5, alignment_full=2.0)) == {"l1"}

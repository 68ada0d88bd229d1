"""One training process of test_scale: `python scale_run.py FOLDER DEVICES STEPS PRECISION [HELD_STEP]`.

With two devices Fabric starts the same command a second time. Each process writes what it saw: its batches, its
norms of its shared gradients, its weights. A held step waits to be killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layoutbrush.training.data import TaskConfig, TaskSampler, toy_collection
from layoutbrush.training.trainer import Batch, Context, Optimization, Report
from layoutbrush.training.trainer.loop import LoopSettings, train

COUNT = 2


class Net(nn.Module):
    """A few convolutions, one of them unused in every second step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.spare = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.last = nn.BatchNorm2d(8), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor, spare: bool) -> Tensor:
        x = self.norm(self.first(image)).relu()
        found: Tensor = self.last(self.spare(x) if spare else x)
        return found


@dataclass
class Toy:
    """Pictures in, truths out."""

    folder: Path
    devices: int
    held: int
    name: str = "toy"
    frozen: Mapping[str, nn.Module] = field(default_factory=dict)
    averaged: frozenset[str] = frozenset({"net"})

    def __post_init__(self) -> None:
        torch.manual_seed(int(os.environ.get("LOCAL_RANK", "0")))  # the loop must make the weights equal
        self.net = Net()
        self.modules: Mapping[str, nn.Module] = {"net": self.net}
        self.sampler = TaskSampler([toy_collection(8, side=64)], TaskConfig(size=32))
        self.seen: dict[str, list[Any]] = {"tasks": [], "norms": [], "dtypes": []}
        self.net.first.register_forward_hook(lambda *args: self.seen["dtypes"].append(str(args[-1].dtype)))

    def optimizations(self) -> Mapping[str, Optimization]:
        return {"net": Optimization(torch.optim.Adam(self.net.parameters(), 1e-2), clip=5.0)}

    def batch(self, step: int, rank: int) -> Batch:
        return self.sampler.batch(step, COUNT, rank)

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        if context.step == self.held:
            time.sleep(400)
        self.seen["tasks"] += [[float(x.double().sum()), float(x.double().square().sum())] for x in batch["image"]]
        image = batch["image"] + 0.01 * torch.randn_like(batch["image"])
        found = context.modules["net"](image, context.step % 2 == 1)
        loss = (found.float() - batch["truth"]).abs().mean()
        context.backward(loss)
        if context.step % 3 == 2:  # a gradient of a gradient, past the wrapper, as R1 takes it
            picture = image.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.net(picture, True).square().sum(), picture, create_graph=True)
            context.backward(1e-3 * slope.square().mean())
        norm = context.update("net")
        self.seen["norms"].append(norm)
        return {"loss": loss.detach(), "norm": norm}

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        weight = float(modules["net"].last.weight.sum())  # type: ignore[operator,union-attr]
        return Report({"weight": weight}, weight)

    def describe(self) -> Mapping[str, object]:
        return {}


def main() -> None:
    folder, devices, steps, precision = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(1)
    stage = Toy(folder, devices, int(sys.argv[5]) if len(sys.argv) > 5 else -1)
    settings = LoopSettings(
        folder, steps=steps, devices=devices, precision=precision, accelerator="cpu", log_every=1, tensorboard=False,
        evaluate_every=2,
    )  # fmt: skip
    train(stage, settings)
    from safetensors.torch import save_file

    rank = int(os.environ.get("LOCAL_RANK", "0"))
    save_file(
        {name: value.clone() for name, value in stage.net.state_dict().items()}, folder / f"rank{rank}.safetensors"
    )
    (folder / f"rank{rank}.json").write_text(json.dumps(stage.seen))


if __name__ == "__main__":
    main()

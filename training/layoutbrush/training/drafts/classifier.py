"""A classifier of objects' crops, trained on real ones, and the stage that trains it.

    layoutbrush train --stage draft-classifier --data DATA --run runs/classifier --minutes 10 --size 64 --batch 32

The source's is a ResNet-101; this one is small, so its row of real crops must be read beside every figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.drafts.batches import Pictures, boxed_batch, random_batch
from layoutbrush.training.drafts.boxed_photo import BoxedSet
from layoutbrush.training.drafts.encoders import normalised
from layoutbrush.training.drafts.opening import BoxSettings, open_sets
from layoutbrush.training.drafts.placing import object_crops
from layoutbrush.training.drafts.scores import accuracy, chance
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report, warm_then_linear
from layoutbrush.training.trainer.weights import load_module, load_weights


class CropClassifier(nn.Module):
    """Crops (N, 3, c, c) in [0, 1], any c of 16 or more -> logits (N, labels)."""

    def __init__(self, labels: int, width: int = 32) -> None:
        super().__init__()
        self.arguments = {"labels": labels, "width": width}
        layers: list[nn.Module] = []
        channels = 3
        for out in (width, 2 * width, 4 * width, 4 * width):
            layers += [nn.Conv2d(channels, out, 3, 2, 1), normalised(out), nn.ReLU()]
            layers += [nn.Conv2d(out, out, 3, 1, 1), normalised(out), nn.ReLU()]
            channels = out
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(channels, labels))

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.head(self.layers(crops * 2 - 1).mean((2, 3)))
        return logits


def load_classifier(path: Path) -> CropClassifier:
    """From a `.safetensors` and the `.json` beside it, in eval mode, without gradients. Raises WeightsError."""
    return load_module(path, CropClassifier).requires_grad_(False)


@dataclass(frozen=True)
class Settings(BoxSettings):
    """Data as the stage `drafts` has it; ``width`` of the network; AdamW's ``rate`` after ``warm`` steps and
    ``decay``; ``smoothing`` of the labels; ``evaluated``: validation photos.
    """

    width: int = 32
    rate: float = 1e-3
    warm: int = 50
    decay: float = 0.01
    smoothing: float = 0.05
    evaluated: int = 256


class ClassifierStage:
    """See the module's docstring."""

    name = "draft-classifier"

    def __init__(self, settings: Settings, data: DataOptions, sets: tuple[BoxedSet, BoxedSet]) -> None:
        self.settings, self.data = settings, data
        train, validation = sets
        torch.manual_seed(data.seed)
        self.modules: Mapping[str, nn.Module] = {"classifier": CropClassifier(len(train.labels), settings.width)}
        if "classifier" in data.initial:
            load_weights(data.initial["classifier"], self.modules["classifier"])
        self.frozen: Mapping[str, nn.Module] = {}
        self.averaged = frozenset({"classifier"})
        self._pictures = Pictures(train.photos, data.size)
        self._validation = Pictures(validation.photos[: settings.evaluated], data.size)

    def optimizations(self) -> Mapping[str, Optimization]:
        s = self.settings
        adam = torch.optim.AdamW(self.modules["classifier"].parameters(), s.rate, weight_decay=s.decay)
        return {"classifier": Optimization(adam, warm_then_linear(s.warm, 0.02), clip=5.0)}

    def batch(self, step: int, rank: int) -> Batch:
        rng = np.random.default_rng([self.data.seed, step, rank])
        found = random_batch(self._pictures, self.data.batch, self.settings.most, rng, flip=self.settings.flip)
        crops = object_crops(found["image"], found["boxes"], found["valid"], self.data.size // 2)
        return {"crops": crops, "labels": found["labels"][found["valid"]]}

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        logits = context.modules["classifier"](batch["crops"]).float()
        loss = F.cross_entropy(logits, batch["labels"], label_smoothing=self.settings.smoothing)
        context.backward(loss)
        return {"cross_entropy": loss.detach(), "norm": context.update("classifier")}

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        network = modules["classifier"]
        device = next(network.parameters()).device
        found, wanted = [], []
        for index in range(len(self._validation)):
            part = boxed_batch(self._validation, [index], self.settings.most)
            crops = object_crops(part["image"], part["boxes"], part["valid"], self.data.size // 2)
            found.append(network(crops.to(device)).float().cpu())
            wanted.append(part["labels"][part["valid"]])
        labels = torch.cat(wanted)
        right = accuracy(torch.cat(found), labels)
        return Report({"accuracy": right, "chance": chance(labels), "objects": float(len(labels))}, 1 - right)

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def build(settings: Settings, data: DataOptions) -> ClassifierStage:
    """The stage on the photos of ``settings.kind`` below ``data.folder``. Raises DataError, WeightsError."""
    return ClassifierStage(settings, data, open_sets(settings, data))

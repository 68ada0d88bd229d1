"""The visual-semantic encoder learns the features of a fixed ImageNet network (Romero et al., FitNets, ICLR 2015).

One linear head a level turns the encoder's features into the teacher's at the same scale; the heads are thrown away
afterwards. No labels are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.data import TaskConfig, TaskSampler, open_collections
from layoutbrush.training.data.batch import photo_batch
from layoutbrush.training.metrics.features import FeatureError, load_features
from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report
from layoutbrush.training.trainer.weights import load_weights

TEACHER_TAPS = (0, 1, 2, 6)
"""SqueezeNet's layers at 1/2, 1/4, 1/8 and 1/16: after the first convolution, fire 4, fire 7 and fire 12."""
TEACHER_CHANNELS = (64, 128, 256, 512)
SPARSITY = (4, 2, 1, 1)
"""The losses look at every n-th row and column of a level: the fine levels would cost more than the networks."""


@dataclass(frozen=True)
class Settings:
    """Data, loss weights and the optimizer's constants.

    ``collections`` and ``shares``: folders below the data folder, photos without labels too, and how often each is
    drawn; ``validation``: those with a val list; ``zoom``: bounds of the enlargement of photos; ``layers``: weight of
    each level's loss; ``rate``: of AdamW at its height, after ``warm`` steps; ``evaluated``: validation crops.
    """

    collections: tuple[str, ...] = ("scenes", "streets")
    shares: tuple[float, ...] = (0.65, 0.35)
    validation: tuple[str, ...] = ("scenes", "streets")
    zoom: tuple[float, float] = (0.6, 1.6)
    color: float = 1.5
    layers: tuple[float, ...] = (0.5, 1.0, 1.0, 1.0)
    rate: float = 2e-3
    warm: int = 200
    decay: float = 1e-4
    evaluated: int = 48


def standardized(features: Tensor) -> Tensor:
    """Zero mean and unit variance of each channel over the batch, (B, C, h, w) float32."""
    features = features.float()
    deviation, mean = torch.std_mean(features, dim=(0, 2, 3), keepdim=True)
    return (features - mean) / (deviation + 1e-2 * deviation.mean() + 1e-6)


def feature_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared error plus cosine distance of standardized features, about 2 for an ignorant student."""
    found = found.float()
    return F.mse_loss(found, wanted) + (1 - F.cosine_similarity(found, wanted, dim=1)).mean()


class Heads(nn.Module):
    """A linear map a level from the student's channels to the teacher's."""

    def __init__(self, channels: Sequence[int], wanted: Sequence[int]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(channels, wanted, strict=True))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One (B, wanted[i], h, w) a level."""
        return tuple(head(f) for head, f in zip(self.maps, features, strict=True))


class DistillStage:
    """See the module's docstring."""

    name = "distill"

    def __init__(self, settings: Settings, data: DataOptions, teacher: nn.Module) -> None:
        self.settings, self.data = settings, data
        torch.manual_seed(data.seed)
        student = VisualSemanticEncoder()
        if "visual_semantic" in data.initial:
            load_weights(data.initial["visual_semantic"], student)
        heads = Heads(student.channels, TEACHER_CHANNELS)
        self.modules: Mapping[str, nn.Module] = {"visual_semantic": student, "heads": heads}
        self.frozen: Mapping[str, nn.Module] = {"teacher": teacher}
        self.averaged = frozenset({"visual_semantic", "heads"})
        config = TaskConfig(size=data.size, seed=data.seed, zoom=settings.zoom, color=settings.color, loosen=0)
        names, shares = settings.collections, settings.shares[: len(settings.collections)]
        self._sampler = TaskSampler(open_collections(data.folder, names, "train", shares), config)
        held_out = open_collections(data.folder, settings.validation, "val")
        self._validation = TaskSampler(held_out, TaskConfig(size=data.size, seed=1, color=0, loosen=0))

    def optimizations(self) -> Mapping[str, Optimization]:
        return {
            name: Optimization(
                torch.optim.AdamW(module.parameters(), self.settings.rate, weight_decay=self.settings.decay),
                self._rate,
                clip=5.0,
            )
            for name, module in self.modules.items()
        }

    def _rate(self, progress: float, step: int) -> float:
        return min(1.0, (step + 1) / self.settings.warm) * (1 - progress) ** 0.9

    def batch(self, step: int, rank: int) -> Batch:
        crops = [self._sampler.crop(step, index, rank) for index in range(self.data.batch)]
        return photo_batch([c.image for c in crops], [c.labels for c in crops])

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        with torch.no_grad(), context.autocast():
            wanted = self.frozen["teacher"](batch["image"])
        losses = self._losses(batch["image"], wanted, context.modules)
        loss = torch.stack([w * x for w, x in zip(self.settings.layers, losses, strict=True)]).sum()
        context.backward(loss)
        for name in self.modules:
            context.update(name)
        return {f"level{i + 1}": value.detach() for i, value in enumerate(losses)}

    def _losses(self, image: Tensor, wanted: Sequence[Tensor], modules: Mapping[str, nn.Module]) -> list[Tensor]:
        features = [f[..., ::n, ::n] for f, n in zip(modules["visual_semantic"](image), SPARSITY, strict=True)]
        wanted = [w[..., ::n, ::n] for w, n in zip(wanted, SPARSITY, strict=True)]
        found = modules["heads"](features)
        return [feature_loss(f, standardized(w)) for f, w in zip(found, wanted, strict=True)]

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        crops = [self._validation.crop(0, index).image for index in range(self.settings.evaluated)]
        device = next(modules["visual_semantic"].parameters()).device
        sums = torch.zeros(len(TEACHER_TAPS))
        for start in range(0, len(crops), 16):
            part = crops[start : start + 16]
            image = photo_batch(part, [c[..., 0] for c in part])["image"].to(device)
            losses = self._losses(image, self.frozen["teacher"](image), modules)
            sums += torch.stack(losses).cpu() * len(part) / len(crops)
        scalars = {f"level{i + 1}": float(value) for i, value in enumerate(sums)}
        return Report(scalars, float(sums.sum()))

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def build(settings: Settings, data: DataOptions) -> DistillStage:
    """The stage on photos below ``data.folder``. Raises DataError, FeatureError."""
    if data.weights is None:
        raise FeatureError("distillation needs the teacher's weights: --weights FOLDER")
    return DistillStage(settings, data, load_features(data.weights, taps=TEACHER_TAPS, aligned=True))

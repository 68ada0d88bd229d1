"""The segmentation network on photos with label maps: weighted cross entropy and soft intersection over union."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.runtime.pipeline.hiding import without
from layoutbrush.training.data import LABEL_NAMES, UNKNOWN, Collection, TaskConfig, TaskSampler, open_collections
from layoutbrush.training.data.batch import image_tensor, photo_batch
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.labels import colorize
from layoutbrush.training.data.photo import Photo
from layoutbrush.training.data.shapes import blob, brush
from layoutbrush.training.metrics.confusion import Confusion
from layoutbrush.training.metrics.features import load_features
from layoutbrush.training.models.segmentation import Segment, SegmentationNetwork, enlarged
from layoutbrush.training.sheets import grid
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report
from layoutbrush.training.trainer.weights import load_module, load_weights

LABELS = len(LABEL_NAMES)
HIDDEN_AREA = (0.05, 0.3)
"""Share of a crop that is hidden, where a part of it is."""
COUNTED = 1000
"""Photos of a collection from which the share of each label is taken."""


@dataclass(frozen=True)
class Settings:
    """Data, loss weights and the optimizer's constants.

    ``collections`` and ``shares``: folders below the data folder and how often each is drawn; ``zoom``: bounds of the
    enlargement of photos; ``balanced``: share of the crops around a pixel of an evenly drawn label; ``hidden``: share
    of the crops of which a part is hidden, colours from around in its place; ``power``: class
    weights are frequency^-power, bounded by ``bounds``; ``overlap``: weight of the soft intersection over union;
    ``smoothing``: of the labels; ``rate``: of AdamW at its height, after ``warm`` steps, ``trunk``: that of the
    pre-trained trunk as a factor; ``evaluated``: validation photos of each collection (0: all).

    ``pretrained``: start on an ImageNet trunk (`squeezenet`, from the folder of weights) to make a teacher;
    ``teacher``: weights of such a network, whose softened answers count with weight ``soft`` on every photo, with or
    without labels (Hinton, Vinyals, Dean 2015), at ``temperature``.
    """

    collections: tuple[str, ...] = ("scenes", "streets")
    shares: tuple[float, ...] = (0.55, 0.45)
    zoom: tuple[float, float] = (0.6, 1.9)
    color: float = 1.7
    balanced: float = 0.4
    hidden: float = 0.0
    power: float = 0.35
    bounds: tuple[float, float] = (0.5, 3.0)
    overlap: float = 0.5
    smoothing: float = 0.05
    rate: float = 1.5e-3
    trunk: float = 0.5
    warm: int = 150
    decay: float = 1e-3
    evaluated: int = 36
    pretrained: str = ""
    teacher: str = ""
    soft: float = 1.0
    temperature: float = 2.0


def class_weights(collections: Sequence[Collection], power: float, bounds: tuple[float, float]) -> Tensor:
    """(LABELS,) weights, frequency^-power with median 1, bounded; collections count by their sampling weights.

    Of a large collection COUNTED photos, spread evenly, stand for all.
    """
    share = np.zeros(LABELS)
    for collection in collections:
        counts = np.zeros(256, np.int64)
        for photo in spread(collection.labelled().photos, COUNTED):
            counts += np.bincount(photo.labels.ravel(), minlength=256)
        share += collection.weight * counts[:LABELS] / max(1, counts[:LABELS].sum())
    present = share > 0
    weights = np.ones(LABELS)
    weights[present] = (share[present] / np.median(share[present])) ** -power
    return torch.from_numpy(np.clip(weights, *bounds)).float()


def soft_overlap(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 - intersection over union of probabilities (B, L, H, W) and labels (B, H, W), mean over the labels present.

    Counted over the whole batch (Rahman and Wang 2016); pixels of UNKNOWN don't count.
    """
    known = (labels != UNKNOWN)[:, None]
    wanted = F.one_hot(labels.clamp_max(probabilities.shape[1] - 1).long(), probabilities.shape[1])
    wanted = wanted.permute(0, 3, 1, 2) * known  # (B, L, H, W)
    found = probabilities * known
    hits = (found * wanted).sum((0, 2, 3))
    size = wanted.sum((0, 2, 3))
    union = found.sum((0, 2, 3)) + size - hits
    present = size > 0
    return (1 - hits / union.clamp_min(1))[present].mean() if present.any() else hits.sum() * 0


class SegmentationStage:
    """See the module's docstring."""

    name = "segmentation"

    def __init__(self, settings: Settings, data: DataOptions) -> None:
        self.settings, self.data = settings, data
        torch.manual_seed(data.seed)
        network = SegmentationNetwork(trunk={"pretrained": settings.pretrained} if settings.pretrained else None)
        if settings.pretrained and data.weights is not None:
            network.trunk.load_state_dict(load_features(data.weights, "squeezenet", (0, 1, 2, 6), True).state_dict())
        if "visual_semantic" in data.initial:
            load_weights(data.initial["visual_semantic"], network.trunk)
        if "segmentation" in data.initial:
            load_weights(data.initial["segmentation"], network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on a CPU
        self.modules: Mapping[str, nn.Module] = {"segmentation": network}
        self.frozen: Mapping[str, nn.Module] = {"teacher": _teacher(settings.teacher)} if settings.teacher else {}
        self.averaged = frozenset({"segmentation"})
        train = open_collections(
            data.folder, settings.collections, "train", settings.shares[: len(settings.collections)]
        )
        self._weights = class_weights(train, settings.power, settings.bounds)
        config = TaskConfig(size=data.size, seed=data.seed, zoom=settings.zoom, color=settings.color, loosen=0)
        self._sampler = TaskSampler(train, config)
        labelled = [c.name for c in train if c.labelled().photos]
        self._validation = open_collections(data.folder, labelled, "val")

    def optimizations(self) -> Mapping[str, Optimization]:
        s, network = self.settings, self.modules["segmentation"]
        trunk = [p for name, p in network.named_parameters() if name.startswith("trunk.")]
        rest = [p for name, p in network.named_parameters() if not name.startswith("trunk.")]
        groups = [{"params": trunk, "lr": s.rate * s.trunk}, {"params": rest, "lr": s.rate}]
        return {
            "segmentation": Optimization(torch.optim.AdamW(groups, weight_decay=s.decay), self._rate, clip=5.0),
        }

    def _rate(self, progress: float, step: int) -> float:
        return min(1.0, (step + 1) / self.settings.warm) * (1 - progress) ** 0.9

    def batch(self, step: int, rank: int) -> Batch:
        crops = [
            self._sampler.crop(step, index, rank, labelled=not self.frozen, balanced=self.settings.balanced)
            for index in range(self.data.batch)
        ]
        batch = photo_batch([c.image for c in crops], [c.labels for c in crops])
        if self.settings.hidden > 0:
            rng = np.random.default_rng([self.data.seed, rank, step, 1])
            batch["seen"] = image_tensor([partly_hidden(rng, c.image, self.settings.hidden) for c in crops])
        return batch

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        s, labels = self.settings, batch["labels"]
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        seen = batch["seen"].contiguous(memory_format=torch.channels_last) if "seen" in batch else image
        half = context.modules["segmentation"](seen).float()
        logits = enlarged(half, 2)
        entropy = F.cross_entropy(
            logits,
            labels.long(),
            self._weights.to(logits.device),
            ignore_index=UNKNOWN,
            label_smoothing=s.smoothing,
        )
        # Every second pixel is enough for areas.
        overlap = soft_overlap(logits[..., ::2, ::2].softmax(1), labels[..., ::2, ::2])
        terms = {"entropy": entropy, "overlap": s.overlap * overlap}
        if self.frozen:
            terms["soft"] = s.soft * self._soft(half, image, context)
        context.backward(torch.stack(list(terms.values())).sum())
        norm = context.update("segmentation")
        return {**{name: term.detach() for name, term in terms.items()}, "norm": norm}

    def _soft(self, logits: Tensor, image: Tensor, context: Context) -> Tensor:
        """Divergence from the teacher's softened answers at half the size, (B, L, H/2, W/2) logits."""
        temperature = self.settings.temperature
        with torch.no_grad(), context.autocast():
            wanted = self.frozen["teacher"](image)
        found = (logits / temperature).log_softmax(1)
        wanted = (wanted.float() / temperature).softmax(1)
        return temperature**2 * F.kl_div(found, wanted, reduction="none").sum(1).mean()

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        network = modules["segmentation"]
        scalars: dict[str, float] = {}
        rows: list[list[UInt8]] = []
        for collection in self._validation:
            photos = spread(collection.photos, self.settings.evaluated)
            confusion = Confusion(LABELS)
            for index, photo in enumerate(photos):
                found = segment_photo(network, photo.image)
                confusion.add(photo.labels, found)
                if index < 4:
                    rows.append([photo.image, colorize(photo.labels), colorize(found)])
            scalars[f"{collection.name}/accuracy"] = confusion.accuracy()
            scalars[f"{collection.name}/mean_iou"] = confusion.mean_iou()
            for name, value in zip(LABEL_NAMES, confusion.iou(), strict=True):
                if np.isfinite(value):
                    scalars[f"{collection.name}/iou_{name}"] = float(value)
        means = [value for name, value in scalars.items() if name.endswith("mean_iou")]
        return Report(scalars, -float(np.mean(means)), {"segmentation": grid(rows)})

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def _teacher(path: str) -> SegmentationNetwork:
    network = load_module(Path(path), SegmentationNetwork)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def segment_photo(network: nn.Module, image: UInt8) -> UInt8:
    """Label ids (H, W) uint8 of a photo (H, W, 3) of any size; its border is repeated to multiples of 16."""
    height, width = image.shape[:2]
    device = next(network.parameters()).device
    below, right = -height % 16, -width % 16
    padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    with torch.no_grad():
        labels, _, _ = Segment(network)(image_tensor([padded]).to(device))  # type: ignore[arg-type]
    found: UInt8 = labels[0, :height, :width].cpu().numpy().astype(np.uint8)
    return found


def partly_hidden(rng: np.random.Generator, image: UInt8, share: float) -> UInt8:
    """A square picture (S, S, 3), of `share` of the draws without what a stroke or a blob hides."""
    if rng.random() >= share:
        return image
    shape = brush if rng.random() < 0.5 else blob
    return without(image, shape(rng, image.shape[0], float(rng.uniform(*HIDDEN_AREA))))


def spread(photos: Sequence[Photo], count: int) -> list[Photo]:
    """`count` photos spread evenly over the list; all for 0."""
    if count <= 0 or count >= len(photos):
        return list(photos)
    return [photos[int(i)] for i in np.linspace(0, len(photos) - 1, count).round()]


def build(settings: Settings, data: DataOptions) -> SegmentationStage:
    """The stage on photos below ``data.folder``; ``data.initial`` may name `visual_semantic` (the trunk) or
    `segmentation`. Raises DataError, WeightsError.
    """
    return SegmentationStage(settings, data)

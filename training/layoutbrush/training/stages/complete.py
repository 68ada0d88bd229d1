"""The completion network on photos with label maps: labels are hidden under masks like those of edits, and found again.

Cross entropy over the hidden pixels whose label is known, each task counting the same. Photos of a plain folder take
part with the segmentation network's labels (a data.toml, see `data.spec`). Where an edit has no label at all, those
around the gap are the segmenter's, and wrong in places: with ``segmenter`` a share of the tasks is like that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.runtime.pipeline.hiding import without
from layoutbrush.training.data import LABEL_NAMES, UNKNOWN, Collection, TaskConfig, TaskSampler, open_collections
from layoutbrush.training.data.batch import image_tensor, label_tensor
from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.labels import colorize
from layoutbrush.training.data.shapes import blob
from layoutbrush.training.data.task import Task
from layoutbrush.training.models.completion import Complete, CompletionNetwork, first_guess
from layoutbrush.training.models.labels import one_hot
from layoutbrush.training.models.segmentation import SegmentationNetwork, enlarged
from layoutbrush.training.sheets import grid
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report
from layoutbrush.training.trainer.weights import load_module, load_weights

LABELS = len(LABEL_NAMES)
ENLARGED = 1.4
"""How much larger than the crop the segmenter sees it: about as the pipeline looks at photos."""
FIGURES = ("right", "guess", "entropy", "right_segmented")
"""Share of right labels, of the network and of its first guess, entropy, and the share where the labels around are
those of the segmenter."""
SHOWN = 8
"""Tasks of a collection on the contact sheet."""


@dataclass(frozen=True)
class Settings:
    """Data and the optimizer's constants.

    ``collections`` and ``shares``: folders below the data folder and how often each is drawn; ``zoom``: bounds of the
    enlargement of photos; ``area``: share of the picture that is hidden; ``foreign``: share of tasks whose mask is a
    segment of another photo or a stroke, the others are holes; ``partly``: share of tasks of which labels under a part
    of the mask stay known; ``blind``: share of tasks that show no photo; ``loosen``, ``forget_some``: see
    `data.sampler.TaskConfig`; ``segmenter``: weights of a segmentation network ("": none), whose labels of the photo
    without what the mask hides stand outside the mask in ``segmented`` of the tasks; ``smoothing``: of the labels;
    ``rate``: of AdamW at its height, after ``warm`` steps, falling to 0; ``evaluated``: validation tasks of each
    collection.
    """

    collections: tuple[str, ...] = ("scenes", "streets")
    shares: tuple[float, ...] = (0.5, 0.5)
    zoom: tuple[float, float] = (0.66, 1.25)
    area: tuple[float, float] = (0.05, 0.32)
    foreign: float = 0.7
    partly: float = 0.15
    blind: float = 0.1
    loosen: float = 0.3
    forget_some: float = 0.08
    segmenter: str = ""
    segmented: float = 0.5
    smoothing: float = 0.03
    rate: float = 1.5e-3
    warm: int = 100
    decay: float = 2e-3
    evaluated: int = 64


class CompleteStage:
    """See the module's docstring."""

    name = "complete"

    def __init__(self, settings: Settings, data: DataOptions) -> None:
        self.settings, self.data = settings, data
        torch.manual_seed(data.seed)
        network = CompletionNetwork()
        if "completion" in data.initial:
            load_weights(data.initial["completion"], network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU
        self.modules: Mapping[str, nn.Module] = {"completion": network}
        self.frozen: Mapping[str, nn.Module] = {}
        if settings.segmenter:
            segmenter = load_module(Path(settings.segmenter), SegmentationNetwork)
            self.frozen = {"segmenter": segmenter.to(memory_format=torch.channels_last)}  # type: ignore[call-overload]
        self.averaged = frozenset({"completion"})
        names, shares = settings.collections, settings.shares[: len(settings.collections)]
        train = [part.labelled() for part in open_collections(data.folder, names, "train", shares)]
        self._sampler = TaskSampler(train, self._tasks(data.size, data.seed))
        self._validation = open_collections(data.folder, names, "val")

    def _tasks(self, size: int, seed: int, *, plain: bool = False) -> TaskConfig:
        """What tasks are like; ``plain``: with labels as the data set has them."""
        s = self.settings
        return TaskConfig(
            size=size,
            seed=seed,
            foreign=s.foreign,
            manipulate=0,
            fill=1 - s.foreign,
            zoom=s.zoom,
            area=s.area,
            color=0.0 if plain else 1.5,
            loosen=0.0 if plain else s.loosen,
            forget_all=0,
            forget_some=0.0 if plain else s.forget_some,
            forget_hole=0,
        )

    def optimizations(self) -> Mapping[str, Optimization]:
        s = self.settings
        adam = torch.optim.AdamW(self.modules["completion"].parameters(), s.rate, weight_decay=s.decay)
        return {"completion": Optimization(adam, self._rate, clip=5.0)}

    def _rate(self, progress: float, step: int) -> float:
        return min(1.0, (step + 1) / self.settings.warm) * (1 - progress) ** 0.9

    def batch(self, step: int, rank: int) -> Batch:
        tasks = [self._sampler.task(step, index, rank) for index in range(self.data.batch)]
        rng = np.random.default_rng([self.data.seed, rank, step, 1])
        batch = completion_batch(tasks, [self._hidden(rng, task) for task in tasks])
        if self.frozen:
            batch["segmented"] = torch.from_numpy(rng.random(len(tasks)) < self.settings.segmented)
            batch["without"] = _without(tasks)
        return batch

    def _hidden(self, rng: np.random.Generator, task: Task) -> Bool:
        """The pixels whose label is hidden: those of the mask, in some tasks only a part of them."""
        if rng.random() >= self.settings.partly:
            return task.mask
        part = task.mask & blob(rng, task.mask.shape[0], float(rng.uniform(0.2, 0.7)))
        return part if part.any() else task.mask

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        image = batch["image"]
        shown = torch.rand(len(image), 1, 1, device=image.device) >= self.settings.blind
        edited = batch["edited"]
        if self.frozen:
            with context.autocast():
                edited = self._segmented(batch, batch["segmented"])
        logits = context.modules["completion"](image, edited, batch["mask"] | ~shown)
        loss = hidden_entropy(logits.float(), batch["truth"], batch["hidden"], self.settings.smoothing)
        context.backward(loss)
        norm = context.update("completion")
        with torch.no_grad():
            right, guessed = (correct(x, batch["truth"], batch["hidden"]) for x in (logits, _guess(edited)))
        return {"entropy": loss.detach(), "right": right.mean(), "guess": guessed.mean(), "norm": norm}

    @torch.no_grad()
    def _segmented(self, batch: Mapping[str, Tensor], chosen: Tensor) -> Tensor:
        """The labels to start from, (B, S, S) int32, in the chosen tasks, (B,) bool, the segmenter's."""
        edited = batch["edited"].clone()
        if chosen.any():
            photos = batch["without"][chosen].contiguous(memory_format=torch.channels_last)
            found = segmented(self.frozen["segmenter"], photos)
            edited[chosen] = torch.where(batch["hidden"][chosen], UNKNOWN, found)
        return edited

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        network = modules["completion"]
        device = next(network.parameters()).device
        scalars: dict[str, float] = {}
        rows: list[list[UInt8]] = []
        for collection in self._validation:
            found: list[Tensor] = []
            for tasks in _validation_tasks(collection, self._tasks(self.data.size, 0, plain=True), self.settings):
                batch = completion_batch(tasks, [task.mask for task in tasks])
                if self.frozen:
                    batch["without"] = _without(tasks)
                batch = {name: value.to(device) for name, value in batch.items()}
                inputs = batch["image"], batch["edited"], batch["mask"]
                logits = network(*inputs).float()
                figures = [
                    correct(logits, batch["truth"], batch["hidden"]),
                    correct(_guess(batch["edited"]), batch["truth"], batch["hidden"]),
                    hidden_entropy(logits, batch["truth"], batch["hidden"], 0.0).expand(len(tasks)),
                ]
                if self.frozen:
                    edited = self._segmented(batch, torch.ones(len(tasks), dtype=torch.bool, device=device))
                    scores = network(batch["image"], edited, batch["mask"])
                    figures.append(correct(scores, batch["truth"], batch["hidden"]))
                found.append(torch.stack(figures, 1).cpu())
                if len(found) <= SHOWN // 4:
                    rows += _rows(tasks[:4], Complete(network)(*inputs)[0])  # type: ignore[arg-type]
            names = FIGURES if self.frozen else FIGURES[:3]
            for name, value in zip(names, torch.cat(found).mean(0).tolist(), strict=True):
                scalars[f"{collection.name}/{name}"] = value
        means = [value for name, value in scalars.items() if "/right" in name]
        return Report(scalars, -float(np.mean(means)), {"completion": grid(rows)})

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def completion_batch(tasks: list[Task], hidden: list[Bool]) -> dict[str, Tensor]:
    """image (B, 3, S, S) float32 in [0, 1]; truth, the labels, and edited, those without the hidden ones, (B, S, S)
    int32; mask, where the photo doesn't count, and hidden (B, S, S) bool."""
    gaps = [np.where(gap, np.uint8(UNKNOWN), task.edited) for task, gap in zip(tasks, hidden, strict=True)]
    return {
        "image": image_tensor([task.image for task in tasks]),
        "truth": label_tensor([task.edited for task in tasks]),
        "edited": label_tensor(gaps),
        "mask": torch.from_numpy(np.stack([task.mask for task in tasks])),
        "hidden": torch.from_numpy(np.stack(hidden)),
    }


def hidden_entropy(logits: Tensor, truth: Tensor, hidden: Tensor, smoothing: float) -> Tensor:
    """Cross entropy of logits (B, K, H/4, W/4) over the hidden pixels of known truth (B, H, W), each task counting the
    same.
    """
    wanted = torch.where(hidden & (truth != UNKNOWN), truth, UNKNOWN)[:, 2::4, 2::4].long()
    entropy = F.cross_entropy(logits, wanted, ignore_index=UNKNOWN, reduction="none", label_smoothing=smoothing)
    counted = (wanted != UNKNOWN).float()
    return (entropy.sum((1, 2)) / counted.sum((1, 2)).clamp_min(1)).mean()


def correct(scores: Tensor, truth: Tensor, hidden: Tensor) -> Tensor:
    """(B,) share of the hidden pixels of known truth (B, H, W) whose label has the best of scores (B, K, h, w)."""
    best = enlarged(scores.float(), truth.shape[-1] // scores.shape[-1]).argmax(1)
    counted = hidden & (truth != UNKNOWN)
    return ((best == truth) & counted).sum((1, 2)) / counted.sum((1, 2)).clamp_min(1)


def _guess(edited: Tensor) -> Tensor:
    return first_guess(one_hot(edited, LABELS))


def _without(tasks: list[Task]) -> Tensor:
    """The photos without what the masks hide, (B, 3, S, S)."""
    return image_tensor([without(task.image, task.mask) for task in tasks])


def segmented(network: nn.Module, photos: Tensor) -> Tensor:
    """Labels (B, S, S) int32 of photos (B, 3, S, S), looked at ENLARGED times as large."""
    side = photos.shape[-1]
    large = 16 * round(side * ENLARGED / 16)
    scores = network(F.interpolate(photos, size=(large, large), mode="bilinear", align_corners=False)).float()
    return F.interpolate(scores, size=(side, side), mode="bilinear", align_corners=False).argmax(1).int()


def _validation_tasks(collection: Collection, config: TaskConfig, settings: Settings) -> list[list[Task]]:
    """The same tasks at every evaluation, eight at a time."""
    sampler = TaskSampler([collection.labelled()], config)
    tasks = [sampler.task(step) for step in range(max(1, settings.evaluated))]
    return [tasks[start : start + 8] for start in range(0, len(tasks), 8)]


def _rows(tasks: list[Task], found: Tensor) -> list[list[UInt8]]:
    """Photo, layout with the gap, completed layout, truth."""
    rows = []
    for task, labels in zip(tasks, found.cpu().numpy().astype(np.uint8), strict=False):
        gap = np.where(task.mask, np.uint8(UNKNOWN), task.edited)
        rows.append([task.image, colorize(gap), colorize(labels), colorize(task.edited)])
    return rows


def build(settings: Settings, data: DataOptions) -> CompleteStage:
    """The stage on photos below ``data.folder``; ``data.initial`` may name `completion`. Raises DataError,
    WeightsError.
    """
    return CompleteStage(settings, data)

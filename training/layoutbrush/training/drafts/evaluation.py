"""Figures and pictures of a draft network on held-out layouts, with the row of real photos beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.drafts.batches import Pictures, boxed_batch
from layoutbrush.training.drafts.boxed_photo import Box, BoxedSet
from layoutbrush.training.drafts.classifier import load_classifier
from layoutbrush.training.drafts.generator import DraftNetwork, sample_codes
from layoutbrush.training.drafts.placing import object_crops
from layoutbrush.training.drafts.score_networks import load_classes
from layoutbrush.training.drafts.scores import accuracy, chance, diversity, inception_score, shuffled_chance
from layoutbrush.training.metrics.lpips import load_lpips
from layoutbrush.training.sheets import grid
from layoutbrush.training.stages.options import OptionError
from layoutbrush.training.trainer.stage import Report

CHUNK = 16
SHOWN = 8


@dataclass(frozen=True)
class Row:
    """A row of the table; None where a network for the figure isn't there, or (diversity of real photos) can't be."""

    name: str
    inception: float | None
    accuracy: float | None
    diversity: float | None


class Evaluator:
    """Drafts of up to ``count`` layouts of a set, ``drawn`` of each, judged by the networks that are there.

    ``networks``: LPIPS (`distance`) and class probabilities (`classes`) with ``weights``, the crop classifier
    (`crops`) where its file is given. Raises FeatureError, WeightsError, OptionError.
    """

    def __init__(
        self, boxed: BoxedSet, size: int, most: int, count: int, drawn: int, weights: Path | None, classifier: str = ""
    ) -> None:
        if drawn < 2 or count < 1:
            raise OptionError("evaluated and drawn: need at least one layout and two drafts of it")
        self.labels, self.size = boxed.labels, size
        # In one fixed mixed order: the first few stand for all, and a neighbour in the list is no neighbour in a film.
        order = np.random.default_rng(0).permutation(len(boxed.photos))[:count]
        self._pictures = Pictures([boxed.photos[int(index)] for index in order], size)
        self._most, self._drawn = most, drawn
        self.networks: dict[str, nn.Module] = {}
        if weights is not None:
            self.networks |= {"distance": load_lpips(weights), "classes": load_classes(weights)}
        if classifier:
            self.networks["crops"] = load_classifier(Path(classifier))
            head = self.networks["crops"].arguments["labels"]  # type: ignore[index]
            if head != len(self.labels):
                raise OptionError(f"classifier: knows {head} labels, the data has {len(self.labels)}")

    @torch.no_grad()
    def rows(self, network: nn.Module) -> tuple[list[Row], dict[str, float]]:
        """The rows `real` and `drafts`, and further figures.

        `rebuilt_l1` in [0, 1]; what the accuracy is without any knowledge of the objects: `chance` of always naming
        the most frequent label, `shuffled` of the right labels in random order, `uniform` of any label for any object;
        `misplaced`: the accuracy in the boxes of another layout, which a draft is not of.
        """
        tally = _Tally(self.networks, len(self.labels))
        for part, drafts, rebuilt in self._each(network):
            tally.add(part, drafts, rebuilt)
        return tally.rows()

    def report(self, network: nn.Module) -> Report:
        """Scalars `<row>/<figure>`; the score to choose by is the l1 of the rebuilt pictures, which needs no judge."""
        rows, scalars = self.rows(network)
        for row in rows:
            figures = {"inception": row.inception, "accuracy": row.accuracy, "diversity": row.diversity}
            scalars |= {f"{row.name}/{name}": value for name, value in figures.items() if value is not None}
        return Report(scalars, scalars["rebuilt_l1"], {"drafts": self.sheet(network)})

    @torch.no_grad()
    def sheet(self, network: nn.Module) -> UInt8:
        """Layout, photo, rebuilt photo and drafts of the first layouts."""
        cells: list[list[UInt8]] = []
        for part, drafts, rebuilt in self._each(network, SHOWN):
            for i in range(len(part["image"])):
                objects = self._pictures.photos[len(cells)].objects
                layout = draw_layout([(o.label, o.box) for o in objects], part["image"].shape[-1])
                columns = [part["image"], rebuilt, *drafts]
                cells.append([layout, *(_pixels(column[i]) for column in columns)])
        return grid(cells)

    def _each(self, given: nn.Module, count: int = 0) -> Iterator[tuple[dict[str, Tensor], list[Tensor], Tensor]]:
        network = cast(DraftNetwork, given)
        device = next(network.parameters()).device
        total = min(count or len(self._pictures), len(self._pictures))
        for first in range(0, total, CHUNK):
            indices = range(first, min(first + CHUNK, total))
            part = {k: v.to(device) for k, v in boxed_batch(self._pictures, indices, self._most).items()}
            labels, boxes, valid = part["labels"], part["boxes"], part["valid"]
            mean, _ = network.estimate(part["image"], boxes, valid)
            seeds = (first * self._drawn + k for k in range(self._drawn))
            codes = (sample_codes(valid, network.config.latent, seed) for seed in seeds)
            drafts = [network.draft(labels, boxes, valid, code).float() for code in codes]
            yield part, drafts, network.draft(labels, boxes, valid, mean).float()


class _Tally:
    """Gathers what the figures need, chunk by chunk; ``count``: how many labels there are."""

    def __init__(self, networks: Mapping[str, nn.Module], count: int) -> None:
        self.networks, self.count = networks, count
        self.classes: dict[str, list[Tensor]] = {"real": [], "drafts": []}
        self.crops: dict[str, list[Tensor]] = {"real": [], "drafts": []}
        self.labels: dict[str, list[Tensor]] = {"real": [], "drafts": []}
        self.elsewhere: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.distances: list[Tensor] = []
        self.l1: list[Tensor] = []

    def add(self, part: Mapping[str, Tensor], drafts: Sequence[Tensor], rebuilt: Tensor) -> None:
        """Real photos with their objects, drafts of each, rebuilt photos."""
        self.l1.append((rebuilt - part["image"]).abs().mean((1, 2, 3)))
        if "distance" in self.networks:
            self.distances.append(diversity(drafts, self.networks["distance"]))
        labels = part["labels"][part["valid"]]
        for name, pictures in (("real", [part["image"]]), ("drafts", drafts)):
            for picture in pictures:
                self.labels[name].append(labels)
                if "classes" in self.networks:
                    self.classes[name].append(self.networks["classes"](picture))
                if "crops" in self.networks:
                    inside = object_crops(picture, part["boxes"], part["valid"], picture.shape[-1] // 2)
                    self.crops[name].append(self.networks["crops"](inside))
        if "crops" in self.networks and len(part["labels"]) > 1:
            other = {name: part[name].roll(1, 0) for name in ("labels", "boxes", "valid")}
            inside = object_crops(drafts[0], other["boxes"], other["valid"], drafts[0].shape[-1] // 2)
            self.elsewhere[0].append(self.networks["crops"](inside))
            self.elsewhere[1].append(other["labels"][other["valid"]])

    def rows(self) -> tuple[list[Row], dict[str, float]]:
        """See :meth:`Evaluator.rows`."""
        rows = []
        for name in ("real", "drafts"):
            labels, classes, crops = torch.cat(self.labels[name]), self.classes[name], self.crops[name]
            score = inception_score(torch.cat(classes))[0] if classes else None
            right = accuracy(torch.cat(crops), labels) if crops else None
            spread = float(torch.cat(self.distances).mean()) if name == "drafts" and self.distances else None
            rows.append(Row(name, score, right, spread))
        labels = torch.cat(self.labels["real"])
        further = {
            "rebuilt_l1": float(torch.cat(self.l1).mean()),
            "chance": chance(labels),
            "shuffled": shuffled_chance(labels),
            "uniform": 1 / self.count,
        }
        if self.elsewhere[0]:
            further["misplaced"] = accuracy(torch.cat(self.elsewhere[0]), torch.cat(self.elsewhere[1]))
        return rows, further


def draw_layout(objects: Sequence[tuple[int, Box]], size: int) -> UInt8:
    """Frames in the order of fusing, each label in a colour of its own: (size, size, 3)."""
    picture = Image.new("RGB", (size, size), "white")
    for label, box in objects:
        hue = int(255 * (label * 0.61803398875 % 1.0))  # golden ratio: neighbouring labels lie far apart
        color = Image.new("HSV", (1, 1), (hue, 190, 215)).convert("RGB").getpixel((0, 0))
        corners = (box.left * size, box.top * size, box.right * size - 1, box.bottom * size - 1)
        ImageDraw.Draw(picture).rectangle(corners, outline=cast(tuple[int, int, int], color))
    return np.asarray(picture)


def _pixels(picture: Tensor) -> UInt8:
    """(3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()

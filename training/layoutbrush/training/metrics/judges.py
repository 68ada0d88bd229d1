"""All figures of one picture for the tables, by judges of different upbringing, and its vectors for FID and KID.

LPIPS, style, FID and KID see through one feature network. Where that network was also part of a loss it may not judge
alone: `dists` asks the decoder of a segmentation network, which was trained on label maps; `gabor` and `gmsd` ask no
network at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.metrics.dists import structure_texture
from layoutbrush.training.metrics.features import Backend, FeatureError, load_features
from layoutbrush.training.metrics.gradients import gabor_energies, gmsd
from layoutbrush.training.metrics.inception import load_inception
from layoutbrush.training.metrics.score import Scorer
from layoutbrush.training.metrics.tasks import EvaluationTask
from layoutbrush.training.models.segmentation import SegmentationNetwork
from layoutbrush.training.trainer.weights import load_module

SetBackend = Literal["same", "squeezenet", "alexnet", "vgg16", "inception"]
VERSION = 1
"""Goes up when a figure is computed differently, so that kept verdicts are not mixed with new ones."""
SET_FIGURES = ("fid", "kid")
"""Figures of whole sets; they are made from the vectors of :class:`Verdict`."""


class Deep(Protocol):
    """Picture (B, 3, H, W) in [0, 1] -> the deepest features (B, C, h, w)."""

    def __call__(self, picture: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Verdict:
    """What was found about one picture: figures by name (`_m` inside the mask, `_w` whole), and the mean of the deepest
    features inside the mask and over the whole, (d,) float32, of the picture and of the truth; empty without a network.
    """

    figures: dict[str, float]
    vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)


class Judges:
    """The judges, loaded once.

    ``weights``: folder of the feature networks' weights (None: no LPIPS, style, FID, KID); ``backend``: of LPIPS and
    style; ``set_backend``: of FID and KID; ``segmentation``: weights of a segmentation network for `dists`. Raises
    FeatureError, WeightsError.
    """

    def __init__(
        self,
        weights: Path | None,
        backend: Backend = "squeezenet",
        set_backend: SetBackend = "same",
        segmentation: Path | None = None,
    ) -> None:
        self.scorer = Scorer(weights, backend)
        chosen = backend if set_backend == "same" else set_backend
        self._deep: Deep | None = None if weights is None else _load_deep(weights, chosen)
        self._segmentation: SegmentationNetwork | None = None
        if segmentation is not None:
            self._segmentation = load_module(segmentation, SegmentationNetwork).requires_grad_(False)
        self.names = {"perceptual": backend if weights else "", "sets": chosen if weights else ""}
        self.names["dists"] = "segmentation decoder" if segmentation else ""
        files = [] if weights is None else sorted(weights.glob("*.npz"))
        self._truth: tuple[EvaluationTask, dict[str, list[Tensor]]] | None = None  # the last task's
        self.fingerprint = fingerprint([*files, *([segmentation] if segmentation else [])], f"{VERSION} {self.names!r}")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the figures of one picture."""
        added = ["gabor", "gmsd"] if self._segmentation is None else ["dists", "gabor", "gmsd"]
        return (*self.scorer.metrics, *(f"{name}_{where}" for where in "mw" for name in added))

    @torch.no_grad()
    def judge(self, picture: UInt8, task: EvaluationTask) -> Verdict:
        """Everything about one output; it has the task's size (H, W, 3) uint8."""
        figures = dict(self.scorer.score({"": picture}, task)[""])
        found, truth = image_tensor([picture]), image_tensor([task.truth])
        if self._truth is None or self._truth[0] is not task:
            self._truth = task, self._look(truth)
        inside = torch.from_numpy(np.ascontiguousarray(task.mask))[None]
        mine, theirs = self._look(found), self._truth[1]
        for name in ("gabor", "dists"):
            if name in mine:
                figures[f"{name}_m"] = float(structure_texture(mine[name], theirs[name], inside))
                figures[f"{name}_w"] = float(structure_texture(mine[name], theirs[name]))
        figures["gmsd_m"] = float(gmsd(found, truth, inside))
        figures["gmsd_w"] = float(gmsd(found, truth))
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        if self._deep is not None:
            for side, features in (("found", mine), ("truth", theirs)):
                vectors[f"{side}_m"] = pooled(features["deep"][0], inside)[0].numpy()
                vectors[f"{side}_w"] = pooled(features["deep"][0])[0].numpy()
        return Verdict(figures, vectors)

    def _look(self, picture: Tensor) -> dict[str, list[Tensor]]:
        """The features of one picture by who looks."""
        seen = {"gabor": gabor_energies(picture)}
        if self._segmentation is not None:
            seen["dists"] = decoder_features(self._segmentation, picture)
        if self._deep is not None:
            seen["deep"] = [self._deep(picture)]
        return seen


def pooled(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """(B, C) means of (B, C, h, w), weighted by a mask (B, H, W) bool that is area-averaged to their grid."""
    if mask is None:
        return features.mean((2, 3))
    share = F.interpolate(mask[:, None].float(), size=features.shape[-2:], mode="area")
    return (features * share).sum((2, 3)) / share.sum((2, 3)).clamp_min(1e-9)


def decoder_features(network: SegmentationNetwork, picture: Tensor) -> list[Tensor]:
    """The picture and the decoder's features at 1/8, 1/4 and 1/2: the part that only ever saw label maps as its goal.

    picture: (B, 3, H, W) in [0, 1]; padded to multiples of 16 by its edge.
    """
    height, width = picture.shape[-2:]
    x = F.pad(picture, (0, -width % 16, 0, -height % 16), mode="replicate")
    f1, f2, f3, f4 = network.trunk(x)
    eighth = network.rise8(network.context(f4), f3)
    quarter = network.rise4(eighth, f2)
    half = network.rise2(quarter, f1)
    maps = [(eighth, 8), (quarter, 4), (half, 2)]
    return [picture, *(m[..., : -(-height // scale), : -(-width // scale)] for m, scale in maps)]


def _load_deep(weights: Path, backend: str) -> Deep:
    if backend == "inception":
        return load_inception(weights)
    if backend not in ("squeezenet", "alexnet", "vgg16"):
        raise FeatureError(f"unknown feature network {backend!r}")
    names: dict[str, Backend] = {"squeezenet": "squeezenet", "alexnet": "alexnet", "vgg16": "vgg16"}
    last = {"squeezenet": 6, "alexnet": 4, "vgg16": 4}[backend]
    network = load_features(weights, names[backend], taps=(last,))

    def deepest(picture: Tensor) -> Tensor:
        features: Tensor = network(picture)[-1]
        return features

    return deepest


def fingerprint(files: Sequence[Path], words: str = "") -> str:
    """Hex digest of some files' contents and some words."""
    digest = hashlib.sha256(words.encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]

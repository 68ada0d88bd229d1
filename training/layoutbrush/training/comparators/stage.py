"""Trains one method of the tables: all of them on the same cache, with the same losses, seeds and processor time.

    layoutbrush train --stage comparator --data CACHE --weights WEIGHTS --run runs/vanilla --minutes 15 --clock cpu \\
        --threads 1 --batch 4 --size 160 --set kind=vanilla

First the losses of stage 1, then, from `joint` of the run on, the discriminator's as well. The cache holds the warps of
the sparse attention network, so that its methods do not pay for them in training; `cache-warps` says what they cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from layoutbrush.training.comparators.methods import METHODS
from layoutbrush.training.comparators.network import Comparator
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.task import KINDS
from layoutbrush.training.losses.reconstruction import l1
from layoutbrush.training.metrics.lpips import Lpips, load_lpips
from layoutbrush.training.models.labels import UNKNOWN
from layoutbrush.training.sheets import grid
from layoutbrush.training.stages import adversarial, refine
from layoutbrush.training.stages.options import OptionError
from layoutbrush.training.stages.refine_evaluation import SHOWN, masked_psnr, to_picture
from layoutbrush.training.stages.warp_cache import WarpCache, open_caches
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report
from layoutbrush.training.trainer.weights import load_weights


@dataclass(frozen=True)
class Settings(adversarial.Settings):
    """Those of the joint stage and these.

    ``kind``: the method, see :data:`~layoutbrush.training.comparators.methods.METHODS`; ``joint``: share of the run
    after which the discriminator joins; ``dense_l1``: weight of the l1 of a dense warp; ``semantic`` is used by the
    methods that have the encoder.
    """

    kind: str = "vanilla"
    joint: float = 0.5
    rate: float = 5e-4
    end: float = 0.1
    warm: int = 50
    coarse_share: float = 0.1
    fine_l1: float = 4.0
    dense_l1: float = 4.0
    evaluated: int = 48


class ComparatorStage(adversarial.AdversarialStage):
    """See the module's docstring."""

    name = "comparator"
    settings: Settings

    def __init__(
        self, settings: Settings, data: DataOptions, caches: tuple[WarpCache, WarpCache], judge: nn.Module | None
    ) -> None:
        if settings.kind not in METHODS:
            raise OptionError(f"unknown kind {settings.kind!r}; there are {', '.join(METHODS)}")
        self.method = METHODS[settings.kind]
        if self.method.semantic and not settings.semantic:
            raise OptionError(f"{settings.kind} needs the weights of a visual-semantic encoder: semantic=FILE")
        settings = replace(settings, semantic=settings.semantic if self.method.semantic else "")
        initial = dict(data.initial)
        start = initial.pop("refine", None)
        super().__init__(settings, replace(data, initial=initial), caches, judge)
        torch.manual_seed(data.seed + 2)
        self.comparator = Comparator(settings.kind, self.network)
        if start is not None:
            load_weights(start, self.comparator)
        self.modules = {**self.modules, "refine": self.comparator}
        self._validation = caches[1]
        self._distance: Lpips | None = None if data.weights is None else load_lpips(data.weights)
        self._painted: Tensor | None = None

    def optimizations(self) -> Mapping[str, Optimization]:
        s, optimizations = self.settings, dict(super().optimizations())
        trained = [p for p in self.comparator.parameters() if p.requires_grad]
        adam = torch.optim.Adam(trained, s.rate, betas=(0.0, 0.99))
        return {**optimizations, "refine": replace(optimizations["refine"], optimizer=adam)}

    def batch(self, step: int, rank: int) -> Batch:
        batch = dict(super().batch(step, rank))
        if not self.method.layout:  # its discriminator may not see the labels either
            batch["edited"] = torch.full_like(batch["edited"], UNKNOWN)
        return batch

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        if context.progress < self.settings.joint:
            return refine.RefineStage.train_step(self, batch, context)
        return super().train_step(batch, context)

    def forward(self, batch: Batch, context: Context, *, fine: bool) -> tuple[Tensor, Tensor]:
        s, confidence = self.settings, batch["confidence"]
        shown = (torch.rand(len(confidence), 1, 1, 1, device=confidence.device) >= s.confidence_drop).float()
        inputs = (batch["warped"], batch["image"], batch["edited"], batch["mask"], confidence * shown)
        coarse, refined, self._painted = context.modules["refine"](
            *inputs, fine, batch.get("layout"), batch.get("source")
        )
        return coarse, refined

    def terms(self, batch: Batch, context: Context, coarse: Tensor, refined: Tensor | None) -> dict[str, Tensor]:
        terms = super().terms(batch, context, coarse, refined)
        if self.method.warp == "dense" and self._painted is not None:
            hole = batch["mask"][:, None].float()
            terms["dense_l1"] = self.settings.dense_l1 * l1(self._painted, batch["truth"], hole)
        return terms

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        """Mean PSNR and LPIPS inside the mask by kind of task; the score is their LPIPS - 0.01 PSNR, averaged."""
        figures: dict[str, list[float]] = {}
        scores: dict[str, list[float]] = {}
        rows: list[list[UInt8]] = []
        cache = self._validation
        for index in range(0, len(cache), max(1, len(cache) // max(1, self.settings.evaluated))):
            batch = cache.tensors([index])
            inputs = [batch[name] for name in ("warped", "image", "edited", "mask", "confidence")]
            _, refined, painted = modules["refine"](*inputs, True, batch.get("layout"), batch.get("source"))
            kind = KINDS[int(batch["kind"][0])]
            psnr = float(masked_psnr(refined, batch["truth"], batch["mask"])[0])
            figures.setdefault(f"{kind}/psnr", []).append(psnr)
            score = -0.01 * psnr
            if self._distance is not None:
                lpips = float(self._distance(refined, batch["truth"], batch["mask"])[0])
                figures.setdefault(f"{kind}/lpips", []).append(lpips)
                score += lpips
            scores.setdefault(kind, []).append(score)
            if len(rows) < SHOWN:
                rows.append([to_picture(x[0]) for x in (batch["image"], painted, refined, batch["truth"])])
        means = {name: float(np.mean(values)) for name, values in figures.items()}
        return Report(means, float(np.mean([np.mean(v) for v in scores.values()])), {self.settings.kind: grid(rows)})


def build(settings: Settings, data: DataOptions) -> ComparatorStage:
    """The stage on the caches under ``data.folder``. Raises CacheError, OptionError, WeightsError."""
    return ComparatorStage(settings, data, open_caches(data.folder), refine.load_judge(data))

"""The warp with all of the patent's losses, those that the stage `warp` has not each off until it gets a weight.

Beside equation 6 and the contrast that stands in for equation 7: plain domain alignment, perceptual, contextual and
cycle (7 to 10). What each of them does is measured in ABLATIONS.md; the stage `warp` keeps those that pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.losses.alignment import domain_alignment, ramp
from layoutbrush.training.losses.contextual import contextual
from layoutbrush.training.losses.cycle import cycle
from layoutbrush.training.losses.features import perceptual
from layoutbrush.training.losses.warp_back import warp_back
from layoutbrush.training.stages import warp
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions


@dataclass(frozen=True)
class Settings(warp.Settings):
    """Those of the stage `warp` and these weights.

    ``alignment`` (Eq. 7) rises from 0 between the shares ``alignment_from`` and ``alignment_full`` of the run: earlier
    it pulls all features together; ``perceptual`` (Eq. 8) and ``contextual`` (Eq. 9) look at full and half size;
    ``cycle`` (Eq. 10) at 1/8 and 1/4.
    """

    alignment: float = 0.0
    alignment_from: float = 0.3
    alignment_full: float = 0.6
    perceptual: float = 0.0
    contextual: float = 0.0
    cycle: float = 0.0


class WarpRecipeStage(warp.WarpStage):
    """See the module's docstring."""

    name = "warp-recipe"
    settings: Settings

    def _terms(
        self, batch: Batch, steps: list[dict[str, Tensor]], answers: tuple[Tensor, ...], context: Context
    ) -> dict[str, Tensor]:
        s = self.settings
        terms = dict(super()._terms(batch, steps, answers, context))
        weight = ramp(context.progress, s.alignment_from, s.alignment_full, s.alignment)
        found: dict[str, list[Tensor]] = {"alignment": [], "perceptual": [], "contextual": [], "cycle": []}
        for step, answer in zip(steps, answers, strict=True):
            scale, hole = int(step["scale"]), step["hole"][:, None].float()
            if weight:
                query, wanted = (x.permute(0, 3, 1, 2) for x in (step["query"], answer))
                found["alignment"].append(domain_alignment(query, wanted, hole))
            if scale <= 2 and self._judge is not None and (s.perceptual or s.contextual):
                self._look(step["image"], F.avg_pool2d(batch["truth"], scale), hole, context, found)
            if scale >= 4 and s.cycle:
                found["cycle"].append(self._return(batch, step, scale))
        weights = {"alignment": weight, "perceptual": s.perceptual, "contextual": s.contextual, "cycle": s.cycle}
        return terms | {n: weights[n] * torch.stack(values).mean() for n, values in found.items() if values}

    def _look(
        self, picture: Tensor, truth: Tensor, hole: Tensor, context: Context, found: dict[str, list[Tensor]]
    ) -> None:
        """Eq. 8 and 9 on the features of the fixed network."""
        if self._judge is None:
            return
        with context.autocast():
            with torch.no_grad():
                wanted = self._judge(truth)
            features = self._judge(picture)
            if self.settings.perceptual:
                found["perceptual"].append(perceptual(features, wanted, hole))
            if self.settings.contextual:
                found["contextual"].append(contextual(features[2], wanted[2]))

    @staticmethod
    def _return(batch: Batch, step: Mapping[str, Tensor], scale: int) -> Tensor:
        """Eq. 10 at a coarse scale."""
        returned, reached = warp_back(step["image"], step["query"], step["key"], step["hole"], step["key_mask"])
        return cycle(returned, F.avg_pool2d(batch["image"], scale), reached)


def build(settings: Settings, data: DataOptions) -> warp.WarpStage:
    """The stage on the photos under ``data.folder``, as the stage `warp` opens them. Raises DataError, WeightsError."""
    return warp.build(settings, data, WarpRecipeStage)

"""Stage 2 of the refiner: the same losses plus a discriminator (equation 13, 14), from a refiner that stage 1 trained.

Start it with the weights of stage 1 (``--initial refine=FILE``). Real and fake get the same random augmentation, R1 is
taken every few steps, and the adversarial weight rises over the first hundred steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layoutbrush.training.losses.adversarial import hinge_discriminator, hinge_generator, r1
from layoutbrush.training.losses.augmentation import Augmentation, draw
from layoutbrush.training.models.discriminator import Discriminator, DiscriminatorConfig
from layoutbrush.training.stages import refine
from layoutbrush.training.stages.warp_cache import WarpCache, open_caches
from layoutbrush.training.trainer.stage import (
    Batch,
    Context,
    DataOptions,
    Optimization,
    warm_then_linear,
)
from layoutbrush.training.trainer.weights import load_weights


@dataclass(frozen=True)
class Settings(refine.Settings):
    """Those of stage 1 and these.

    ``adversarial``: weight of the hinge term, reached after ``ramp`` steps; ``judge_rate``: of the discriminator's
    Adam; ``judge_width``: channels of its first layer; ``r1``: gamma, taken every ``r1_every`` steps (0: never);
    ``augment``: differentiable augmentation.
    """

    rate: float = 2e-4
    end: float = 0.2
    fine_l1: float = 2.0
    feature: float = 4.0
    adversarial: float = 0.15
    ramp: int = 100
    judge_rate: float = 4e-4
    judge_width: int = 32
    r1: float = 0.001
    r1_every: int = 16
    augment: bool = True


class AdversarialStage(refine.RefineStage):
    """See the module's docstring."""

    name = "adversarial"
    settings: Settings

    def __init__(
        self, settings: Settings, data: DataOptions, caches: tuple[WarpCache, WarpCache], judge: nn.Module | None
    ) -> None:
        super().__init__(settings, data, caches, judge)
        torch.manual_seed(data.seed + 1)
        self.discriminator = Discriminator(DiscriminatorConfig(width=settings.judge_width))
        if "discriminator" in data.initial:
            load_weights(data.initial["discriminator"], self.discriminator)
        self.modules = {**self.modules, "discriminator": self.discriminator}
        self._nothing = Augmentation(color=0, shift=0, cutout=0, flip=False)

    def optimizations(self) -> Mapping[str, Optimization]:
        s, betas = self.settings, (0.0, 0.99)
        rate = warm_then_linear(s.warm, s.end)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        judged = list(self.discriminator.parameters())
        return {
            "refine": Optimization(torch.optim.Adam(trained, s.rate, betas=betas), rate, s.clip),
            "discriminator": Optimization(torch.optim.Adam(judged, s.judge_rate, betas=betas), rate, s.clip),
        }

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        coarse, refined = self.forward(batch, context, fine=True)
        judged = self._train_discriminator(batch, context, refined.detach())
        terms = self.terms(batch, context, coarse, refined)
        weight = self.settings.adversarial * min(1.0, (context.step + 1) / max(1, self.settings.ramp))
        if weight:
            terms["adversarial"] = weight * self._generator_term(batch, context, refined)
        context.backward(torch.stack(list(terms.values())).sum())
        norm = context.update("refine")
        return {**{name: term.detach() for name, term in terms.items()}, "norm": norm, **judged}

    def _train_discriminator(self, batch: Batch, context: Context, fake: Tensor) -> dict[str, Tensor | float]:
        s, module = self.settings, context.modules["discriminator"]
        labels, hole = self.discriminator.shares(batch["edited"]), batch["mask"][:, None].float()
        change = draw(Augmentation() if s.augment else self._nothing, *_sizes(fake), fake.device)
        c, m = change.place(labels), change.place(hole)
        pair = torch.cat([change.picture(batch["truth"]), change.picture(fake.clamp(0, 1))])
        logits = module(pair, c.repeat(2, 1, 1, 1), m.repeat(2, 1, 1, 1))
        real, false = zip(*(x.chunk(2) for x in logits), strict=True)
        loss = hinge_discriminator(real, false, m)
        scalars: dict[str, Tensor | float] = {
            "judge": loss.detach(),
            "real": real[0].float().mean().detach(),
            "fake": false[0].float().mean().detach(),
        }
        context.backward(loss)
        if s.r1 and s.r1_every and context.step % s.r1_every == 0:
            penalty = r1(lambda x: self.discriminator(x, labels, hole), batch["truth"], hole)
            context.backward(s.r1 * s.r1_every * penalty)
            scalars["r1"] = penalty.detach()
        context.update("discriminator")
        return scalars

    def _generator_term(self, batch: Batch, context: Context, refined: Tensor) -> Tensor:
        labels, hole = self.discriminator.shares(batch["edited"]), batch["mask"][:, None].float()
        settings = Augmentation() if self.settings.augment else self._nothing
        change = draw(settings, *_sizes(refined), refined.device)
        m = change.place(hole)
        with context.frozen("discriminator"):
            logits = context.modules["discriminator"](change.picture(refined), change.place(labels), m)
        return hinge_generator(logits, m)


def _sizes(x: Tensor) -> tuple[int, int, int]:
    return x.shape[0], x.shape[2], x.shape[3]


def build(settings: Settings, data: DataOptions) -> AdversarialStage:
    """The stage on the caches under ``data.folder``. Raises CacheError, WeightsError."""
    return AdversarialStage(settings, data, open_caches(data.folder), refine.load_judge(data))

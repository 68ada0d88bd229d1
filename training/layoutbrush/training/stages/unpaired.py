"""The warp on photos that follow another photo's layout, for which there is no true picture (Eq. 7, 9, 10, 14).

Most steps are those of the stage `warp`, on pairs; every few steps one is unpaired. There the queries should lie where
the features of some picture of that layout lie (domain alignment), the warped picture should look like the photo
(contextual), warping it back should return the photo (cycle), and a discriminator should take it for a photo with its
own layout (adversarial). Start it with a trained warp (``--initial warp=FILE``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.data import TaskConfig, TaskSampler, open_collections
from layoutbrush.training.losses.adversarial import hinge_discriminator, hinge_generator, r1
from layoutbrush.training.losses.alignment import domain_alignment, ramp
from layoutbrush.training.losses.augmentation import Augmentation, draw
from layoutbrush.training.losses.contextual import contextual
from layoutbrush.training.losses.cycle import cycle
from layoutbrush.training.models.discriminator import Discriminator, DiscriminatorConfig
from layoutbrush.training.stages import warp
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report, warm_then_linear
from layoutbrush.training.trainer.weights import load_weights


@dataclass(frozen=True)
class Settings(warp.Settings):
    """Those of the stage `warp` and these.

    ``every``: each so many steps one is unpaired (1: all); ``similar``: one of so many photos of the most similar
    layouts is drawn; weights of the terms (0: not computed): ``alignment``, which rises from 0 between the shares
    ``align_from`` and ``align_to`` of the run, ``contextual``, ``cycle``, ``adversarial``; ``judge_rate`` and
    ``judge_width``: of the discriminator's Adam and first layer; ``r1``: gamma, taken every ``r1_every`` unpaired
    steps.
    """

    rate: float = 1e-4
    base_rate: float = 2e-4
    every: int = 2
    similar: int = 16
    alignment: float = 0.02
    align_from: float = 0.3
    align_to: float = 0.6
    contextual: float = 0.2
    cycle: float = 1.0
    adversarial: float = 0.05
    judge_rate: float = 4e-4
    judge_width: int = 32
    r1: float = 0.001
    r1_every: int = 16


class UnpairedStage:
    """See the module's docstring. ``pairs``: the stage that does the paired steps; the network is its own."""

    name = "unpaired"

    def __init__(self, settings: Settings, data: DataOptions, pairs: warp.WarpStage, sampler: TaskSampler) -> None:
        self.settings, self.data, self.pairs = settings, data, pairs
        self.network, self._sampler = pairs.network, sampler
        self.modules: Mapping[str, nn.Module] = dict(pairs.modules)
        if settings.adversarial:
            torch.manual_seed(data.seed + 1)
            self.discriminator = Discriminator(DiscriminatorConfig(width=settings.judge_width))
            if "discriminator" in data.initial:
                load_weights(data.initial["discriminator"], self.discriminator)
            self.modules = {**self.modules, "discriminator": self.discriminator}
        self.frozen = pairs.frozen
        self.averaged = pairs.averaged

    def optimizations(self) -> Mapping[str, Optimization]:
        s, own = self.settings, dict(self.pairs.optimizations())
        if s.adversarial:
            adam = torch.optim.Adam(self.discriminator.parameters(), s.judge_rate, betas=(0.0, 0.99))
            own["discriminator"] = Optimization(adam, warm_then_linear(s.warm, s.end), s.clip)
        return own

    def is_unpaired(self, step: int) -> bool:
        """Whether a step follows another photo's layout."""
        return step % max(1, self.settings.every) == max(1, self.settings.every) - 1

    def batch(self, step: int, rank: int) -> Batch:
        if self.is_unpaired(step):
            return self._sampler.batch(step, self.data.batch, rank)
        return self.pairs.batch(step, rank)

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        if not self.is_unpaired(context.step):
            return self.pairs.train_step(batch, context)
        network: Any = context.modules["warp"]
        for method in ("trace", "encode_image"):  # Fabric lets only named methods run on a wrapped module
            if hasattr(network, "mark_forward_method"):
                network.mark_forward_method(method)
        warped, steps = self._warped(network, batch, context.step)
        scalars: dict[str, Tensor | float] = {}
        if self.settings.adversarial:
            scalars |= self._train_discriminator(batch, context, warped.detach())
        terms = self._terms(network, batch, context, warped, steps)
        if not terms:
            raise ValueError("every weight of an unpaired step is 0: alignment, contextual, cycle, adversarial")
        context.backward(torch.stack(list(terms.values())).sum())
        norm = context.update("warp")
        return {**{f"unpaired_{name}": term.detach() for name, term in terms.items()}, "unpaired_norm": norm, **scalars}

    def _warped(self, network: Any, batch: Batch, step: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """The warped picture at full size, with gradients through its last round, and the graded rounds."""
        inputs = [batch[name] for name in ("image", "layout", "edited", "mask", "source")]
        steps = network.trace(*inputs, torch.tensor([step], dtype=torch.int32), self._last_rounds(all_scales=True))
        return torch.where(batch["mask"][:, None], steps[-1]["image"], batch["image"]), steps

    def _last_rounds(self, *, all_scales: bool) -> frozenset[tuple[int, int]]:
        plans = self.network.config.plans
        chosen = plans if all_scales else [min(plans, key=lambda plan: plan.scale)]
        return frozenset((plan.scale, len(plan.rounds) - 1) for plan in chosen)

    def _terms(
        self, network: Any, batch: Batch, context: Context, warped: Tensor, steps: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        s, hole = self.settings, batch["mask"][:, None].float()
        terms: dict[str, Tensor] = {}
        weight = ramp(context.progress, s.align_from, s.align_to, s.alignment)
        if s.alignment:
            terms["alignment"] = weight * self._alignment(network, batch, steps)
        judge = self.frozen.get("judge")
        if s.contextual and judge is not None:
            with context.autocast():
                with torch.no_grad():
                    wanted = judge(F.avg_pool2d(batch["image"], 2))
                found = judge(F.avg_pool2d(warped, 2))
            terms["contextual"] = s.contextual * contextual(found[2], wanted[2])
        if s.cycle:
            # What was warped lies under the mask alone; the way back asks for the photo's own layout there.
            back = [warped, batch["edited"], batch["layout"], batch["mask"], torch.ones_like(batch["mask"])]
            seed = torch.tensor([context.step + 1], dtype=torch.int32)
            returned = network.trace(*back, seed, self._last_rounds(all_scales=False))[-1]["image"]
            terms["cycle"] = s.cycle * cycle(returned, batch["image"], hole)
        if s.adversarial:
            terms["adversarial"] = s.adversarial * self._generator_term(batch, context, warped)
        return terms

    @staticmethod
    def _alignment(network: Any, batch: Batch, steps: list[dict[str, Tensor]]) -> Tensor:
        """Eq. 7 on every scale: queries of the edited layout against features of a picture that has it."""
        with torch.no_grad():
            answers = network.encode_image(batch["truth"], batch["edited"])
        terms = [
            domain_alignment(
                step["query"].permute(0, 3, 1, 2), answer.permute(0, 3, 1, 2), step["hole"][:, None].float()
            )
            for step, answer in zip(steps, answers, strict=True)
        ]
        return torch.stack(terms).mean()

    def _train_discriminator(self, batch: Batch, context: Context, fake: Tensor) -> dict[str, Tensor | float]:
        """Real: the photo with its own layout. Fake: the warped picture with the layout that it followed. Eq. 14."""
        s, module = self.settings, context.modules["discriminator"]
        hole = batch["mask"][:, None].float()
        own, other = (self.discriminator.shares(batch[name]) for name in ("layout", "edited"))
        change = draw(Augmentation(), fake.shape[0], fake.shape[2], fake.shape[3], fake.device)
        m = change.place(hole)
        pictures = torch.cat([change.picture(batch["image"]), change.picture(fake.clamp(0, 1))])
        logits = module(pictures, torch.cat([change.place(own), change.place(other)]), m.repeat(2, 1, 1, 1))
        real, false = zip(*(x.chunk(2) for x in logits), strict=True)
        loss = hinge_discriminator(real, false, m)
        context.backward(loss)
        scalars: dict[str, Tensor | float] = {"unpaired_judge": loss.detach()}
        turn = context.step // max(1, s.every)
        if s.r1 and s.r1_every and turn % s.r1_every == 0:
            penalty = r1(lambda x: self.discriminator(x, own, hole), batch["image"], hole)
            context.backward(s.r1 * s.r1_every * penalty)
            scalars["unpaired_r1"] = penalty.detach()
        context.update("discriminator")
        return scalars

    def _generator_term(self, batch: Batch, context: Context, warped: Tensor) -> Tensor:
        """Last term of Eq. 13."""
        labels, hole = self.discriminator.shares(batch["edited"]), batch["mask"][:, None].float()
        change = draw(Augmentation(), warped.shape[0], warped.shape[2], warped.shape[3], warped.device)
        m = change.place(hole)
        with context.frozen("discriminator"):
            logits = context.modules["discriminator"](change.picture(warped), change.place(labels), m)
        return hinge_generator(logits, m)

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        return self.pairs.evaluate(modules)

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def build(settings: Settings, data: DataOptions) -> UnpairedStage:
    """The stage on the labelled photos under ``data.folder``. Raises DataError, WeightsError."""
    config = TaskConfig(
        size=data.size, seed=data.seed, foreign=0, manipulate=0, fill=0, unpaired=1, similar=settings.similar
    )
    photos = open_collections(data.folder, ("scenes", "streets"), "train", (0.6, 0.4))
    return UnpairedStage(settings, data, warp.build(settings, data), TaskSampler(photos, config))

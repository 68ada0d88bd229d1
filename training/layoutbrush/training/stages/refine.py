"""Stage 1 of the refiner (equation 13 without its last term): l1 on both pictures and features of a fixed network.

The coarse half trains alone at first, then both. Data: a warp cache (`warp_cache`), so that the warp isn't run again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from layoutbrush.training.losses.contextual import contextual
from layoutbrush.training.losses.features import Features, feature_matching, perceptual
from layoutbrush.training.losses.reconstruction import blurred_l2, l1, log_l2
from layoutbrush.training.losses.restraint import restraint
from layoutbrush.training.losses.texture import texture_energy
from layoutbrush.training.models.refine import Refine, RefineConfig
from layoutbrush.training.models.refine_file import load_refine, load_visual_semantic
from layoutbrush.training.stages.refine_evaluation import Evaluation
from layoutbrush.training.stages.warp_cache import WarpCache, open_caches
from layoutbrush.training.trainer.stage import (
    Batch,
    Context,
    DataOptions,
    Optimization,
    Report,
    warm_then_linear,
)


@dataclass(frozen=True)
class Settings:
    """Weights of the losses (0: not computed) and the optimizer's constants.

    ``rate``: of Adam at its height, after ``warm`` steps, falling to ``end`` of it; ``coarse_share``: share of the
    run in which only the coarse picture is trained; ``confidence_drop``: share of tasks that hide the warp's
    confidence; ``semantic``: weights of a visual-semantic encoder ("": without); ``attention``: contextual attention;
    ``width``: factor on the network's channels; ``split``: see RefineConfig, -1: as given weights
    have it; ``layers``: weight of each of the feature network's layers in the feature loss; ``own_features``: feature
    loss on the refiner's own visual-semantic encoder; ``texture``: energy of texture; ``blurred``: squared error of
    blurred pictures; ``decibels``: squared error of each task, logarithmic, of the coarse picture whole and of the
    refined one half; ``restraint``: charge for changing a warp that was right, up to an error of about
    ``restraint_scale``; ``evaluated``: validation tasks.
    """

    rate: float = 5e-4
    end: float = 0.1
    warm: int = 100
    clip: float = 5.0
    coarse_share: float = 0.2
    coarse_l1: float = 2.0
    fine_l1: float = 4.0
    feature: float = 2.0
    perceptual: float = 0.0
    contextual: float = 0.0
    layers: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    own_features: float = 0.0
    texture: float = 0.0
    blurred: float = 0.0
    decibels: float = 0.0
    restraint: float = 0.0
    restraint_scale: float = 0.05
    confidence_drop: float = 0.1
    semantic: str = ""
    attention: bool = True
    width: float = 1.0
    split: int = -1
    evaluated: int = 64


class Losses:
    """The terms of Eq. 13 that need no discriminator, on one picture."""

    def __init__(self, settings: Settings, features: Features | None, own: Features | None = None) -> None:
        self.settings, self.features, self.own = settings, features, own

    def picture_terms(self, picture: Tensor, truth: Tensor, hole: Tensor) -> dict[str, Tensor]:
        """Weighted terms of texture and features by name; those of features only where there is a feature network."""
        s = self.settings
        terms: dict[str, Tensor] = {}
        if s.texture:
            terms["texture"] = s.texture * texture_energy(picture, truth, hole)
        if s.own_features and self.own is not None:
            found, wanted, where = self._features(self.own, picture, truth, hole)
            even = [1 / len(found)] * len(found)
            terms["own_features"] = s.own_features * feature_matching(found, wanted, even, where)
        if self.features is None or not (s.feature or s.perceptual or s.contextual):
            return terms
        found, wanted, where = self._features(self.features, picture, truth, hole)
        if s.feature:
            weights = (*s.layers, *([0.0] * len(found)))[: len(found)]
            terms["feature"] = s.feature * feature_matching(found, wanted, weights, where)
        if s.perceptual:
            terms["perceptual"] = s.perceptual * perceptual(found, wanted, where)
        if s.contextual:
            terms["contextual"] = s.contextual * contextual(found[2], wanted[2])
        return terms

    @staticmethod
    def _features(
        network: Features, picture: Tensor, truth: Tensor, hole: Tensor
    ) -> tuple[Sequence[Tensor], Sequence[Tensor], Tensor]:
        """Features of both pictures, and the mask.

        From a random offset on, so that the feature network's strides can't imprint a pattern on the picture.
        """
        dy, dx = (int(i) for i in torch.randint(0, 16, (2,)))
        found = network(picture[..., dy:, dx:])
        with torch.no_grad():
            wanted = network(truth[..., dy:, dx:])
        return found, wanted, hole[..., dy:, dx:]


def build_refine(settings: Settings, data: DataOptions) -> Refine:
    """The network to train: from ``data.initial["refine"]`` when given, else new."""
    initial = data.initial.get("refine")
    if initial is not None:
        return load_refine(initial, **({} if settings.split < 0 else {"split": settings.split}))
    torch.manual_seed(data.seed)
    config = RefineConfig(attention=settings.attention, split=max(0, settings.split)).scaled(settings.width)
    if not settings.semantic:
        return Refine(config)
    encoder, channels = load_visual_semantic(Path(settings.semantic))
    return Refine(replace(config, semantic=channels), encoder)


def refine_inputs(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The arguments of Refine out of a batch."""
    return batch["warped"], batch["image"], batch["edited"], batch["mask"], batch["confidence"]


class RefineStage:
    """See the module's docstring."""

    name = "refine"

    def __init__(
        self, settings: Settings, data: DataOptions, caches: tuple[WarpCache, WarpCache], judge: nn.Module | None
    ) -> None:
        self.settings, self.data = settings, data
        self.network = build_refine(settings, data)
        self.modules: Mapping[str, nn.Module] = {"refine": self.network}
        frozen: dict[str, nn.Module] = {} if judge is None else {"judge": judge}
        own = None
        if settings.own_features and self.network.visual_semantic is not None:
            own = frozen["own"] = copy.deepcopy(self.network.visual_semantic)
        self.frozen: Mapping[str, nn.Module] = frozen
        self.averaged = frozenset({"refine"})
        self.losses = Losses(settings, judge, own)
        self._train, validation = caches
        self._evaluation = Evaluation(validation, settings.evaluated, data.weights)

    def optimizations(self) -> Mapping[str, Optimization]:
        trained = [p for p in self.network.parameters() if p.requires_grad]
        adam = torch.optim.Adam(trained, self.settings.rate, betas=(0.5, 0.99))
        return {
            "refine": Optimization(adam, warm_then_linear(self.settings.warm, self.settings.end), self.settings.clip)
        }

    def batch(self, step: int, rank: int) -> Batch:
        return self._train.batch(step, self.data.batch, size=self.data.size, seed=self.data.seed, rank=rank)

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        fine = context.progress >= self.settings.coarse_share
        coarse, refined = self.forward(batch, context, fine=fine)
        terms = self.terms(batch, context, coarse, refined if fine else None)
        context.backward(torch.stack(list(terms.values())).sum())
        norm = context.update("refine")
        return {**{name: term.detach() for name, term in terms.items()}, "norm": norm}

    def forward(self, batch: Batch, context: Context, *, fine: bool) -> tuple[Tensor, Tensor]:
        """Both pictures, with the confidence hidden in some of the tasks."""
        warped, image, edited, mask, confidence = refine_inputs(batch)
        shown = (
            torch.rand(len(confidence), 1, 1, 1, device=confidence.device) >= self.settings.confidence_drop
        ).float()
        coarse, refined = context.modules["refine"](warped, image, edited, mask, confidence * shown, fine)
        return coarse, refined

    def terms(self, batch: Batch, context: Context, coarse: Tensor, refined: Tensor | None) -> dict[str, Tensor]:
        """The weighted terms of Eq. 13 but the adversarial one; only the coarse picture's without ``refined``."""
        s, truth, hole = self.settings, batch["truth"], batch["mask"][:, None].float()
        terms = {"coarse_l1": s.coarse_l1 * l1(coarse, truth, hole)}
        if s.decibels:
            terms["decibels"] = s.decibels * log_l2(coarse, truth, hole)
            if refined is not None:
                terms["decibels"] = terms["decibels"] + s.decibels / 2 * log_l2(refined, truth, hole)
        if refined is not None:
            terms["fine_l1"] = s.fine_l1 * l1(refined, truth, hole)
            if s.blurred:
                # Both: with a split the refined picture's colours are the coarse one's.
                both = blurred_l2(coarse, truth, hole) + blurred_l2(refined, truth, hole)
                terms["blurred"] = s.blurred * both / 2
            if s.restraint:
                change = restraint(refined, batch["warped"], truth, hole, s.restraint_scale)
                terms["restraint"] = s.restraint * change
        with context.autocast():
            terms |= self.losses.picture_terms(coarse if refined is None else refined, truth, hole)
        return terms

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        return self._evaluation.report(modules["refine"])

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def load_judge(data: DataOptions) -> nn.Module | None:
    """The feature network of the losses, or None when no weights are given."""
    if data.weights is None:
        return None
    from layoutbrush.training.metrics.features import load_features

    return load_features(data.weights)


def build(settings: Settings, data: DataOptions) -> RefineStage:
    """The stage on the caches under ``data.folder``. Raises CacheError, WeightsError."""
    return RefineStage(settings, data, open_caches(data.folder), load_judge(data))

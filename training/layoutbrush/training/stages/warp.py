"""The sparse attention network (Eq. 1-7): what its rounds paint, and whether its queries find their place.

Each step follows the whole warp, from 1/8 to full size, and takes gradients through one round of each scale, drawn at
random: the other rounds only make the estimate that this one starts from. At first the coarse scales also learn from a
dense correlation, which looks at every key instead of a few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.data import TaskConfig, TaskSampler, open_collections
from layoutbrush.training.losses.correspondence import correspondence
from layoutbrush.training.losses.dense_correlation import dense_distillation
from layoutbrush.training.losses.features import feature_matching
from layoutbrush.training.losses.reconstruction import l1
from layoutbrush.training.models.labels import UNKNOWN
from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork
from layoutbrush.training.stages.refine import load_judge
from layoutbrush.training.stages.warp_evaluation import Evaluation
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report, warm_then_linear
from layoutbrush.training.trainer.weights import load_weights

LAYERS = (0.4, 0.3, 0.2, 0.1)
"""Weights of the feature network's layers: shallow ones count, as a warp can only choose, not draw."""


@dataclass(frozen=True)
class Settings:
    """Weights of the losses (0: not computed) and the optimizer's constants.

    ``rate``: of Adam at its height for the pyramids, ``base_rate`` for the gains, the label code and the patch
    descriptor, which start near their optimum; ``l1``, ``feature``, ``correspondence``: weights of the terms;
    ``dense``: of the distillation from a dense correlation at 1/8 and 1/4, which falls to nothing over the share
    ``dense_until`` of the run; ``evaluated``: validation tasks; ``foreign``, ``manipulate``, ``fill``: weights of the
    kinds of task; ``forget_all``, ``forget_hole``, ``forget_both``: shares of tasks without any labels, without those
    asked for under the mask, and without either map's there; ``sizes``: sides of the crops, one drawn a step, with
    as many tasks as make up the pixels of a batch at --size (empty: --size alone); ``schedule``: of the key sampling.
    """

    rate: float = 4e-4
    base_rate: float = 1e-3
    end: float = 0.1
    warm: int = 50
    clip: float = 5.0
    l1: float = 4.0
    feature: float = 1.0
    correspondence: float = 0.1
    foreign: float = 0.5
    manipulate: float = 0.35
    fill: float = 0.15
    dense: float = 0.1
    dense_until: float = 0.33
    forget_all: float = 0.06
    forget_hole: float = 0.04
    forget_both: float = 0.06
    sizes: tuple[int, ...] = ()
    evaluated: int = 24
    schedule: str = "fast"


class WarpStage:
    """See the module's docstring."""

    name = "warp"

    def __init__(
        self,
        settings: Settings,
        data: DataOptions,
        train: Mapping[int, TaskSampler],
        validation: TaskSampler,
        judge: nn.Module | None,
    ) -> None:
        """``train``: a sampler for every size; ``validation``: of the held-out photos."""
        self.settings, self.data = settings, data
        torch.manual_seed(data.seed)
        self.network = SparseAttentionNetwork(SparseAttentionConfig(schedule=settings.schedule))
        if "warp" in data.initial:
            load_weights(data.initial["warp"], self.network)
        self.modules: Mapping[str, nn.Module] = {"warp": self.network}
        self.frozen: Mapping[str, nn.Module] = {} if judge is None else {"judge": judge}
        self.averaged = frozenset({"warp"})
        self._judge = judge
        self._train = train
        self._evaluation = Evaluation(validation, settings.evaluated, data.weights)

    def optimizations(self) -> Mapping[str, Optimization]:
        s = self.settings
        base = ("patch.", "patch_gain", "position_gain", "label_code")
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, parameter in self.network.named_parameters():
            groups[name.startswith(base)].append(parameter)
        adam = torch.optim.Adam(
            [{"params": groups[False], "lr": s.rate}, {"params": groups[True], "lr": s.base_rate}], betas=(0.5, 0.99)
        )
        return {"warp": Optimization(adam, warm_then_linear(s.warm, s.end), s.clip)}

    def batch(self, step: int, rank: int) -> Batch:
        rng = np.random.default_rng([self.data.seed, rank, step])
        size = int(rng.choice(self.settings.sizes or (self.data.size,)))
        sampler = self._train[size]
        count = max(1, round(self.data.batch * (self.data.size / size) ** 2))
        batch = sampler.batch(step, count, rank)
        lost = torch.from_numpy(rng.random(count) < self.settings.forget_both)[:, None, None] & batch["mask"]
        for name in ("layout", "edited"):
            batch[name] = batch[name].masked_fill(lost, UNKNOWN)
        return batch

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        network: Any = context.modules["warp"]
        for method in ("trace", "encode_image"):  # Fabric lets only named methods run on a wrapped module
            if hasattr(network, "mark_forward_method"):
                network.mark_forward_method(method)
        seed = torch.tensor([context.step], dtype=torch.int32)
        inputs = [batch[name] for name in ("image", "layout", "edited", "mask", "source")]
        steps = network.trace(*inputs, seed, self._graded())
        with torch.no_grad():
            answers = network.encode_image(batch["truth"], batch["edited"])
        terms = self._terms(batch, steps, answers, context)
        share = self.settings.dense * max(0.0, 1.0 - context.progress / max(self.settings.dense_until, 1e-6))
        if share > 0:
            terms["dense"] = share * self._dense(steps, answers)
        context.backward(torch.stack(list(terms.values())).sum())
        norm = context.update("warp")
        return {**{name: term.detach() for name, term in terms.items()}, "norm": norm}

    def _graded(self) -> frozenset[tuple[int, int]]:
        plans = self.network.config.plans
        return frozenset((p.scale, int(torch.randint(0, len(p.rounds), ()))) for p in plans)

    def _terms(
        self, batch: Batch, steps: list[dict[str, Tensor]], answers: tuple[Tensor, ...], context: Context
    ) -> dict[str, Tensor]:
        s = self.settings
        l1_terms, feature_terms, places = [], [], []
        for step, answer in zip(steps, answers, strict=True):
            scale = int(step["scale"])
            truth = F.avg_pool2d(batch["truth"], scale)
            hole = step["hole"][:, None].float()
            l1_terms.append(l1(step["image"], truth, hole))
            places.append(correspondence(step["query"], answer, step["hole"]))
            if self._judge is not None and s.feature and scale <= 2:
                with context.autocast():
                    with torch.no_grad():
                        wanted = self._judge(truth)
                    found = self._judge(step["image"])
                    feature_terms.append(feature_matching(found, wanted, LAYERS, hole))
        terms = {"l1": s.l1 * torch.stack(l1_terms).mean()}
        if s.correspondence:
            terms["correspondence"] = s.correspondence * torch.stack(places).mean()
        if feature_terms:
            terms["feature"] = s.feature * torch.stack(feature_terms).mean()
        return terms

    @staticmethod
    def _dense(steps: list[dict[str, Tensor]], answers: tuple[Tensor, ...]) -> Tensor:
        coarse = [(step, answer) for step, answer in zip(steps, answers, strict=True) if int(step["scale"]) >= 4]
        terms = [
            dense_distillation(step["query"], answer, step["key"], step["hole"], step["key_mask"])
            for step, answer in coarse
        ]
        return torch.stack(terms).mean()

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        return self._evaluation.report(modules["warp"])

    def describe(self) -> Mapping[str, object]:
        return asdict(self.settings)


def build(settings: Settings, data: DataOptions, kind: type[WarpStage] = WarpStage) -> WarpStage:
    """The stage, or a ``kind`` of it, on the photos of scenes and streets under ``data.folder``.

    Raises DataError, WeightsError.
    """

    def config(size: int) -> TaskConfig:
        return TaskConfig(
            size=size,
            seed=data.seed,
            foreign=settings.foreign,
            manipulate=settings.manipulate,
            fill=settings.fill,
            forget_all=settings.forget_all,
            forget_hole=settings.forget_hole,
        )

    train, validation = (
        open_collections(data.folder, ("scenes", "streets"), split, (0.6, 0.4)) for split in ("train", "val")
    )
    samplers = {size: TaskSampler(train, config(size)) for size in settings.sizes or (data.size,)}
    return kind(settings, data, samplers, TaskSampler(validation, config(data.size)), load_judge(data))

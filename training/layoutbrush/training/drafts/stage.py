"""Trains the draft networks (Layout2Im) on boxed photos.

    layoutbrush train --stage drafts --data DATA --weights WEIGHTS --run runs/drafts --minutes 60 --size 64 --batch 8
    layoutbrush train --stage drafts --data /data/coco --run runs/coco --steps 300000 --size 128 --set kind=cocostuff

One pass of the generator makes the rebuilt and the drawn pictures; the judges learn from them first, then the generator
learns from the judges as they are by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.ablations import ablated
from layoutbrush.training.drafts.batches import Pictures, random_batch
from layoutbrush.training.drafts.boxed_photo import BoxedSet
from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.evaluation import Evaluator
from layoutbrush.training.drafts.generator import DraftNetwork, Pass
from layoutbrush.training.drafts.judges import ImageJudge, ObjectJudge
from layoutbrush.training.drafts.losses import LossWeights, category_loss, fooling_loss, judges_loss, own_terms
from layoutbrush.training.drafts.opening import BoxSettings, open_sets
from layoutbrush.training.losses.adversarial import r1
from layoutbrush.training.losses.augmentation import Augmentation, draw
from layoutbrush.training.stages.options import OptionError
from layoutbrush.training.trainer.stage import Batch, Context, DataOptions, Optimization, Report, warm_then_linear
from layoutbrush.training.trainer.weights import load_weights

LAZY = 8
"""Steps between gradient penalties."""
IMAGES = Augmentation(color=0.3, shift=0.125, cutout=0.25)
OBJECTS = Augmentation(color=0.15, shift=0.1, cutout=0.0)
"""How pictures and crops are changed before the judges see them; an object's colour tells its category, too."""


@dataclass(frozen=True)
class Settings(BoxSettings):
    """Data: ``kind`` (boxes, regions, cocostuff, visual-genome, toy), ``collections`` (names of box files),
    ``pieces`` of each photo (`regions`), ``smallest``, ``fewest``, ``most``, ``crowded`` (see BoxFilter), ``flip``:
    photos are mirrored half the time. Networks: ``latent``, ``embedding``, ``width``,
    ``hidden``, ``layers``, ``blocks``, ``placed``, ``painted`` (see DraftConfig), ``judge_width``. Losses: ``kl``,
    ``image_l1``, ``latent_l1``, ``image_gan``, ``object_gan``, ``category``: the source's weights; beyond it, for few
    photos, ``perceptual``: LPIPS of the rebuilt pictures, ``augment``: the judges see changed pictures (DiffAugment),
    ``spectral``: normalisation of the judges (source: yes), ``r1``: weight of their gradient penalty, taken every
    eighth step eightfold; ``ablation``: a row of its second table. Adam: ``rate`` and ``judge_rate`` (source: 1e-4)
    after ``warm`` steps, falling to ``end`` of it; ``beta``; ``clip``.
    ``evaluated``: validation photos; ``drawn``: drafts of each layout.
    ``classifier``: weights of a crop classifier, by which the accuracy is told.
    """

    latent: int = 64
    embedding: int = 64
    width: int = 64
    hidden: int = 64
    layers: int = 3
    blocks: int = 3
    placed: int = 0
    painted: int = 0
    judge_width: int = 64
    kl: float = 0.01
    image_l1: float = 1.0
    latent_l1: float = 10.0
    image_gan: float = 1.0
    object_gan: float = 1.0
    category: float = 1.0
    perceptual: float = 0.0
    augment: bool = False
    spectral: bool = True
    r1: float = 0.0
    ablation: str = "full"
    rate: float = 1e-4
    judge_rate: float = 1e-4
    warm: int = 0
    end: float = 1.0
    beta: float = 0.5
    clip: float = 0.0
    evaluated: int = 64
    drawn: int = 3
    classifier: str = ""


class DraftStage:
    """See the module's docstring."""

    name = "drafts"

    def __init__(self, settings: Settings, data: DataOptions, sets: tuple[BoxedSet, BoxedSet]) -> None:
        self.settings, self.data = settings, data
        s, (train, validation) = settings, sets
        wanted = LossWeights(s.kl, s.image_l1, s.latent_l1, s.image_gan, s.object_gan, s.category)
        self.weights, fuser = ablated(s.ablation, wanted)
        sizes = {"latent": s.latent, "embedding": s.embedding, "hidden": s.hidden, "layers": s.layers}
        sizes |= {"blocks": s.blocks, "placed": s.placed, "painted": s.painted}
        labels = len(train.labels)
        self.config = DraftConfig(labels, data.size, **sizes, width=s.width, fuser=fuser)
        judged = DraftConfig(labels, data.size, width=s.judge_width)
        torch.manual_seed(data.seed)
        self.modules: Mapping[str, nn.Module] = {
            "drafts": DraftNetwork(self.config),
            "image_judge": ImageJudge(judged, s.spectral),
            "object_judge": ObjectJudge(judged, s.spectral),
        }
        for name, module in self.modules.items():
            if name in data.initial:
                load_weights(data.initial[name], module)
        self.averaged = frozenset({"drafts"})
        self._pictures = Pictures(train.photos, data.size)
        self._counts = {"photos": len(train.photos), "held_out": len(validation.photos)}
        self._counts["missing"] = len(train.missing) + len(validation.missing)
        self._evaluator = Evaluator(validation, data.size, s.most, s.evaluated, s.drawn, data.weights, s.classifier)
        self.frozen: Mapping[str, nn.Module] = self._evaluator.networks
        if s.perceptual and "distance" not in self.frozen:
            raise OptionError("perceptual: needs --weights, the folder of the perceptual network")

    def optimizations(self) -> Mapping[str, Optimization]:
        s = self.settings
        rate = warm_then_linear(s.warm, s.end)
        rates = {name: s.rate if name == "drafts" else s.judge_rate for name in self.modules}
        return {
            name: Optimization(torch.optim.Adam(module.parameters(), rates[name], betas=(s.beta, 0.999)), rate, s.clip)
            for name, module in self.modules.items()
        }

    def batch(self, step: int, rank: int) -> Batch:
        rng = np.random.default_rng([self.data.seed, step, rank])
        return random_batch(self._pictures, self.data.batch, self.settings.most, rng, flip=self.settings.flip)

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        count = int(batch["valid"].sum())
        codes, noise = torch.randn(2, count, self.config.latent, device=context.device)
        made: Pass = context.modules["drafts"](
            batch["image"], batch["labels"], batch["boxes"], batch["valid"], noise, codes
        )
        judged = self._train_judges(batch, context, made)
        terms = own_terms(made, batch["image"], codes)
        weights = {**asdict(self.weights), "perceptual": self.settings.perceptual}
        if self.settings.perceptual:
            terms["perceptual"] = self.frozen["distance"](made.rebuilt.float(), batch["image"]).mean()
        asked = {name for name in ("image_gan", "object_gan", "category") if weights[name]}
        terms |= self._judges_terms(batch, context, made, asked)
        context.backward(torch.stack([weights[name] * term for name, term in terms.items()]).sum())
        norm = context.update("drafts")
        return {**{name: term.detach() for name, term in terms.items()}, "norm": norm, **judged}

    def _train_judges(self, batch: Batch, context: Context, made: Pass) -> dict[str, Tensor | float]:
        """One step of the judges that are asked; the classifier learns from real crops alone."""
        scalars: dict[str, Tensor | float] = {}
        weights = self.weights
        if weights.image_gan:
            judge = context.modules["image_judge"]
            pictures = torch.cat([batch["image"], made.rebuilt.detach(), made.drawn.detach()])
            loss = judges_loss(*judge(self._seen(pictures, IMAGES)).chunk(3))
            context.backward(weights.image_gan * loss)
            if self._penalised(context.step):
                judge_itself = self.modules["image_judge"]
                penalty = r1(lambda picture: [judge_itself(picture)], batch["image"])
                context.backward(self.settings.r1 * LAZY * penalty)
                scalars["image_r1"] = penalty.detach()
            context.update("image_judge")
            scalars["image_judge"] = loss.detach()
        if weights.object_gan or weights.category:
            crops = torch.cat([made.real_crops, made.rebuilt_crops.detach(), made.drawn_crops.detach()])
            logits, categories = context.modules["object_judge"](self._seen(crops, OBJECTS))
            loss = judges_loss(*logits.chunk(3))
            labels = batch["labels"][batch["valid"]]
            known = nn.functional.cross_entropy(categories.chunk(3)[0].float(), labels)
            context.backward(weights.object_gan * loss + weights.category * known)
            if self._penalised(context.step):
                judge_itself = self.modules["object_judge"]
                penalty = r1(lambda crop: [judge_itself(crop)[0][:, None, None, None]], made.real_crops)
                context.backward(self.settings.r1 * LAZY * penalty)
                scalars["object_r1"] = penalty.detach()
            context.update("object_judge")
            scalars |= {"object_judge": loss.detach(), "real_category": known.detach()}
        return scalars

    def _judges_terms(self, batch: Batch, context: Context, made: Pass, asked: set[str]) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        if "image_gan" in asked:
            with context.frozen("image_judge"):
                pictures = self._seen(torch.cat([made.rebuilt, made.drawn]), IMAGES)
                logits = context.modules["image_judge"](pictures)
            rebuilt, drawn = logits.chunk(2)
            terms["image_gan"] = fooling_loss(rebuilt, drawn)
        if asked & {"object_gan", "category"}:
            with context.frozen("object_judge"):
                crops = self._seen(torch.cat([made.rebuilt_crops, made.drawn_crops]), OBJECTS)
                logits, categories = context.modules["object_judge"](crops)
            rebuilt, drawn = logits.chunk(2)
            terms["object_gan"] = fooling_loss(rebuilt, drawn)
            rebuilt, drawn = categories.chunk(2)
            terms["category"] = category_loss(rebuilt, drawn, batch["labels"][batch["valid"]])
        return terms

    def _penalised(self, step: int) -> bool:
        return self.settings.r1 > 0 and step % LAZY == 0

    def _seen(self, pictures: Tensor, strengths: Augmentation) -> Tensor:
        """Pictures (B, 3, H, W) as the judges get to see them."""
        if not self.settings.augment:
            return pictures
        batch, _, height, width = pictures.shape
        return draw(strengths, batch, height, width, pictures.device).picture(pictures.float())

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        return self._evaluator.report(modules["drafts"])

    def describe(self) -> Mapping[str, object]:
        return {
            **asdict(self.settings),
            "config": asdict(self.config),
            "labels": list(self._evaluator.labels),
            **self._counts,
        }


def build(settings: Settings, data: DataOptions) -> DraftStage:
    """The stage on the photos of ``settings.kind`` below ``data.folder``. Raises DataError, DraftConfigError,
    WeightsError, FeatureError.
    """
    return DraftStage(settings, data, open_sets(settings, data))

"""The six losses of Layout2Im and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.drafts.generator import Pass

TERMS = ("kl", "image_l1", "latent_l1", "image_gan", "object_gan", "category")


@dataclass(frozen=True)
class LossWeights:
    """The source's lambda 1 to 6 (its section on implementation, and the defaults of its published train.py): KL, l1 of
    the rebuilt picture, l1 of the latent codes, image GAN, object GAN, auxiliary classifier.
    """

    kl: float = 0.01
    image_l1: float = 1.0
    latent_l1: float = 10.0
    image_gan: float = 1.0
    object_gan: float = 1.0
    category: float = 1.0


def kl_divergence(mean: Tensor, log_variance: Tensor, pictures: int) -> Tensor:
    """KL of N(mean, variance) from N(0, 1), summed over code and objects, mean over the ``pictures`` of the batch.

    The source's code sums over the batch of 8 as well, so that its weight depends on it; here it doesn't.
    """
    total = (mean.float().square() + log_variance.float().exp() - 1 - log_variance.float()).sum()
    return 0.5 * total / pictures


def image_l1(rebuilt: Tensor, image: Tensor) -> Tensor:
    """Mean absolute difference of pictures given in [0, 1], taken in [-1, 1] (the source's are standardised)."""
    return 2 * (rebuilt.float() - image).abs().mean()


def says(logits: Tensor, real: bool) -> Tensor:
    """Mean cross entropy of a judge's logits with one answer for all."""
    wanted = torch.full_like(logits, float(real), dtype=torch.float32)
    return F.binary_cross_entropy_with_logits(logits.float(), wanted)


def judges_loss(real: Tensor, rebuilt: Tensor, drawn: Tensor) -> Tensor:
    """What a judge minimises: real pictures are real; the rebuilt and the drawn, half each, are not."""
    return says(real, True) + 0.5 * (says(rebuilt, False) + says(drawn, False))


def fooling_loss(rebuilt: Tensor, drawn: Tensor) -> Tensor:
    """What the generator minimises: both kinds of its pictures pass for real."""
    return 0.5 * (says(rebuilt, True) + says(drawn, True))


def category_loss(rebuilt: Tensor, drawn: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the auxiliary classifier on both kinds of generated crops: logits (N, L), labels (N,)."""
    return 0.5 * (F.cross_entropy(rebuilt.float(), labels) + F.cross_entropy(drawn.float(), labels))


def own_terms(made: Pass, image: Tensor, codes: Tensor) -> dict[str, Tensor]:
    """The three terms that ask no judge, without their weights."""
    return {
        "kl": kl_divergence(made.mean, made.log_variance, image.shape[0]),
        "image_l1": image_l1(made.rebuilt, image),
        "latent_l1": (made.regressed.float() - codes).abs().mean(),
    }

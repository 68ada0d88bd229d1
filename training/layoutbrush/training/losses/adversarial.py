"""Adversarial losses: hinge (equation 14 and the last term of equation 13) and R1 (Mescheder et al., ICML 2018).

Logits come as a list of maps (B, 1, h, w), one a scale. ``mask`` (B, 1, H, W) weights the places: outside the mask real
and fake are the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.losses.weighting import weighted_mean

Logits = Sequence[Tensor]


def _mean(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).mean()


def _near(mask: Tensor | None, logits: Tensor) -> Tensor | None:
    """1 wherever any masked pixel lies within a logit's cell."""
    return None if mask is None else F.adaptive_max_pool2d(mask.float(), logits.shape[-2:])


def hinge_discriminator(real: Logits, fake: Logits, mask: Tensor | None = None) -> Tensor:
    """Eq. 14: mean of max(0, 1 - D(real)) + max(0, 1 + D(fake))."""
    terms = []
    for r, f in zip(real, fake, strict=True):
        terms.append(weighted_mean(F.relu(1 - r.float()), _near(mask, r)))
        terms.append(weighted_mean(F.relu(1 + f.float()), _near(mask, f)))
    return 2 * _mean(terms)


def hinge_generator(fake: Logits, mask: Tensor | None = None) -> Tensor:
    """Last term of Eq. 13: minus the mean of D(fake)."""
    return -_mean([weighted_mean(f, _near(mask, f)) for f in fake])


def r1(discriminate: Callable[[Tensor], Logits], real: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared gradient of D with respect to real pictures (B, 3, H, W), times 1/2; in float32.

    Only places of the mask count in D. Multiply by the usual gamma, and by the interval when it is not taken at every
    step.
    """
    with torch.enable_grad(), torch.autocast(real.device.type, enabled=False):
        picture = real.detach().float().requires_grad_(True)
        logits = discriminate(picture)
        gates = [_near(mask, x) for x in logits]
        total = torch.stack([(x if g is None else x * g).sum() for x, g in zip(logits, gates, strict=True)]).sum()
        (gradient,) = torch.autograd.grad(total, picture, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()

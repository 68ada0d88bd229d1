"""The source's second table as switches: what is left out of the losses, and the fuser that only adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from layoutbrush.training.drafts.config import DraftConfigError
from layoutbrush.training.drafts.losses import LossWeights

ABLATIONS: Mapping[str, tuple[str, ...]] = {
    "full": (),
    "no-kl": ("kl",),
    "no-image-l1": ("image_l1",),
    "no-latent-l1": ("latent_l1",),
    "no-image-gan": ("image_gan",),
    "no-object-gan": ("object_gan",),
    "no-category": ("category",),
    "sum-fuser": (),
}
"""Terms that get the weight 0, by the name of the row."""


def ablated(name: str, weights: LossWeights) -> tuple[LossWeights, str]:
    """Weights and fuser of a row. Raises DraftConfigError for an unknown name."""
    if name not in ABLATIONS:
        raise DraftConfigError(f"ablation: should be one of {', '.join(ABLATIONS)}, not {name!r}")
    return replace(weights, **dict.fromkeys(ABLATIONS[name], 0.0)), "sum" if name == "sum-fuser" else "lstm"

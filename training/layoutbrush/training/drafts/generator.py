"""The generator of Layout2Im: objects are encoded, placed, fused and decoded; one pass trains all of its terms."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.decoder import Decoder
from layoutbrush.training.drafts.encoders import CropEncoder, ObjectEncoder
from layoutbrush.training.drafts.fuser import build_fuser
from layoutbrush.training.drafts.painting import Painter
from layoutbrush.training.drafts.placing import object_crops
from layoutbrush.training.trainer.weights import load_module


class Pass(NamedTuple):
    """What one training pass makes. N: the valid objects of all photos, photo by photo.

    ``rebuilt`` and ``drawn``: pictures (B, 3, S, S) in [0, 1] from the codes of the real crops, and from random codes;
    ``real_crops``, ``rebuilt_crops``, ``drawn_crops`` (N, 3, c, c); ``mean``, ``log_variance`` (N, z) of Q(z|O);
    ``regressed`` (N, z): the mean of Q for the drawn crops, to be compared with the codes they were drawn from.
    """

    rebuilt: Tensor
    drawn: Tensor
    real_crops: Tensor
    rebuilt_crops: Tensor
    drawn_crops: Tensor
    mean: Tensor
    log_variance: Tensor
    regressed: Tensor


class DraftNetwork(nn.Module):
    """See the module's docstring. Padded objects (B, O) come with ``valid``; what is padded has no influence."""

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.config = config
        self.arguments = asdict(config)
        self.estimator = CropEncoder(config)
        self.objects = ObjectEncoder(config)
        self.fuser = build_fuser(config)
        self.decoder = Decoder(config)
        self.painter = Painter(config) if config.painted else None

    def draft(self, labels: Tensor, boxes: Tensor, valid: Tensor, latents: Tensor) -> Tensor:
        """labels (B, O) int, boxes (B, O, 4), valid (B, O) bool, latents (N, z) of the valid ones -> (B, 3, S, S)."""
        maps = self.objects(labels[valid], latents, boxes[valid])  # (N, C, h, w)
        fused = self.fuser(_padded(maps, valid).transpose(0, 1), valid.transpose(0, 1))
        painted: list[Tensor] = []
        if self.painter is not None:
            painted = self.painter(labels, _padded(latents, valid), boxes, valid)
        picture: Tensor = self.decoder(fused, painted)
        return picture

    def estimate(self, image: Tensor, boxes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (N, z) of the codes of the objects in pictures (B, 3, S, S)."""
        mean, log_variance = self.estimator(object_crops(image, boxes, valid, self.config.crop))
        return mean, log_variance

    def forward(
        self, image: Tensor, labels: Tensor, boxes: Tensor, valid: Tensor, noise: Tensor, codes: Tensor
    ) -> Pass:
        """One training pass; ``noise`` and ``codes`` (N, z) are standard normal: for Q's sample, and to draw from."""
        size = self.config.crop
        real = object_crops(image, boxes, valid, size)
        mean, log_variance = self.estimator(real)
        estimated = mean + (0.5 * log_variance).exp() * noise
        rebuilt = self.draft(labels, boxes, valid, estimated)
        drawn = self.draft(labels, boxes, valid, codes)
        drawn_crops = object_crops(drawn, boxes, valid, size)
        regressed, _ = self.estimator(drawn_crops)
        rebuilt_crops = object_crops(rebuilt, boxes, valid, size)
        return Pass(rebuilt, drawn, real, rebuilt_crops, drawn_crops, mean, log_variance, regressed)


def _padded(values: Tensor, valid: Tensor) -> Tensor:
    """Values of the valid objects, (N, ...), as (B, O, ...) with zeros for the others."""
    return values.new_zeros(*valid.shape, *values.shape[1:]).index_put((valid,), values)


def sample_codes(valid: Tensor, latent: int, seed: int) -> Tensor:
    """(N, latent) standard normal codes for the valid objects of (B, O), the same for the same seed on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(int(valid.sum()), latent, generator=generator).to(valid.device)


def load_drafts(path: Path) -> DraftNetwork:
    """From a `.safetensors` and the `.json` beside it, in eval mode, without gradients. Raises WeightsError."""
    return load_module(path, lambda **sizes: DraftNetwork(DraftConfig(**sizes))).requires_grad_(False)

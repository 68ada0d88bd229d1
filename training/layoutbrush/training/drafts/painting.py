"""Boxes painted with what stands in them, at every scale of the decoder (beyond the source; config `painted`).

The fused map has 8 x 8 places, and what tells objects apart has to pass a recurrent network first. Painted maps give
the decoder category and latent code where they belong from the first step on, as spatially adaptive normalisation
(Park et al., CVPR 2019) does with label maps. Where boxes overlap the smaller weighs more: a thing stands before stuff.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.placing import box_masks

LEAST_AREA = 1e-3
"""Smaller boxes weigh as one of this share of the picture."""


class Painter(nn.Module):
    """Maps of a layout at the sides ``grid``, twice that, up to ``size``, each with ``painted`` + 3 channels.

    The last three: across and down inside the box, -1 to 1, and how much of the place is covered by any box.
    """

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.sides = [config.grid << step for step in range(config.halvings + 1)]
        self.embedding = nn.Embedding(config.labels, config.embedding)
        self.mix = nn.Linear(config.embedding + config.latent, config.painted)

    def forward(self, labels: Tensor, latents: Tensor, boxes: Tensor, valid: Tensor | None = None) -> list[Tensor]:
        """labels (B, O) int, latents (B, O, z), boxes (B, O, 4), valid (B, O) bool (None: all) -> (B, C, s, s) each."""
        vectors = self.mix(torch.cat([self.embedding(labels), latents], 2)).float()  # (B, O, P)
        boxes = boxes.float()
        extent = (boxes[..., 2:] - boxes[..., :2]).clamp_min(1e-4)
        weight = (extent[..., 0] * extent[..., 1]).clamp_min(LEAST_AREA) ** -2
        if valid is not None:
            weight = weight * valid
        return [self._painted(vectors, boxes, extent, weight, side) for side in self.sides]

    def _painted(self, vectors: Tensor, boxes: Tensor, extent: Tensor, weight: Tensor, side: int) -> Tensor:
        batch, count, channels = vectors.shape
        masks = box_masks(boxes.reshape(-1, 4), side).reshape(batch, count, side * side)
        heavy = masks * weight[..., None]
        total = heavy.sum(1, keepdim=True)
        shares = heavy / (total + 1e-6)  # (B, O, s * s)
        painted = torch.bmm(vectors.transpose(1, 2), shares).reshape(batch, channels, side, side)
        # Inside a box the place is (x - centre) / (extent / 2); its weighted mean is linear in x.
        slope = 2 / extent
        centre = (boxes[..., :2] + boxes[..., 2:]) / extent
        inside = torch.bmm(torch.cat([slope, centre], 2).transpose(1, 2), shares).reshape(batch, 4, side, side)
        at = (torch.arange(side, dtype=boxes.dtype, device=boxes.device) + 0.5) / side
        covered = (total / (total + 1e-6)).reshape(batch, 1, side, side)
        across = (inside[:, 0:1] * at - inside[:, 2:3]).clamp(-1, 1)
        down = (inside[:, 1:2] * at[:, None] - inside[:, 3:4]).clamp(-1, 1)
        return torch.cat([painted, across, down, covered], 1)


class Tint(nn.Module):
    """Scale and shift of normalised features by a painted map: (B, C, s, s), (B, P, s, s) -> (B, C, s, s)."""

    def __init__(self, channels: int, painted: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(painted, 2 * channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """See the class."""
        scale, shift = self.conv(painted).chunk(2, 1)
        return x * (1 + scale) + shift

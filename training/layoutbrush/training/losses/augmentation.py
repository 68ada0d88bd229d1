"""Differentiable augmentation (Zhao et al., NeurIPS 2020): the discriminator never sees a picture as it is.

The same random change goes to picture, layout and mask, and real and fake pictures of a pair get the same one, so that
the discriminator can't memorise few photos and still judges like with like. Random numbers come from torch's generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Strengths: ``color`` of brightness, saturation and contrast; ``shift`` share of the side; ``cutout`` share of the
    side (0 switches one off); ``flip`` mirrors every other picture."""

    color: float = 0.3
    shift: float = 0.125
    cutout: float = 0.25
    flip: bool = True


@dataclass(frozen=True)
class Drawn:
    """One draw for B examples; apply it to as many tensors as need it."""

    brightness: Tensor  # (B, 1, 1, 1)
    saturation: Tensor
    contrast: Tensor
    grid: Tensor  # (B, H, W, 2), as grid_sample wants it
    visible: Tensor  # (B, 1, H, W): 0 inside the cut-out

    def picture(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1]: colour, place, cut-out."""
        x = x + self.brightness
        grey = x.mean(1, keepdim=True)
        x = (x - grey) * self.saturation + grey
        middle = x.mean((1, 2, 3), keepdim=True)
        x = (x - middle) * self.contrast + middle
        return self.place(x)

    def place(self, x: Tensor) -> Tensor:
        """Anything (B, C, H, W) that belongs to the picture: place and cut-out only."""
        moved = F.grid_sample(x.float(), self.grid, mode="nearest", padding_mode="zeros", align_corners=False)
        return moved * self.visible


def draw(settings: Augmentation, batch: int, height: int, width: int, device: torch.device) -> Drawn:
    """Random numbers for a batch. Shifts are whole pixels, so that nothing is resampled."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, 1, 1, 1, device=device)

    c = settings.color
    side = torch.tensor([width, height], device=device)
    shift = (uniform_shift(settings.shift, batch, device) * side).round() / side * 2  # (B, 2), in grid units
    theta = torch.zeros(batch, 2, 3, device=device)
    mirror = torch.where(torch.rand(batch, device=device) < 0.5, -1.0, 1.0) if settings.flip else 1.0
    theta[:, 0, 0] = mirror
    theta[:, 1, 1] = 1
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, [batch, 1, height, width], align_corners=False)
    return Drawn(
        uniform(-0.5 * c, 0.5 * c),
        uniform(1 - c, 1 + c),
        uniform(1 - c, 1 + c),
        grid,
        _cutout(settings.cutout, batch, height, width, device),
    )


def uniform_shift(share: float, batch: int, device: torch.device) -> Tensor:
    """(B, 2) uniform in [-share, share]."""
    return (torch.rand(batch, 2, device=device) * 2 - 1) * share


def _cutout(share: float, batch: int, height: int, width: int, device: torch.device) -> Tensor:
    if share <= 0:
        return torch.ones(batch, 1, height, width, device=device)
    y = torch.arange(height, device=device).view(1, 1, -1, 1)
    x = torch.arange(width, device=device).view(1, 1, 1, -1)
    cy = torch.rand(batch, 1, 1, 1, device=device) * height
    cx = torch.rand(batch, 1, 1, 1, device=device) * width
    inside = ((y - cy).abs() < share * height / 2) & ((x - cx).abs() < share * width / 2)
    return 1 - inside.float()

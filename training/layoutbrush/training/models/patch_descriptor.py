"""The patch descriptor: a linear projection of the window around a pixel, shared by photos and estimates.

Patch-based synthesis compares windows by their sum of squared differences (Wexler, Shechtman, Irani 2007).
A projection on the windows' principal components keeps those distances in a few channels, so that one dot
product of two descriptors stands for the comparison of two windows. It starts from separable cosines, which
are close to the principal components of natural windows, and is trained with everything else.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

# Opponent colours (rows): luminance, red-green, blue-yellow; orthonormal, so distances in RGB are kept.
_OPPONENT = ((0.57735, 0.57735, 0.57735), (0.70711, -0.70711, 0.0), (0.40825, 0.40825, -0.81650))


def cosine_basis(size: int, channels: int) -> torch.Tensor:
    """Separable cosines over a window and the opponent colours, most energetic first.

    Natural windows hold energy about as 1 / frequency^2 and a third as much of it in colour as in luminance:
    that orders the basis. Returns (channels, 3, size, size) float32, orthonormal up to the factor 1 / size,
    so that a squared distance is the mean over the window of the squared RGB difference.
    """
    axis = torch.arange(size, dtype=torch.float64)
    waves = [torch.cos(math.pi * (axis + 0.5) * k / size) for k in range(size)]
    waves = [w / w.norm() for w in waves]
    ranked = sorted(
        ((ky * ky + kx * kx + 0.5) * (1.0 if colour == 0 else 8.0), colour, ky, kx)
        for colour in range(3)
        for ky in range(size)
        for kx in range(size)
    )
    rows = []
    for _, colour, ky, kx in ranked[:channels]:
        plane = torch.outer(waves[ky], waves[kx]) / size
        rows.append(torch.tensor(_OPPONENT[colour], dtype=torch.float64)[:, None, None] * plane)
    return torch.stack(rows).float()


class PatchDescriptor(nn.Module):
    """Projects the size x size window around each pixel on `channels` learned components.

    forward: (B, 3, H, W) float32 in [0, 1] -> (B, channels, H, W); the border is replicated.
    """

    def __init__(self, channels: int, size: int = 7) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(cosine_basis(size, channels))

    def forward(
        self, image: torch.Tensor, channels: int | None = None, gain: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`channels` takes the first, most energetic components only (the finest scale saves time so); `gain` (0-d)
        scales what comes out.
        """
        weight = self.weight if channels is None else self.weight[:channels]
        weight = weight if gain is None else weight * gain
        border = self.size // 2
        return F.conv2d(F.pad(image - 0.5, (border,) * 4, mode="replicate"), weight)

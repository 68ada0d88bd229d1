"""The visual-semantic encoder (506 in the patent): features f1..f4 of a picture, its own weights, distilled.

A small residual convnet with batch normalisation, which inference folds into the convolutions. It learns the features
of an ImageNet network (`stages.distill`), so that nobody else's weights need to be shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


def conv_norm(channels: int, width: int, size: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch normalisation."""
    padding = dilation * (size // 2)
    return nn.Sequential(nn.Conv2d(channels, width, size, stride, padding, dilation, bias=False), nn.BatchNorm2d(width))


class Residual(nn.Module):
    """x + two convolutions of x (He et al. 2016), then ReLU. (B, C, H, W) -> the same."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(width, width, dilation=dilation)
        self.second = conv_norm(width, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.relu(x + self.second(F.relu(self.first(x))))


class Level(nn.Module):
    """Halves the picture, then residual blocks. (B, C, H, W) -> (B, width, H/2, W/2)."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.down = conv_norm(channels, width, stride=2)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.blocks(F.relu(self.down(x)))
        return found


class VisualSemanticEncoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of a picture.

    Args:
        channels: of f1..f4.
        blocks: residual blocks on each level.

    forward: (B, 3, H, W) float in [0, 1], H and W multiples of 16 -> (f1, f2, f3, f4), each (B, channels[i], H /
    2^(i+1), W / 2^(i+1)), >= 0.
    """

    def __init__(self, channels: Sequence[int] = (24, 48, 96, 144), blocks: Sequence[int] = (0, 1, 1, 1)) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.arguments: dict[str, Any] = {"channels": list(channels), "blocks": list(blocks)}
        widths = (3, *channels)
        self.levels = nn.ModuleList(
            Level(narrow, wide, count) for narrow, wide, count in zip(widths[:-1], widths[1:], blocks, strict=True)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See the class."""
        x = image * 4 - 2
        found = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        f1, f2, f3, f4 = found
        return f1, f2, f3, f4

"""From the fused map of a layout to the draft."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.encoders import normalised


class Residual(nn.Module):
    """Two convolutions beside the identity: (B, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1),
            normalised(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1),
            normalised(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.relu(x + self.layers(x))


class Rise(nn.Module):
    """Twice the size by nearest neighbours, then a convolution: no chequers (Odena et al. 2016)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, 1, 1)
        self.norm = normalised(out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, 2H, 2W)."""
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))))


class Decoder(nn.Module):
    """(B, hidden, grid, grid) -> draft (B, 3, size, size) in [0, 1]."""

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        channels = 4 * config.width
        layers: list[nn.Module] = [nn.Conv2d(config.hidden, channels, 3, 1, 1), normalised(channels), nn.ReLU()]
        layers += [Residual(channels) for _ in range(config.blocks)]
        for _ in range(config.halvings):
            narrower = max(channels // 2, config.width // 2 // 8 * 8, 8)
            layers.append(Rise(channels, narrower))
            channels = narrower
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, 1, 1))

    def forward(self, fused: Tensor) -> Tensor:
        """See the class."""
        return torch.sigmoid(self.layers(fused))

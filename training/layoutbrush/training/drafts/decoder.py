"""From the fused map of a layout to the draft."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.encoders import normalised
from layoutbrush.training.drafts.painting import Tint


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
        """(B, C, H, W) -> (B, out, 2H, 2W), before its activation."""
        risen: Tensor = self.norm(self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        return risen


class Decoder(nn.Module):
    """(B, hidden, grid, grid), and the painted maps if the configuration has them -> (B, 3, size, size) in [0, 1]."""

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        channels = 4 * config.width
        self.opening = nn.Sequential(nn.Conv2d(config.hidden, channels, 3, 1, 1), normalised(channels))
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(config.blocks)))
        widths = [channels]
        for _ in range(config.halvings):
            widths.append(max(widths[-1] // 2, config.width // 2 // 8 * 8, 8))
        self.rises = nn.ModuleList(Rise(a, b) for a, b in pairwise(widths))
        self.tints = nn.ModuleList()
        if config.painted:
            sides = [config.grid << step for step in range(len(widths))]
            self.tints.extend(
                Tint(width, config.painted + 3, 3 if side <= 16 else 1)
                for width, side in zip(widths, sides, strict=True)
            )
        self.closing = nn.Conv2d(widths[-1], 3, 3, 1, 1)

    def forward(self, fused: Tensor, painted: Sequence[Tensor] = ()) -> Tensor:
        """See the class."""
        x = self.opening(fused)
        x = self.blocks(F.relu(self._tinted(x, 0, painted)))
        for index, rise in enumerate(self.rises):
            x = F.relu(self._tinted(rise(x), index + 1, painted))
        return torch.sigmoid(self.closing(x))

    def _tinted(self, x: Tensor, index: int, painted: Sequence[Tensor]) -> Tensor:
        if not self.tints:
            return x
        tinted: Tensor = self.tints[index](x, painted[index])
        return tinted

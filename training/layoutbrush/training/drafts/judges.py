"""The two discriminators: of whole pictures, and of objects with an auxiliary classifier (Odena et al., ICML 2017).

Both have spectral normalisation (Miyato et al., ICLR 2018), as the source's code does.
"""

from __future__ import annotations

from dataclasses import asdict

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.encoders import SLOPE


def _trunk(side: int, width: int) -> tuple[nn.Sequential, int]:
    """Down to 4 x 4 by strides; the layers and their last channels."""
    layers: list[nn.Module] = []
    channels, out = 3, width
    while side > 4:
        layers += [spectral_norm(nn.Conv2d(channels, out, 4, 2, 1)), nn.LeakyReLU(SLOPE)]
        channels, out, side = out, min(2 * out, 8 * width), side // 2
    layers += [spectral_norm(nn.Conv2d(channels, channels, 3, 1, 1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers), channels


class ImageJudge(nn.Module):
    """Pictures (B, 3, S, S) in [0, 1] -> logits (B, 1, 4, 4), high for real."""

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.arguments = asdict(config)
        self.trunk, channels = _trunk(config.size, config.width)
        self.real = spectral_norm(nn.Conv2d(channels, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.real(self.trunk(picture * 2 - 1))
        return logits


class ObjectJudge(nn.Module):
    """Crops (N, 3, c, c) in [0, 1] -> logits (N,), high for real, and logits of the categories (N, labels)."""

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.arguments = asdict(config)
        self.trunk, channels = _trunk(config.crop, config.width)
        self.real = spectral_norm(nn.Linear(channels, 1))
        self.category = spectral_norm(nn.Linear(channels, config.labels))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.trunk(crops * 2 - 1).mean((2, 3))
        return self.real(features)[:, 0], self.category(features)

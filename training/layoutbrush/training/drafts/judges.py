"""The two discriminators: of whole pictures, and of objects with an auxiliary classifier (Odena et al., ICML 2017).

Both have spectral normalisation (Miyato et al., ICLR 2018), as the source's code does, or none: few steps then get
further, with the gradient penalty R1 (Mescheder et al., ICML 2018) in its place.
"""

from __future__ import annotations

from dataclasses import asdict

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.encoders import SLOPE


def _bounded(layer: nn.Conv2d | nn.Linear, spectral: bool) -> nn.Module:
    """Without normalisation, weights that keep the size of what passes: torch's own shrink it sixfold a judge."""
    if spectral:
        return spectral_norm(layer)
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _trunk(side: int, width: int, spectral: bool) -> tuple[nn.Sequential, int]:
    """Down to 4 x 4 by strides; the layers and their last channels."""
    layers: list[nn.Module] = []
    channels, out = 3, width
    while side > 4:
        layers += [_bounded(nn.Conv2d(channels, out, 4, 2, 1), spectral), nn.LeakyReLU(SLOPE)]
        channels, out, side = out, min(2 * out, 8 * width), side // 2
    layers += [_bounded(nn.Conv2d(channels, channels, 3, 1, 1), spectral), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers), channels


class ImageJudge(nn.Module):
    """Pictures (B, 3, S, S) in [0, 1] -> logits (B, 1, 4, 4), high for real."""

    def __init__(self, config: DraftConfig, spectral: bool = True) -> None:
        super().__init__()
        self.arguments = {**asdict(config), "spectral": spectral}
        self.trunk, channels = _trunk(config.size, config.width, spectral)
        self.real = _bounded(nn.Conv2d(channels, 1, 1), spectral)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.real(self.trunk(picture * 2 - 1))
        return logits


class ObjectJudge(nn.Module):
    """Crops (N, 3, c, c) in [0, 1] -> logits (N,), high for real, and logits of the categories (N, labels)."""

    def __init__(self, config: DraftConfig, spectral: bool = True) -> None:
        super().__init__()
        self.arguments = {**asdict(config), "spectral": spectral}
        self.trunk, channels = _trunk(config.crop, config.width, spectral)
        self.real = _bounded(nn.Linear(channels, 1), spectral)
        # Not normalised: bounded logits keep the classifier, and what the generator learns from it, near chance.
        self.category = nn.Linear(channels, config.labels)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.trunk(crops * 2 - 1).mean((2, 3))
        return self.real(features)[:, 0], self.category(features)

"""The discriminator D(x, c, m) (patent 518, equation 14): patches of a picture with layout and mask, on two scales."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from layoutbrush.training.models.labels import one_hot
from layoutbrush.training.models.spade import SLOPE


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes; stored beside the weights. ``scales``: how often the picture is also judged at half the size."""

    labels: int = 15
    width: int = 48
    scales: int = 2


def _patches(inputs: int, width: int) -> nn.Sequential:
    def conv(i: int, o: int, kernel: int, stride: int) -> nn.Module:
        return spectral_norm(nn.Conv2d(i, o, kernel, stride, 1))

    return nn.Sequential(
        conv(inputs, width, 4, 2),
        nn.LeakyReLU(SLOPE),
        conv(width, 2 * width, 4, 2),
        nn.LeakyReLU(SLOPE),
        conv(2 * width, 4 * width, 4, 2),
        nn.LeakyReLU(SLOPE),
        conv(4 * width, 4 * width, 3, 1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(4 * width, 1, 3, 1, 1),
    )


class Discriminator(nn.Module):
    """Judges patches. forward: picture (B, 3, H, W) in [0, 1], labels (B, L + 1, H, W), hole (B, 1, H, W) in [0, 1] ->
    for each scale a map of logits (B, 1, H/8/s, W/8/s), high for real. Labels come as shares of each label
    (:meth:`shares`), so that augmentation may move them along with the picture.
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DiscriminatorConfig()
        self.arguments = asdict(self.config)
        inputs = 3 + self.config.labels + 1 + 1
        self.judges = nn.ModuleList(_patches(inputs, self.config.width) for _ in range(self.config.scales))

    def shares(self, edited: Tensor) -> Tensor:
        """(B, H, W) label ids -> (B, L + 1, H, W)."""
        return one_hot(edited, self.config.labels)

    def forward(self, picture: Tensor, labels: Tensor, hole: Tensor) -> list[Tensor]:
        x = torch.cat([picture * 2 - 1, labels, hole], 1)
        logits = []
        for level, judge in enumerate(self.judges):
            logits.append(judge(x if level == 0 else F.avg_pool2d(x, 2**level)))
        return logits

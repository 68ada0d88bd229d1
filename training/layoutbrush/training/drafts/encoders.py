"""What an object becomes: a latent code from its crop, Q(z|O), and a feature map from category, code and box."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.placing import PlacedConv, box_masks

SLOPE = 0.2
GROUPS = 8


def normalised(channels: int) -> nn.GroupNorm:
    """Statistics of one object alone: how many others there are changes nothing."""
    return nn.GroupNorm(GROUPS, channels)


class CropEncoder(nn.Module):
    """Object estimator Q(z|O): crops (N, 3, S, S) in [0, 1] -> mean (N, z) and log variance (N, z).

    The same network estimates the latent codes of generated objects for the latent regression, as in the source.
    """

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        width, side, channels = config.width, config.crop, config.width
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        side //= 2
        while side > 4:
            wider = min(2 * channels, 4 * width)
            layers += [nn.Conv2d(channels, wider, 4, 2, 1), normalised(wider), nn.LeakyReLU(SLOPE)]
            channels, side = wider, side // 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.mean = nn.Linear(channels * side * side, config.latent)
        self.log_variance = nn.Linear(channels * side * side, config.latent)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. The log variance is bounded to [-10, 10], so that its exponential stays finite."""
        features = self.layers(crops * 2 - 1)
        return self.mean(features), self.log_variance(features).clamp(-10, 10)


class ObjectEncoder(nn.Module):
    """Feature maps of objects: labels (N,) int, latents (N, z), boxes (N, 4) -> (N, hidden, grid, grid).

    Embedding and latent code stand together inside the box (mask) and go down to the grid by convolutions of stride 2.
    """

    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.size = config.canvas
        self.embedding = nn.Embedding(config.labels, config.embedding)
        channels = config.width
        self.placed = PlacedConv(config.embedding + config.latent, channels)
        layers: list[nn.Module] = [normalised(channels), nn.LeakyReLU(SLOPE)]
        for _ in range(int(math.log2(config.canvas // config.grid)) - 1):
            wider = min(2 * channels, 2 * config.width)
            layers += [nn.Conv2d(channels, wider, 4, 2, 1), normalised(wider), nn.LeakyReLU(SLOPE)]
            channels = wider
        layers.append(nn.Conv2d(channels, config.hidden, 3, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, labels: Tensor, latents: Tensor, boxes: Tensor) -> Tensor:
        """See the class."""
        vectors = torch.cat([self.embedding(labels), latents], 1)
        maps: Tensor = self.layers(self.placed(vectors, box_masks(boxes, self.size)))
        return maps

"""Class probabilities for the inception score from weights in a folder: SqueezeNet 1.1 or Inception v3 on ImageNet.

The score of the literature is Inception v3's; one by another network is comparable only with itself, above all with its
own row of real photos.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.metrics.features import FeatureError, FeatureNetwork, load_features, read_arrays
from layoutbrush.training.metrics.inception import Inception, load_inception


class ClassProbabilities(nn.Module):
    """Pictures (B, 3, H, W) in [0, 1], enlarged to ``side`` pixels -> probabilities (B, classes)."""

    def __init__(self, network: FeatureNetwork | Inception, weight: Tensor, bias: Tensor, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side
        self.relu = isinstance(network, FeatureNetwork)  # SqueezeNet classifies each place, then averages
        self.weight = nn.Parameter(weight.flatten(1), requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        x = F.interpolate(picture, size=(self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        features = self.network(x)
        if self.relu:
            logits = F.relu(F.conv2d(features[-1], self.weight[:, :, None, None], self.bias)).mean((2, 3))
        else:
            logits = F.linear(features.mean((2, 3)), self.weight, self.bias)
        return torch.softmax(logits.float(), 1)


def load_classes(folder: Path) -> ClassProbabilities:
    """Inception v3 where the folder has it (side 299), else SqueezeNet (side 224). Raises FeatureError."""
    if list(folder.glob("inception*.npz")):
        stored = read_arrays(folder, "inception*.npz")
        head = _head(stored, folder, "fc")
        return ClassProbabilities(load_inception(folder), *head, side=299).eval()
    stored = read_arrays(folder, "squeezenet*.npz")
    head = _head(stored, folder, "classifier.1")
    return ClassProbabilities(load_features(folder, "squeezenet", (6,)), *head, side=224).eval()


def _head(stored: dict[str, Tensor], folder: Path, name: str) -> tuple[Tensor, Tensor]:
    try:
        return stored[f"{name}.weight"], stored[f"{name}.bias"]
    except KeyError as error:
        raise FeatureError(f"{folder}: the weights lack {error.args[0]}") from error

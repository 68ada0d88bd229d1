"""The segmentation network (602 in the patent): label ids of a photo.

The distilled encoder as a trunk, dilated convolutions and a global mean for context at 1/16 (Chen et al., DeepLab v3,
2017), and a decoder that brings the finer levels back in up to 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.metrics.features import FeatureNetwork
from layoutbrush.training.models.visual_semantic import Residual, VisualSemanticEncoder, conv_norm


class ConvRelu(nn.Module):
    """Convolution, batch normalisation, ReLU. (B, channels, H, W) -> (B, width, H, W)."""

    def __init__(self, channels: int, width: int, size: int = 3, dilation: int = 1) -> None:
        super().__init__()
        self.conv = conv_norm(channels, width, size, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.relu(self.conv(x))


class Context(nn.Module):
    """Looks around at several reaches. (B, channels, h, w) -> (B, width, h, w)."""

    def __init__(self, channels: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        branch = width // 2
        self.block = Residual(channels, 2)
        self.branches = nn.ModuleList(
            [ConvRelu(channels, branch, 1), *(ConvRelu(channels, branch, 3, d) for d in dilations)]
        )
        self.whole = nn.Conv2d(channels, branch, 1)
        self.mix = ConvRelu(branch * (len(dilations) + 2), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.block(x)
        whole = F.relu(self.whole(x.mean((2, 3), keepdim=True)))  # (B, branch, 1, 1)
        found = [branch(x) for branch in self.branches]
        mixed: Tensor = self.mix(torch.cat([*found, whole.expand_as(found[0])], 1))
        return mixed


class Rise(nn.Module):
    """One level up: enlarges twice and joins the trunk's finer features. -> (B, width, 2h, 2w)."""

    def __init__(self, channels: int, lateral: int, narrow: int, width: int) -> None:
        super().__init__()
        self.lateral = ConvRelu(lateral, narrow, 1)
        self.mix = ConvRelu(channels + narrow, width)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """x (B, channels, h, w), finer (B, lateral, 2h, 2w)."""
        raised: Tensor = self.mix(torch.cat([enlarged(x, 2), self.lateral(finer)], 1))
        return raised


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Bilinear, (B, C, h, w) -> (B, C, factor * h, factor * w)."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class PretrainedTrunk(FeatureNetwork):
    """SqueezeNet's features at 1/2, 1/4, 1/8 and 1/16, to be fine-tuned."""

    channels = (64, 128, 256, 512)

    def __init__(self) -> None:
        super().__init__("squeezenet", taps=(0, 1, 2, 6), aligned=True)
        self.arguments: dict[str, Any] = {"pretrained": self.backend}


def make_trunk(arguments: dict[str, Any]) -> VisualSemanticEncoder | PretrainedTrunk:
    """The encoder that the arguments name."""
    return PretrainedTrunk() if "pretrained" in arguments else VisualSemanticEncoder(**arguments)


class SegmentationNetwork(nn.Module):
    """Label scores of a photo at half its size.

    Args:
        labels: how many labels.
        context: channels after the context block.
        decoder: channels at 1/8, 1/4, 1/2.
        dilations: of the context's branches at 1/16.
        trunk: the encoder's arguments; ``{"pretrained": "squeezenet"}`` for an ImageNet trunk instead, whose weights
        are
            someone else's: such a network teaches, it is never shipped.

    forward: (B, 3, H, W) in [0, 1], H and W multiples of 16 -> logits (B, labels, H/2, W/2).
    """

    def __init__(
        self,
        labels: int = 15,
        context: int = 128,
        decoder: Sequence[int] = (96, 64, 32),
        dilations: Sequence[int] = (2, 4, 8),
        trunk: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.trunk = make_trunk(trunk or {})
        self.arguments: dict[str, Any] = {
            "labels": labels,
            "context": context,
            "decoder": list(decoder),
            "dilations": list(dilations),
            "trunk": dict(self.trunk.arguments),
        }
        one, two, three, four = self.trunk.channels
        self.context = Context(four, context, dilations)
        self.rise8 = Rise(context, three, three // 2, decoder[0])
        self.rise4 = Rise(decoder[0], two, two // 2, decoder[1])
        self.rise2 = Rise(decoder[1], one, one, decoder[2])
        self.drop = nn.Dropout2d(0.1)
        self.head = nn.Conv2d(decoder[2], labels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return self.with_features(image)[0]

    def with_features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and what the trunk saw: f3 brought down to 1/16 and f4, (B, channels, H/16, W/16), >= 0."""
        f1, f2, f3, f4 = self.trunk(image)
        x = self.rise8(self.context(f4), f3)
        x = self.rise2(self.rise4(x, f2), f1)
        logits: Tensor = self.head(self.drop(x))
        return logits, torch.cat([F.avg_pool2d(f3, 2), f4], 1)


class Segment(nn.Module):
    """The graph `segment`: photo -> labels, how sure they are, and what photos are compared by.

    forward: (B, 3, H, W) float32 in [0, 1] -> labels (B, H, W) int32, confidence (B, H, W) float32 in (0, 1], the
    probability of that label, features (B, C, H/16, W/16) float32, >= 0: the trunk's at its two coarsest levels.
    """

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        logits, features = self.network.with_features(image)
        scores = enlarged(logits.float(), 2)  # (B, labels, H, W)
        confidence, labels = scores.softmax(1).max(1)
        return labels.int(), confidence, features.float()

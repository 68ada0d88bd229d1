"""The completion network: labels for the pixels that a layout says nothing about, from the labels and the photo around.

A hole in a label map hides what nobody can know and much that can be known: the horizon runs through it, walls go on
upwards and roads to the rim. A small U-Net at 1/4 to 1/16 of the size looks at the labels, the visible photo and the
place in the picture. Means over whole rows and columns (strip pooling: Hou et al., CVPR 2020) carry the horizon across
a hole of any width. It corrects a first guess, the labels of the smallest windows that hold any (`diffuse`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.models.diffusion import diffuse
from layoutbrush.training.models.labels import UNKNOWN, one_hot
from layoutbrush.training.models.segmentation import ConvRelu, enlarged
from layoutbrush.training.models.visual_semantic import Residual, conv_norm

_COARSE = 8
_FLOOR = 0.02
"""Share that the first guess leaves to labels that it doesn't see."""


def first_guess(labels: Tensor) -> Tensor:
    """Shares of each label (B, K, H/8, W/8) everywhere, from the one-hot layout (B, K + 1, H, W): `diffuse`."""
    pooled = F.avg_pool2d(labels, _COARSE)
    weight = 1 - pooled[:, -1:]
    return diffuse(pooled[:, :-1] / weight.clamp_min(1e-6), weight).clamp(0, 1)


class Strips(nn.Module):
    """Adds what whole rows, whole columns and the whole picture hold, each pixel counting by how much is known there.

    forward: x (B, C, h, w), weight (B, 1, h, w) in [0, 1] -> (B, C, h, w).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rows = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.columns = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.whole = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """See the class."""
        weight = weight + 1e-3  # rows of which nothing is known take the plain mean
        seen = x * weight
        rows = self.rows(seen.mean(3, keepdim=True) / weight.mean(3, keepdim=True))
        columns = self.columns(seen.mean(2, keepdim=True) / weight.mean(2, keepdim=True))
        whole = self.whole(seen.mean((2, 3), keepdim=True) / weight.mean((2, 3), keepdim=True))
        return F.relu(x + rows + columns + whole)


class CompletionNetwork(nn.Module):
    """Label scores for every pixel of a layout with gaps.

    Args:
        labels: how many labels.
        stem: channels that the photo becomes at 1/4.
        widths: channels at 1/4, 1/8, 1/16.
        dilations: of the residual blocks at 1/16.

    forward: image (B, 3, H, W) in [0, 1]; edited (B, H, W) int ids, 255 = to be found; mask (B, H, W) bool, True = the
    photo there doesn't count. H and W multiples of 16. -> logits (B, labels, H/4, W/4).
    """

    def __init__(
        self,
        labels: int = 15,
        stem: int = 24,
        widths: Sequence[int] = (40, 80, 112),
        dilations: Sequence[int] = (1, 2, 4),
    ) -> None:
        super().__init__()
        self.labels = labels
        self.arguments: dict[str, Any] = {
            "labels": labels,
            "stem": stem,
            "widths": list(widths),
            "dilations": list(dilations),
        }
        fine, middle, coarse = widths
        self.photo = nn.Sequential(conv_norm(4, stem, stride=2), nn.ReLU(), conv_norm(stem, stem, stride=2), nn.ReLU())
        # Labels, unknown, mask, first guess, two coordinates.
        self.enter = ConvRelu(stem + 2 * labels + 4, fine)
        self.level4 = Residual(fine)
        self.down8 = conv_norm(fine, middle, stride=2)
        self.level8 = Residual(middle)
        self.down16 = conv_norm(middle, coarse, stride=2)
        self.blocks = nn.ModuleList(Residual(coarse, dilation) for dilation in dilations)
        self.strips = nn.ModuleList(Strips(coarse) for _ in dilations)
        self.drop = nn.Dropout2d(0.1)
        self.rise8 = ConvRelu(coarse + middle, middle)
        self.rise4 = ConvRelu(middle + fine, fine)
        self.head = nn.Conv2d(fine, labels, 3, padding=1)
        nn.init.zeros_(self.head.weight)  # starts as the first guess
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def forward(self, image: Tensor, edited: Tensor, mask: Tensor) -> Tensor:
        """See the class."""
        hot = one_hot(edited, self.labels)
        visible = (~mask)[:, None].to(image.dtype)
        photo = self.photo(torch.cat([(image * 4 - 2) * visible, visible], 1))
        guess = enlarged(first_guess(hot), 2)
        quarter = F.avg_pool2d(torch.cat([hot, visible], 1), 4)
        known = 1 - quarter[:, self.labels : self.labels + 1]
        place = _coordinates(quarter)
        x4 = self.level4(self.enter(torch.cat([photo, quarter, guess, place], 1)))
        x8 = self.level8(F.relu(self.down8(x4)))
        x = F.relu(self.down16(x8))
        weight = F.avg_pool2d(known, 4)
        for block, strips in zip(self.blocks, self.strips, strict=True):
            x = strips(block(x), weight)
        x = self.rise8(torch.cat([enlarged(self.drop(x), 2), x8], 1))
        x = self.rise4(torch.cat([enlarged(x, 2), x4], 1))
        correction: Tensor = self.head(x)
        return correction.float() + (guess.float() + _FLOOR).log()


def _coordinates(like: Tensor) -> Tensor:
    """(B, 2, h, w): how far down and how far from the middle column, on -1 .. 1."""
    batch, _, height, width = like.shape
    down = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * (2 / height) - 1
    across = ((torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * (2 / width) - 1).abs()
    plane = torch.stack([down[:, None].expand(height, width), across[None].expand(height, width)])
    return plane[None].expand(batch, -1, -1, -1)


class Complete(nn.Module):
    """The graph `complete`: a layout with gaps -> one without.

    forward: image (B, 3, H, W) float32 in [0, 1]; edited (B, H, W) int32, 255 = to be found; mask (B, H, W) bool, True
    = the photo there doesn't count -> labels (B, H, W) int32, those given where they are; confidence (B, H, W) float32
    in (0, 1], the probability of that label, 1 where it was given.
    """

    def __init__(self, network: CompletionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, edited: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        shares = enlarged(self.network(image, edited, mask), 4).softmax(1)
        confidence, labels = shares.max(1)
        missing = edited == UNKNOWN
        return torch.where(missing, labels.int(), edited), torch.where(missing, confidence, torch.ones_like(confidence))

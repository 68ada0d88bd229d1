"""Boxes and pixels: masks of boxes, vectors placed in their boxes, crops of pictures."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def box_masks(boxes: Tensor, size: int) -> Tensor:
    """(N, 4) left, top, right, bottom as shares -> (N, 1, size, size): the share of each pixel that its box covers."""
    start = torch.arange(size, dtype=boxes.dtype, device=boxes.device)

    def covered(low: Tensor, high: Tensor) -> Tensor:  # (N, 1) each -> (N, size)
        return (torch.minimum(high * size, start + 1) - torch.maximum(low * size, start)).clamp(0, 1)

    columns, rows = covered(boxes[:, 0:1], boxes[:, 2:3]), covered(boxes[:, 1:2], boxes[:, 3:4])
    return (rows[:, :, None] * columns[:, None, :])[:, None]


class PlacedConv(nn.Module):
    """Convolution, of stride 2, of a map that holds one vector inside a box and nothing outside it.

    The source repeats the vector over the box and convolves. As the map is vector x mask, its convolution is the mask's
    with the kernel applied to the vector first: the same result without a map of many channels at full size.

    forward: vectors (N, C), masks (N, 1, H, W) -> (N, out, H/2, W/2).
    """

    def __init__(self, channels: int, out: int, kernel: int = 4) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out))
        nn.init.kaiming_normal_(self.weight, 0.2)
        self.register_buffer("taps", torch.eye(kernel * kernel).view(-1, 1, kernel, kernel), persistent=False)

    def forward(self, vectors: Tensor, masks: Tensor) -> Tensor:
        """See the class."""
        out, channels, area = self.weight.shape[0], self.weight.shape[1], self.kernel**2
        weight = self.weight.permute(0, 2, 3, 1).reshape(out * area, channels)
        kernels = F.linear(vectors, weight).reshape(-1, out, area)  # (N, out, k * k)
        patches = F.conv2d(masks, cast(Tensor, self.taps).to(masks.dtype), stride=2, padding=self.kernel // 2 - 1)
        height, width = patches.shape[-2:]
        placed = torch.bmm(kernels, patches.flatten(2).to(kernels.dtype))  # (N, out, H/2 * W/2)
        return placed.reshape(-1, out, height, width) + self.bias[:, None, None]


def crops(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The inside of a box of each picture: (N, 3, H, W), (N, 4) -> (N, 3, size, size), bilinear, differentiable."""
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) - 1, boxes[:, 2:] - boxes[:, :2]  # in [-1, 1]
    zero = torch.zeros_like(extent[:, 0])
    rows = (torch.stack([extent[:, 0], zero, centre[:, 0]], 1), torch.stack([zero, extent[:, 1], centre[:, 1]], 1))
    grid = F.affine_grid(torch.stack(rows, 1), [boxes.shape[0], images.shape[1], size, size], align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def object_crops(images: Tensor, boxes: Tensor, valid: Tensor, size: int) -> Tensor:
    """Crops of every object: (B, 3, H, W), (B, O, 4), (B, O) bool -> (N, 3, size, size), photo by photo."""
    owner = torch.nonzero(valid)[:, 0]
    return crops(images[owner].float(), boxes[valid].float(), size)

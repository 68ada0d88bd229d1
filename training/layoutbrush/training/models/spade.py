"""Spatially-adaptive normalisation for the decoders (Park et al., CVPR 2019), in a form that is cheap on a CPU.

Gain and bias come from the layout through one 3x3 convolution and a 1x1 convolution: the layout is piecewise
constant, so the second 3x3 convolution of the paper costs far more than it tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Slope of every leaky ReLU below zero."""


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU with the slope of this package."""
    return F.leaky_relu(x, SLOPE)


class Spade(nn.Module):
    """Instance normalisation whose gain and bias the layout gives to every pixel.

    `kernel`: of the second convolution; 3 is the paper's, for narrow layers that can afford it.

    forward: x (B, channels, H, W), layout (B, layout_channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, layout_channels: int, hidden: int, kernel: int = 1) -> None:
        super().__init__()
        self.shared = nn.Conv2d(layout_channels, hidden, 3, padding=1)
        self.gain_bias = nn.Conv2d(hidden, 2 * channels, kernel, padding=kernel // 2)
        self.norm = nn.InstanceNorm2d(channels)

    def forward(self, x: Tensor, layout: Tensor) -> Tensor:
        hidden = F.relu(self.shared(layout))
        # Two convolutions instead of one that is cut in two: engines that keep channels in blocks need not unpack them.
        weight, offset = self.gain_bias.weight, cast(Tensor, self.gain_bias.bias)
        half, around = x.shape[1], self.gain_bias.padding
        gain = F.conv2d(hidden, weight[:half], 1 + offset[:half], padding=around)
        bias = F.conv2d(hidden, weight[half:], offset[half:], padding=around)
        normal: Tensor = self.norm(x)
        return normal * gain + bias


class SpadeBlock(nn.Module):
    """1x1 fusion of what arrives, then `depth` times SPADE, leaky ReLU and 3x3 convolution as one residual.

    forward: parts (B, c, H, W) with the sum of their c = inputs, layout (B, layout_channels, H, W), the first part as
    `coarser` (B, c, H/2, W/2) where it comes from the scale before -> (B, channels, H, W).
    """

    def __init__(self, inputs: int, channels: int, layout_channels: int, hidden: int, depth: int = 2) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(inputs, channels, 1)
        self.spades = nn.ModuleList(Spade(channels, layout_channels, hidden) for _ in range(depth))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))

    def forward(self, parts: Sequence[Tensor], layout: Tensor, coarser: Tensor | None = None) -> Tensor:
        fused = conv_of_parts(self.fuse, parts, skip=0 if coarser is None else coarser.shape[1])
        if coarser is not None:  # a 1x1 convolution and nearest enlargement commute: at a quarter of the cost
            fused = fused + double(F.conv2d(coarser, self.fuse.weight[:, : coarser.shape[1]]))
        h = fused
        for spade, conv in zip(self.spades, self.convs, strict=True):
            h = conv(leaky(spade(h, layout)))
        return fused + h


def conv_of_parts(conv: nn.Conv2d, parts: Sequence[Tensor], skip: int = 0) -> Tensor:
    """What ``conv`` makes of the parts, (B, c, H, W) each, side by side, without putting them side by side.

    A full copy less; and engines that keep channels in blocks neither unpack what comes nor pack what goes, as parts
    are whole blocks, or few enough channels to need none. ``skip``: input channels that come from elsewhere.
    """
    total = None
    for part in parts:
        weight = conv.weight[:, skip : skip + part.shape[1]]
        bias = conv.bias if total is None else None
        one = F.conv2d(part, weight, bias, conv.stride, conv.padding, conv.dilation)
        total = one if total is None else total + one
        skip += part.shape[1]
    if total is None or skip != conv.in_channels:
        raise ValueError(f"{skip} channels arrive, {conv.in_channels} are wanted")
    return total


def first_of(layers: nn.Sequential, parts: Sequence[Tensor]) -> Tensor:
    """What layers that begin with a convolution make of the parts side by side, see `conv_of_parts`."""
    first, *others = layers
    x = conv_of_parts(cast(nn.Conv2d, first), parts)
    for layer in others:
        x = layer(x)
    return x


def conv_leaky(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps (or, with a stride, divides) the size, and leaky ReLU."""
    padding = dilation * (kernel // 2) if kernel % 2 else 1
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE))


def double(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), nearest neighbour."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def shuffled(x: Tensor) -> Tensor:
    """`F.pixel_shuffle(x, 2)`: (B, 4 C, H, W) -> (B, C, 2 H, 2 W).

    Written as two interleavings, columns and then rows, as ONNX Runtime does those three times as fast.
    """
    b, c, h, w = x.shape[0], x.shape[1] // 4, x.shape[2], x.shape[3]
    x = x.reshape(b, c, 2, 2, h, w)
    rows = torch.stack([x[:, :, :, 0], x[:, :, :, 1]], -1).reshape(b, c, 2, h, 2 * w)
    return torch.stack([rows[:, :, 0], rows[:, :, 1]], 3).reshape(b, c, 2 * h, 2 * w)


def subpixel_conv(inputs: int, outputs: int, gain: float = 1.0) -> nn.Conv2d:
    """3x3 convolution for `shuffled` to `outputs` channels, free of a grid at the start.

    The four sub-pixels of a channel start with the same weights (Aitken et al. 2017), scaled by `gain`.
    """
    conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
    with torch.no_grad():
        conv.weight.copy_(gain * conv.weight[::4].repeat_interleave(4, 0))
        if conv.bias is not None:
            conv.bias.zero_()
    return conv

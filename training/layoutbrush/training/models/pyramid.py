"""Feature pyramids of the sparse attention network (patent 402): down to 1/8, up again with SPADE to 1/2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from layoutbrush.training.models.spade import Spade, conv_leaky, leaky


class _Residual(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_leaky(channels, channels, dilation=dilation), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return leaky(x + self.body(x))


class FeaturePyramid(nn.Module):
    """Encoder to 1/8 with dilated residual blocks and a global summary, decoder to 1/2 with SPADE.

    Args:
        inputs: channels of the stack it looks at.
        layout_channels: channels of the layout that steers the SPADE up-samplers.
        widths: channels to emit at each scale, e.g. {8: 20, 4: 20, 2: 12, 1: 0}.
        width: channels of the first level; deeper levels have 2, 3 and 4 times as many.

    forward: stack (B, inputs, H, W), layout (B, layout_channels, H, W) -> {scale: (B, widths[scale], H/scale,
    W/scale)}. The emitting convolutions start small, so that training starts from the fixed parts of the features.
    """

    def __init__(self, inputs: int, layout_channels: int, widths: dict[int, int], width: int = 32) -> None:
        super().__init__()
        self.down2 = conv_leaky(inputs, width, stride=2)
        self.down4 = nn.Sequential(conv_leaky(width, 2 * width, stride=2), conv_leaky(2 * width, 2 * width))
        self.down8 = nn.Sequential(
            conv_leaky(2 * width, 4 * width, stride=2), *(_Residual(4 * width, d) for d in (1, 2, 4))
        )
        self.summary = nn.Conv2d(4 * width, 4 * width, 1)
        self.up4 = nn.Conv2d(6 * width, 2 * width, 3, padding=1)
        self.spade4 = Spade(2 * width, layout_channels, 24, kernel=3)
        self.up2 = nn.Conv2d(3 * width, width, 3, padding=1)
        self.spade2 = Spade(width, layout_channels, 16, kernel=3)
        channels = {8: 4 * width, 4: 2 * width, 2: width}
        heads = {str(s): nn.Conv2d(channels[s], n, 1) for s, n in widths.items() if n and s in channels}
        for head in heads.values():
            nn.init.normal_(head.weight, std=0.01)
            if head.bias is not None:
                nn.init.zeros_(head.bias)
        self.emit = nn.ModuleDict(heads)

    def forward(self, stack: torch.Tensor, layout: torch.Tensor) -> dict[int, torch.Tensor]:
        half = self.down2(stack)
        quarter = self.down4(half)
        eighth = self.down8(quarter)
        eighth = eighth + self.summary(eighth.mean((2, 3), keepdim=True))
        levels = {8: eighth}
        up = torch.cat([_double(eighth), quarter], 1)
        levels[4] = leaky(self.spade4(self.up4(up), F.avg_pool2d(layout, 4)))
        up = torch.cat([_double(levels[4]), half], 1)
        levels[2] = leaky(self.spade2(self.up2(up), F.avg_pool2d(layout, 2)))
        return {int(s): head(levels[int(s)]) for s, head in self.emit.items()}


def _double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

"""Feature pyramids of the sparse attention network (patent 402): down to 1/8, up again with SPADE to 1/2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from layoutbrush.training.models.spade import Spade, conv_leaky, conv_of_parts, first_of, leaky


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

    forward: stack (B, inputs, H, W) in parts, layout (B, layout_channels, H, W) -> {scale: (B, widths[scale], H/scale,
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

    def to_quarter(
        self, stack: Sequence[torch.Tensor], layout: torch.Tensor
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """stack (B, inputs, H, W) in parts, layout (B, layout_channels, H/4, W/4) -> inner features: the encoder's at
        1/2, and by scale those at 1/8 and 1/4.
        """
        half = first_of(self.down2, stack)
        quarter = self.down4(half)
        eighth = self.down8(quarter)
        eighth = eighth + self.summary(eighth.mean((2, 3), keepdim=True))
        up = conv_of_parts(self.up4, (_double(eighth), quarter))
        return half, {8: eighth, 4: leaky(self.spade4(up, layout))}

    def to_half(self, half: torch.Tensor, quarter: torch.Tensor, layout: torch.Tensor) -> torch.Tensor:
        """From inner features at 1/2 and 1/4 and the layout at 1/2 to inner features at 1/2."""
        up = conv_of_parts(self.up2, (_double(quarter), half))
        return leaky(self.spade2(up, layout))

    def emitted(self, levels: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        """Inner features by scale -> the channels to emit there."""
        return {scale: self.emit[str(scale)](inner) for scale, inner in levels.items() if str(scale) in self.emit}

    def forward(self, stack: Sequence[torch.Tensor], layout: torch.Tensor) -> dict[int, torch.Tensor]:
        layout = F.avg_pool2d(layout, 2)
        half, levels = self.to_quarter(stack, F.avg_pool2d(layout, 2))
        if "2" in self.emit:
            levels[2] = self.to_half(half, levels[4], layout)
        return self.emitted(levels)


def _double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

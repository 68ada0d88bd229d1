"""The refinement network (patent 508 to 514, equation 11, 12): repairs a warped picture inside the mask.

One encoder looks at the warped picture, the masked photo, mask, confidence, the layout's embedding and the
visual-semantic features of the warped picture; dilated convolutions and contextual attention at 1/8 spread what
surrounds the mask. A coarse SPADE decoder paints a first picture and hands its inner features to the fine one, which
also looks at that picture. SPADE runs at 1/2 resolution and coarser; full resolution costs two small convolutions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.models.contextual_attention import ContextualAttention
from layoutbrush.training.models.labels import classes, one_hot
from layoutbrush.training.models.spade import SpadeBlock, conv_leaky, double, first_of, leaky, shuffled, subpixel_conv

GATE_BIAS = 2.5
"""Start with most of the warp: sigmoid(2.5) = 0.92. (1.5 suits a poorer warp.)"""
REACH = 0.25
"""How far a pixel may move from the warp while the gate is open, on the scale -1 .. 1."""


@dataclass(frozen=True)
class RefineConfig:
    """Sizes of the network; stored beside its weights.

    ``encoder``: channels at 1/2, 1/4, 1/8; ``coarse`` and ``fine``: of the decoders at 1/8, 1/4, 1/2; ``semantic``:
    channels of the visual-semantic features f1..f4 at 1/2, 1/4, 1/8, 1/16, empty to do without; ``attention`` False:
    without contextual attention; ``detail``: channels at full resolution; ``noise``: channels of fixed noise that the
    fine decoder sees, out of which it can make texture that doesn't repeat like a weave; ``split``: side in pixels of
    the squares whose mean colour the fine picture takes from the coarse one, 0: from none.
    """

    labels: int = 15
    embedding: int = 8
    encoder: tuple[int, int, int] = (40, 80, 144)
    coarse: tuple[int, int, int] = (128, 72, 40)
    fine: tuple[int, int, int] = (112, 72, 48)
    dilations: tuple[int, ...] = (2, 4, 8)
    semantic: tuple[int, ...] = ()
    attention: bool = True
    detail: int = 12
    noise: int = 1
    split: int = 0

    def scaled(self, factor: float) -> RefineConfig:
        """The same with every width times ``factor``, in multiples of 4."""

        def times(width: int) -> int:
            return max(4, 4 * round(width * factor / 4))

        def each(widths: tuple[int, int, int]) -> tuple[int, int, int]:
            return times(widths[0]), times(widths[1]), times(widths[2])

        return replace(
            self,
            encoder=each(self.encoder),
            coarse=each(self.coarse),
            fine=each(self.fine),
            detail=times(self.detail),
        )


def shrink(x: Tensor, factor: int) -> Tensor:
    """Mean over factor x factor blocks."""
    return F.avg_pool2d(x, factor)


def gated(head: Tensor, warped: Tensor) -> Tensor:
    """g (warp + 0.25 tanh) + (1 - g) tanh, for head (B, 4, H, W) and warped (B, 3, H, W) on -1 .. 1."""
    gate = torch.sigmoid(head[:, 3:] + GATE_BIAS)
    color = torch.tanh(head[:, :3])
    return gate * (warped + REACH * color) + (1 - gate) * color


def with_colours_of(fine: Tensor, coarse: Tensor, hole: Tensor, side: int) -> Tensor:
    """``fine`` with the low frequencies of ``coarse`` inside the hole; pictures (B, 3, H, W), hole (B, 1, H, W).

    What is trained to look right drifts in colour, what is trained to be near is right in colour and blurred: each
    gives what it is good at. Low frequencies are the mean colours of squares of ``side`` pixels, bilinear in between,
    over the pixels of the hole alone (normalised convolution).
    """
    means = shrink(torch.cat([(coarse - fine) * hole, hole], 1), side)
    spread = F.interpolate(means, scale_factor=float(side), mode="bilinear", align_corners=False)
    return fine + spread[:, :3] / spread[:, 3:].clamp_min(1e-3) * hole


class NoiseTile(nn.Module):
    """Gaussian noise that is the same on every machine and for every size: one stored tile, repeated.

    forward: like (B, ?, H, W), for its size -> (B, channels, H, W).
    """

    tile: Tensor

    def __init__(self, channels: int, side: int = 128) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.side = side
        self.register_buffer("tile", torch.randn(channels, side, side, generator=generator))

    def forward(self, like: Tensor) -> Tensor:
        rows = torch.arange(like.shape[2], device=like.device) % self.side
        columns = torch.arange(like.shape[3], device=like.device) % self.side
        noise = self.tile.index_select(1, rows).index_select(2, columns)  # (channels, H, W)
        return noise.expand(like.shape[0], -1, -1, -1)


class Encoder(nn.Module):
    """Strided convolutions to 1/8, dilated residuals, contextual attention; features f1..f4 join on their scales."""

    def __init__(self, config: RefineConfig, inputs: int) -> None:
        super().__init__()
        a, b, c = config.encoder
        self.down2 = conv_leaky(inputs, a, 4, 2)
        self.down4 = conv_leaky(a, b, 3, 2)
        self.down8 = conv_leaky(b, c, 3, 2)
        widths = (a, b, c, c)[: len(config.semantic)]
        self.semantic = nn.ModuleList(nn.Conv2d(n, w, 1) for n, w in zip(config.semantic, widths, strict=True))
        self.dilated = nn.ModuleList(conv_leaky(c, c, 3, 1, d) for d in config.dilations)
        self.attention = ContextualAttention(c) if config.attention else None
        self.mix = conv_leaky(c, c)

    def forward(
        self, stack: tuple[Tensor, ...], features: tuple[Tensor, ...], hole: Tensor, labels: Tensor
    ) -> tuple[Tensor, ...]:
        """stack (B, inputs, H, W) in parts, hole (B, 1, H/8, W/8), labels (B, L, H/8, W/8) -> features at 1/2, 1/4,
        1/8.
        """
        joined = [project(f) for project, f in zip(self.semantic, features, strict=True)]
        half = first_of(self.down2, stack)
        half = half + joined[0] if joined else half
        quarter = self.down4(half)
        quarter = quarter + joined[1] if joined else quarter
        eighth = self.down8(quarter)
        eighth = eighth + joined[2] + double(joined[3]) if joined else eighth
        for block in self.dilated:
            eighth = eighth + block(eighth)
        if self.attention is not None:
            eighth = self.attention(eighth, hole, labels)
        return half, quarter, self.mix(eighth)


class CoarseDecoder(nn.Module):
    """From the encoder's features to four channels at full size; also returns its inner features for the fine one."""

    def __init__(self, config: RefineConfig, layout: int) -> None:
        super().__init__()
        a, b, c = config.encoder
        d8, d4, d2 = config.coarse
        self.block8 = SpadeBlock(c, d8, layout, 32)
        self.block4 = SpadeBlock(d8 + b, d4, layout, 24)
        self.block2 = SpadeBlock(d4 + a, d2, layout, 24, depth=1)
        self.head = subpixel_conv(d2, 4, 0.1)

    def forward(self, encoded: tuple[Tensor, ...], layouts: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        half, quarter, eighth = encoded
        h8 = self.block8((eighth,), layouts[2])
        h4 = self.block4((quarter,), layouts[1], h8)
        h2 = self.block2((half,), layouts[0], h4)
        return shuffled(self.head(leaky(h2))), (h2, h4, h8)


class FineDecoder(nn.Module):
    """Looks at the coarse picture and the coarse decoder's inner features; two convolutions at full resolution."""

    def __init__(self, config: RefineConfig, inputs: int, layout: int) -> None:
        super().__init__()
        d8, d4, d2 = config.coarse
        f8, f4, f2 = config.fine
        self.down2 = conv_leaky(inputs, f2, 4, 2)
        self.down4 = conv_leaky(f2, f4, 3, 2)
        self.down8 = conv_leaky(f4, f8, 3, 2)
        self.block8 = SpadeBlock(f8 + d8, f8, layout, 32)
        self.block4 = SpadeBlock(f8 + f4 + d4, f4, layout, 24)
        self.block2 = SpadeBlock(f4 + f2 + d2, f2, layout, 24)
        self.up = subpixel_conv(f2, config.detail)
        self.detail = conv_leaky(config.detail + 7 + config.noise, config.detail)
        self.head = nn.Conv2d(config.detail, 4, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            if self.head.bias is not None:
                self.head.bias.zero_()

    def forward(
        self, stack: tuple[Tensor, ...], near: Tensor, handed: tuple[Tensor, ...], layouts: tuple[Tensor, ...]
    ) -> Tensor:
        """stack (B, inputs, H, W) in parts, near (B, 7 + noise, H, W): coarse, warped, mask, noise -> (B, 4, H, W)."""
        e2 = first_of(self.down2, stack)
        e4 = self.down4(e2)
        e8 = self.down8(e4)
        h8 = self.block8((e8, handed[2]), layouts[2])
        h4 = self.block4((e4, handed[1]), layouts[1], h8)
        h2 = self.block2((e2, handed[0]), layouts[0], h4)
        full = leaky(shuffled(self.up(leaky(h2))))
        head: Tensor = self.head(first_of(self.detail, (full, near)))
        return head


class Refine(nn.Module):
    """The graph `refine`; everything is inside, normalisation of the pictures too.

    Args:
        config: sizes.
        visual_semantic: image (B, 3, H, W) in [0, 1] -> f1..f4 with the channels of ``config.semantic``; kept in eval
            mode and without gradients. None when ``config.semantic`` is empty.
    """

    def __init__(self, config: RefineConfig | None = None, visual_semantic: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config or RefineConfig()
        self.arguments = {
            "config": asdict(self.config),
            "visual_semantic": getattr(visual_semantic, "arguments", {}),
        }
        if (visual_semantic is None) != (not self.config.semantic):
            raise ValueError("visual_semantic goes with config.semantic: both or neither")
        layout = self.config.embedding + 1
        self.embed = nn.Conv2d(self.config.labels + 1, self.config.embedding, 1)
        self.encoder = Encoder(self.config, 3 + 3 + 1 + layout)
        self.coarse = CoarseDecoder(self.config, layout)
        self.fine = FineDecoder(self.config, 3 + 3 + layout + self.config.noise, layout)
        self.noise = NoiseTile(self.config.noise)
        self.visual_semantic = visual_semantic
        if visual_semantic is not None:
            visual_semantic.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Refine:
        """Training mode for all but the visual-semantic encoder."""
        super().train(mode)
        if self.visual_semantic is not None:
            self.visual_semantic.eval()
        return self

    def forward(
        self, warped: Tensor, image: Tensor, edited: Tensor, mask: Tensor, confidence: Tensor, fine: bool = True
    ) -> tuple[Tensor, Tensor]:
        """(coarse, refined), both (B, 3, H, W) in [0, 1] and equal to ``image`` outside the mask (Eq. 12).

        warped, image (B, 3, H, W) in [0, 1]; edited (B, H, W) int label ids; mask (B, H, W) bool, True = may change;
        confidence (B, 1, H, W), the warp's best scores. H and W are multiples of 16. In training mode the pictures are
        not clamped to [0, 1], so that gradients bring strays back. ``fine`` False: the coarse picture twice.
        """
        hole = mask[:, None].to(warped.dtype)
        keep = 1 - hole
        layout = torch.cat([self._embedded(edited), hole], 1)
        # A quarter of the pixels tells what shares of each label a place at 1/8 has.
        labels = shrink(one_hot(edited[:, ::2, ::2], self.config.labels), 4)
        layouts = (shrink(layout, 2), shrink(layout, 4), shrink(layout, 8))
        xw = warped * 2 - 1
        photo = image * 2 - 1
        # Scores of unit features crowd just below 1: the root spreads them.
        doubt = (1 - confidence).clamp(0, 1).sqrt() * hole
        stack = torch.cat([xw, photo * keep], 1), torch.cat([layout, doubt], 1)
        low_hole = F.max_pool2d(hole, 8)
        encoded = self.encoder(stack, self._semantic(warped), low_hole, labels)
        head, handed = self.coarse(encoded, layouts)
        first = gated(head.float(), xw) * hole + photo * keep
        coarse = self._picture(first, image, keep)
        if not fine:
            return coarse, coarse
        noise = self.noise(hole)
        near = torch.cat([first, xw, hole, noise], 1)
        head = self.fine((torch.cat([first, xw], 1), torch.cat([layout, noise], 1)), near, handed, layouts)
        painted = gated(head.float(), xw)
        if self.config.split:
            painted = with_colours_of(painted, first.detach(), hole, self.config.split)
        return coarse, self._picture(painted, image, keep)

    def _embedded(self, edited: Tensor) -> Tensor:
        """Labels (B, H, W) -> their embedding (B, embedding, H, W), a 1x1 convolution of one-hot labels."""
        ids = classes(edited, self.config.labels)
        table = self.embed.weight[:, :, 0, 0]  # (embedding, labels + 1)
        if self.embed.bias is not None:
            table = table + self.embed.bias[:, None]
        planes = table.index_select(1, ids.flatten().long())
        return planes.reshape(-1, *edited.shape).transpose(0, 1)

    def _semantic(self, warped: Tensor) -> tuple[Tensor, ...]:
        if self.visual_semantic is None:
            return ()
        with torch.no_grad():
            return tuple(self.visual_semantic(warped))

    def _picture(self, x: Tensor, image: Tensor, keep: Tensor) -> Tensor:
        picture = (x + 1) / 2
        if not self.training:
            picture = picture.clamp(0, 1)
        return torch.where(keep > 0, image, picture)

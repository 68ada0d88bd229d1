"""Drafts of one layout as a graph for export: any number of objects, any number of drafts at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.fuser import ConvLSTM
from layoutbrush.training.drafts.generator import DraftNetwork


class DraftGraph(nn.Module):
    """forward: labels (O,) int32, boxes (O, 4) float32 left, top, right, bottom as shares of the picture, latents
    (B, O, z) float32 -> drafts (B, 3, S, S) float32 in [0, 1]; objects in the order in which they are fused.

    One object, B of them, or 30: the sizes are free. When it is traced for export the fuser's loop becomes a scan over
    the objects (`Scan` in ONNX), so that no node depends on how many there are.
    """

    def __init__(self, network: DraftNetwork) -> None:
        super().__init__()
        self.objects, self.fuser, self.decoder = network.objects, network.fuser, network.decoder
        self.painter = network.painter

    def forward(self, labels: Tensor, boxes: Tensor, latents: Tensor) -> Tensor:
        """See the class."""
        drafts, count = latents.shape[0], latents.shape[1]
        each = labels.long()[None, :].expand(drafts, count).reshape(-1)  # (B * O,)
        placed = boxes[None].expand(drafts, count, 4).reshape(-1, 4)
        maps = self.objects(each, latents.reshape(-1, latents.shape[2]), placed)  # (B * O, C, h, w)
        maps = maps.reshape(drafts, count, *maps.shape[1:]).transpose(0, 1)  # (O, B, C, h, w)
        fuser = self.fuser
        fused = scanned(fuser, maps) if isinstance(fuser, ConvLSTM) and torch.compiler.is_exporting() else fuser(maps)
        painted: list[Tensor] = []
        if self.painter is not None:
            painted = self.painter(each.reshape(drafts, count), latents, placed.reshape(drafts, count, 4))
        picture: Tensor = self.decoder(fused, painted)
        return picture


def scanned(fuser: ConvLSTM, maps: Tensor) -> Tensor:
    """What the fuser's own loop computes, as one scan whose length may be free."""
    from torch._higher_order_ops.scan import scan  # no public name yet

    def step(state: Tensor, entry: Tensor) -> tuple[Tensor, Tensor]:
        after = fuser.step(state, entry)
        return after, after.new_zeros(1)

    state, _ = scan(step, fuser.start(maps[0]), maps)
    hidden: Tensor = state[0, -1]
    return hidden

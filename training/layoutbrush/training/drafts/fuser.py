"""Fuses the feature maps of a layout's objects, one after the other: a convolutional LSTM (Shi et al., NIPS 2015)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from layoutbrush.training.drafts.config import DraftConfig

GAIN = 3.0
"""Of the candidates' weights at first: input and output gate take their share of what comes in."""


class ConvLSTM(nn.Module):
    """Layers of convolutional LSTM cells; the state is the hidden maps and cells of all of them.

    forward: maps (O, B, C, h, w) in the order in which they are fused, valid (O, B) bool (None: all) -> (B, C, h, w),
    the last layer's hidden map after the last object. An object that isn't valid leaves the state as it is.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.ModuleList(nn.Conv2d(2 * channels, 4 * channels, 3, 1, 1) for _ in range(layers))
        for gates in self.gates:
            _start_awake(cast(nn.Conv2d, gates), channels)

    def start(self, like: Tensor) -> Tensor:
        """An empty state for maps (B, C, h, w): (2, layers, B, C, h, w), hidden maps then cells."""
        return like.new_zeros(2, len(self.gates), *like.shape)

    def step(self, state: Tensor, maps: Tensor) -> Tensor:
        """The state after one more object's maps (B, C, h, w)."""
        hidden, cells, x = [], [], maps
        for layer, gates in enumerate(self.gates):
            i, f, o, g = gates(torch.cat([x, state[0, layer]], 1)).chunk(4, 1)
            cell = f.sigmoid() * state[1, layer] + i.sigmoid() * g.tanh()
            x = o.sigmoid() * cell.tanh()
            hidden.append(x)
            cells.append(cell)
        return torch.stack([torch.stack(hidden), torch.stack(cells)])

    def forward(self, maps: Tensor, valid: Tensor | None = None) -> Tensor:
        """See the class."""
        state = self.start(maps[0])
        for index in range(maps.shape[0]):
            after = self.step(state, maps[index])
            state = after if valid is None else torch.where(valid[index, :, None, None, None], after, state)
        return state[0, -1]


def _start_awake(gates: nn.Conv2d, channels: int) -> None:
    """Initial weights under which a layer's output is about as large as its input, and the past is kept.

    With torch's own, three layers of gates at a half and small candidates leave a two-hundredth of the differences
    between layouts, less than the decoder's biases: one picture for all. (A single layer learns the toy data as well
    from torch's.)
    """
    deviation = (9 * channels) ** -0.5
    with torch.no_grad():
        nn.init.normal_(gates.weight[:, :channels], 0.0, deviation)
        nn.init.normal_(gates.weight[3 * channels :, :channels], 0.0, GAIN * deviation)  # the candidates
        nn.init.normal_(gates.weight[:, channels:], 0.0, 0.5 * deviation)
        nn.init.zeros_(cast(Tensor, gates.bias))
        nn.init.ones_(cast(Tensor, gates.bias)[: 3 * channels])  # open, but for the candidates


class SumFuser(nn.Module):
    """The ablation's fuser: valid maps are added up, whatever their order. Shapes as :class:`ConvLSTM`'s."""

    def forward(self, maps: Tensor, valid: Tensor | None = None) -> Tensor:
        """See the class."""
        return (maps if valid is None else maps * valid[:, :, None, None, None]).sum(0)


def build_fuser(config: DraftConfig) -> nn.Module:
    """The fuser that the configuration names."""
    return ConvLSTM(config.hidden, config.layers) if config.fuser == "lstm" else SumFuser()

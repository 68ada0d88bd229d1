"""Contextual attention (Yu et al., CVPR 2018) at low resolution: every place may look at what lies outside the mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARTS = 4
"""In which the places that look are taken."""


class ContextualAttention(nn.Module):
    """Dense attention of all positions to the positions outside the mask, with a bonus for the same label.

    logits(p, q) = sharpness <q_p, k_q> + bonus <e_p, e_q> - 50 m_q, with unit vectors q, k, the shares e of each label
    at a position and the mask m. Kept in float32. forward: x (B, C, h, w), mask (B, 1, h, w) in [0, 1] (1 = may not be
    looked at), labels (B, L, h, w) shares of each label -> (B, C, h, w), x plus what was fetched.
    """

    def __init__(self, channels: int, match: int = 32, value: int = 64) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, match, 1)
        self.key = nn.Conv2d(channels, match, 1)
        self.value = nn.Conv2d(channels, value, 1)
        self.out = nn.Conv2d(channels + value, channels, 1)
        self.log_sharpness = nn.Parameter(torch.tensor(12.0).log())
        self.bonus = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        query = F.normalize(self.query(x).float(), dim=1) * self.log_sharpness.exp()
        key = F.normalize(self.key(x).float(), dim=1)
        # The label's bonus and the mask's penalty ride along as extra channels: one product gives all of the logits.
        left = torch.cat([query, self.bonus * labels.float(), torch.ones_like(mask, dtype=torch.float32)], 1)
        right = torch.cat([key, labels.float(), -50.0 * mask.float()], 1)
        value = self.value(x).float()
        with torch.autocast(x.device.type, enabled=False):
            right, values = right.flatten(2), value.flatten(2).transpose(1, 2)  # (B, C, Q), (B, Q, V)
            # Some rows at a time: what belongs to all pairs of places stays in the processor's cache.
            rows = left.flatten(2).transpose(1, 2)  # (B, P, C)
            some = (rows.shape[1] + PARTS - 1) // PARTS
            parts = [rows[:, i * some : (i + 1) * some] for i in range(PARTS)]
            fetched = torch.cat([(part @ right).softmax(2) @ values for part in parts], 1)  # (B, P, V)
        fetched = fetched.transpose(1, 2).reshape(value.shape).to(x.dtype)
        result: Tensor = x + self.out(torch.cat([x, fetched], 1))
        return result

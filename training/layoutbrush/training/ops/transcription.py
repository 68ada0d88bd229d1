"""Algorithm 1 of US 11,636,570 B2 line by line in PyTorch: what the native kernels are measured against.

Coordinates are real numbers, features are fetched with `grid_sample`, and candidates lie in its batch dimension (on
the CPU it runs in parallel over the batch alone). Particles of the 3 x 3 neighbours are handed on with their offset,
and the label penalty and the annealed window are those of local editing. A peer of `layoutbrush bench`, not part of a
model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

NAME = "PyTorch transcription of Algorithm 1"


@torch.no_grad()
def key_index_sampling(
    query: npt.NDArray[np.float32],
    key: npt.NDArray[np.float32],
    query_labels: npt.NDArray[np.int32],
    key_labels: npt.NDArray[np.int32],
    *,
    particles: int,
    windows: Sequence[int],
    samples: int,
    label_penalty: float,
    seed: int = 0,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Takes features (1, H, W, C) and labels (1, H, W) of two grids of one size.

    Gives keys (H, W, M), rounded and packed, and the scores (H, W, M) that they had before rounding.
    """
    search = _Search(torch.from_numpy(query), torch.from_numpy(key), query_labels, key_labels, label_penalty)
    generator = torch.Generator().manual_seed(seed)
    height, width = query.shape[1:3]
    best = torch.rand((particles, height, width, 2), generator=generator) * search.last
    scores = torch.full((particles, height, width), -torch.inf)
    spread = best
    for window in windows[1:]:
        best, scores = search.best_of(spread, particles)
        centres = best[torch.arange(samples) % particles]
        moves = (torch.rand((samples, height, width, 2), generator=generator) * 2 - 1) * window
        spread = torch.cat([best, search.clamped(centres + moves)])
    columns, rows = best.round().to(torch.int32).unbind(-1)
    keys = (rows << 16 | columns).permute(1, 2, 0)
    return keys.contiguous().numpy(), scores.permute(1, 2, 0).contiguous().numpy()


class _Search:
    """Scores of real coordinates (..., 2) as (x, y) in pixels."""

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        query_labels: npt.NDArray[np.int32],
        key_labels: npt.NDArray[np.int32],
        penalty: float,
    ) -> None:
        self.query = query.permute(0, 3, 1, 2).contiguous()  # (1, C, H, W)
        self.key = key.permute(0, 3, 1, 2).contiguous()  # (1, C, H, W)
        self.query_labels = torch.from_numpy(query_labels)  # (1, H, W)
        self.key_labels = torch.from_numpy(key_labels)  # (1, H, W)
        self.penalty = penalty
        height, width = self.key.shape[2:]
        self.last = torch.tensor([width - 1.0, height - 1.0])

    def clamped(self, points: Tensor) -> Tensor:
        return torch.minimum(points.clamp(min=0), self.last)

    def best_of(self, points: Tensor, particles: int) -> tuple[Tensor, Tensor]:
        """The best particles (M, H, W, 2) of the 3 x 3 neighbours' points (P, H, W, 2), and their scores (M, H, W)."""
        count, height, width, _ = points.shape
        around = pad(points.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1)
        best = points.new_empty((0, height, width, 2))
        scores = points.new_empty((0, height, width))
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                offset = torch.tensor([dx, dy], dtype=points.dtype)
                moved = around[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] - offset
                candidates = torch.cat([best, self.clamped(moved)])
                values = torch.cat([scores, self.scored(candidates[-count:])])
                scores, order = values.topk(min(particles, len(values)), dim=0)
                best = candidates.gather(0, order[..., None].expand(-1, -1, -1, 2))
        return best, scores

    def scored(self, points: Tensor) -> Tensor:
        """Similarity less the label penalty of points (P, H, W, 2): (P, H, W)."""
        grid = points / self.last.clamp(min=1) * 2 - 1
        fetched = grid_sample(self.key.expand(len(points), -1, -1, -1), grid, align_corners=True)  # (P, C, H, W)
        similarity = (fetched * self.query).sum(dim=1)
        column, row = points.round().to(torch.int64).unbind(-1)
        differs = self.key_labels[0][row, column] != self.query_labels
        return similarity - self.penalty * differs

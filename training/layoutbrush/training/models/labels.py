"""Label maps as tensors: ids 0 .. K-1, 255 = unknown."""

from __future__ import annotations

import torch

UNKNOWN = 255


def one_hot(labels: torch.Tensor, count: int) -> torch.Tensor:
    """(B, H, W) integer ids -> (B, count + 1, H, W) float32; the last channel is 1 where the label is unknown.

    Written as comparisons, so that it exports to ONNX without a data-dependent shape.
    """
    ids = torch.arange(count + 1, device=labels.device, dtype=labels.dtype).view(1, -1, 1, 1)
    return (classes(labels, count)[:, None] == ids).float()  # (B, count + 1, H, W)


def classes(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Ids with ``count`` in the place of all that is no label, UNKNOWN above all."""
    return torch.where((labels >= 0) & (labels < count), labels, torch.full_like(labels, count))

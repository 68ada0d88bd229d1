"""Tasks and photos as torch tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from layoutbrush.training.data.cv import Float, UInt8
from layoutbrush.training.data.task import KINDS, Task
from layoutbrush.training.data.transforms import identity


def image_tensor(images: Sequence[UInt8]) -> Tensor:
    """B pictures (H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1]."""
    stacked = torch.from_numpy(np.stack(images))  # (B, H, W, 3)
    return stacked.permute(0, 3, 1, 2).contiguous().float().div_(255)


def label_tensor(labels: Sequence[UInt8]) -> Tensor:
    """B label maps (H, W) uint8 -> (B, H, W) int32."""
    return torch.from_numpy(np.stack(labels)).int()


def photo_batch(images: Sequence[UInt8], labels: Sequence[UInt8]) -> dict[str, Tensor]:
    """`image` (B, 3, H, W) float32 in [0, 1] and `labels` (B, H, W) int32, UNKNOWN = 255."""
    return {"image": image_tensor(images), "labels": label_tensor(labels)}


def collate(tasks: Sequence[Task]) -> dict[str, Tensor]:
    """Tasks of one size as tensors.

    `image`, `truth` (B, 3, S, S) float32 in [0, 1]; `layout`, `edited` (B, S, S) int32, UNKNOWN = 255; `mask`,
    `source` (B, S, S) bool; `kind` (B,) int64, index in KINDS; `paired` (B,) bool, whether `truth` is the true picture.
    When any task has a flow: `flow` (B, S, S, 2) float32 (x, y) in pixels, the identity where a task has none, and
    `flow_valid` (B, S, S) bool, False there.
    """
    batch = {
        "image": image_tensor([t.image for t in tasks]),
        "truth": image_tensor([t.truth for t in tasks]),
        "layout": label_tensor([t.layout for t in tasks]),
        "edited": label_tensor([t.edited for t in tasks]),
        "mask": torch.from_numpy(np.stack([t.mask for t in tasks])),
        "source": torch.from_numpy(np.stack([t.source for t in tasks])),
        "kind": torch.tensor([KINDS.index(t.kind) for t in tasks]),
        "paired": torch.tensor([t.paired for t in tasks]),
    }
    if any(t.flow is not None for t in tasks):
        side = tasks[0].mask.shape[0]
        flows: list[Float] = [identity(side) if t.flow is None else t.flow for t in tasks]
        never = np.zeros((side, side), np.bool_)
        batch["flow"] = torch.from_numpy(np.stack(flows))
        batch["flow_valid"] = torch.from_numpy(
            np.stack([never if t.flow_valid is None else t.flow_valid for t in tasks])
        )
    return batch

"""Dense attention, what the sparse one stands in for: every query with every key, by PyTorch's own fused kernel.

A peer of `layoutbrush bench`, not part of a model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import scaled_dot_product_attention

NAME = "PyTorch dense attention"


@torch.no_grad()
def dense_attention(
    query: npt.NDArray[np.float32], key: npt.NDArray[np.float32], values: npt.NDArray[np.float32], gamma: float
) -> npt.NDArray[np.float32]:
    """Softmax of `gamma` times the scores of all keys, times their values.

    query, key (1, H, W, C), values (1, H, W, 3) -> (1, H, W, 3). The values travel with as many channels as the keys:
    PyTorch's kernel without an (HW, HW) matrix wants both alike.
    """
    _, height, width, channels = query.shape
    padded = np.zeros((1, height * width, channels), np.float32)
    padded[..., : values.shape[3]] = values.reshape(1, height * width, -1)
    flat = [
        torch.from_numpy(np.ascontiguousarray(a.reshape(1, 1, height * width, channels))) for a in (query, key, padded)
    ]
    found = scaled_dot_product_attention(flat[0], flat[1], flat[2], scale=gamma)
    return found[0, 0, :, : values.shape[3]].reshape(1, height, width, -1).numpy()

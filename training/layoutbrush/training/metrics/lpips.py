"""LPIPS v0.1 (Zhang et al., CVPR 2018): weighted distance of unit feature vectors, summed over layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.metrics.features import (
    Backend,
    FeatureError,
    FeatureNetwork,
    all_taps,
    load_features,
    read_arrays,
)


class Lpips(nn.Module):
    """LPIPS of two pictures, over the whole or inside a mask.

    forward: two (B, 3, H, W) in [0, 1] and optionally a mask (B, H, W) bool -> (B,). With a mask the layers' distance
    maps are enlarged bilinearly to H x W, summed, and averaged over the mask (0 where the mask is empty).
    """

    def __init__(self, network: FeatureNetwork, heads: Sequence[Tensor]) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ParameterList(nn.Parameter(head.reshape(1, -1, 1, 1), requires_grad=False) for head in heads)

    def forward(self, picture: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """See the class."""
        return self.compare(self.network(picture), self.network(truth), mask)

    def compare(self, found: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """The same from the network's features."""
        maps = self.distances(found, wanted)
        if mask is None:
            return torch.stack([m.mean((1, 2, 3)) for m in maps]).sum(0)
        height, width = mask.shape[-2:]
        total = torch.stack(
            [F.interpolate(m, size=(height, width), mode="bilinear", align_corners=False)[:, 0] for m in maps]
        ).sum(0)  # (B, H, W)
        weight = mask.to(total.dtype)
        return (total * weight).sum((1, 2)) / weight.sum((1, 2)).clamp_min(1)

    def distances(self, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
        """(B, 1, h, w) a layer."""
        return [
            ((_unit(a.float()) - _unit(b.float())).square() * head).sum(1, keepdim=True)
            for a, b, head in zip(found, wanted, self.heads, strict=True)
        ]


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def load_lpips(folder: Path, backend: Backend = "squeezenet") -> Lpips:
    """LPIPS on the backend's weights in `folder`. Raises FeatureError."""
    stored = read_arrays(folder, f"lpips_{backend}*.npz".replace("squeezenet", "squeeze"))
    taps = all_taps(backend)
    try:
        heads = [stored[f"lin{tap}.weight"] for tap in taps]
    except KeyError as error:
        raise FeatureError(f"{folder}: the LPIPS heads of {backend} lack {error.args[0]}") from error
    return Lpips(load_features(folder, backend, taps), heads).eval()

"""Feature networks for losses and metrics, their weights read from a folder; none are shipped.

A backend is named like its files: `<backend>*.npz` holds the weights under torchvision's parameter names, and
`lpips_<backend>*.npz`, for LPIPS, one linear head a layer. `squeezenet` is SqueezeNet 1.1, `alexnet` and `vgg16` are
the other two of Zhang et al., CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Backend: TypeAlias = Literal["squeezenet", "alexnet", "vgg16"]

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class FeatureError(ValueError):
    """Weights that are missing or do not fit their network."""


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1 x 1 and 3 x 3 (Iandola et al. 2016)."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, 2 * expanded, H, W)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def _squeezenet(aligned: bool) -> nn.Sequential:
    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, 2, padding=1) if aligned else nn.MaxPool2d(3, 2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2, padding=1 if aligned else 0),
        nn.ReLU(),
        pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )


def _alexnet(aligned: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16(aligned: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block, width in enumerate((64, 128, 256, 512, 512)):
        layers += [nn.MaxPool2d(2, 2)] if block else []
        for _ in range(2 if block < 2 else 3):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


_BACKENDS: dict[Backend, tuple[Callable[[bool], nn.Sequential], tuple[int, ...], tuple[int, ...]]] = {
    # build, modules that LPIPS taps, the four taps of the losses (as indices of those)
    "squeezenet": (_squeezenet, (1, 4, 7, 9, 10, 11, 12), (0, 1, 2, 4)),
    "alexnet": (_alexnet, (1, 4, 7, 9, 11), (0, 1, 2, 4)),
    "vgg16": (_vgg16, (3, 8, 15, 22, 29), (0, 1, 2, 3)),
}


class FeatureNetwork(nn.Module):
    """Feature maps of a fixed network, shallow to deep.

    ``taps`` chooses among the backend's LPIPS layers (0 is the shallowest). ``aligned`` pads SqueezeNet's strided
    layers so that the maps of a picture whose sides are multiples of 16 are exactly 1/2, 1/4, 1/8 and 1/16 of it;
    LPIPS is defined without.

    forward: (B, 3, H, W) in [0, 1], H and W >= 32 -> one (B, C, h, w) a tap, after its ReLU.
    """

    def __init__(
        self, backend: Backend = "squeezenet", taps: Sequence[int] | None = None, aligned: bool = False
    ) -> None:
        super().__init__()
        build, layers, defaults = _BACKENDS[backend]
        self.backend: Backend = backend
        self._layers = tuple(layers[tap] for tap in (defaults if taps is None else taps))
        self.features = nn.Sequential(*list(build(aligned))[: max(self._layers) + 1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        x = (image - cast(Tensor, self.mean)) / cast(Tensor, self.deviation)
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._layers:
                found.append(x)
        return tuple(found)


def all_taps(backend: Backend) -> tuple[int, ...]:
    """Every layer that LPIPS uses."""
    return tuple(range(len(_BACKENDS[backend][1])))


def load_features(
    folder: Path, backend: Backend = "squeezenet", taps: Sequence[int] | None = None, aligned: bool = False
) -> FeatureNetwork:
    """A feature network without gradients for its weights; by default four taps for losses. Raises FeatureError."""
    network = FeatureNetwork(backend, taps, aligned)
    stored = read_arrays(folder, f"{backend}*.npz")
    wanted = {name for name, _ in network.features.named_parameters()}
    missing = sorted(name for name in wanted if f"features.{name}" not in stored)
    if missing:
        raise FeatureError(f"{folder}: the {backend} weights lack {missing[:3]}")
    network.features.load_state_dict({name: stored[f"features.{name}"] for name in wanted})
    return network.requires_grad_(False).eval()


def read_arrays(folder: Path, pattern: str) -> dict[str, Tensor]:
    """The float arrays of the one npz in the folder that the pattern names. Raises FeatureError."""
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise FeatureError(f"{folder}: expected one file {pattern}, found {[f.name for f in files]}")
    with np.load(files[0], allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}

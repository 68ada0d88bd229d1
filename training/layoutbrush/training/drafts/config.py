"""Sizes of the draft networks; stored beside the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

FUSERS = ("lstm", "sum")
SIDES = (32, 64, 128, 256)
MOST_OBJECTS = 30
"""Boxes that one layout may have."""


class DraftConfigError(ValueError):
    """Sizes that don't go together; the message names the field."""


@dataclass(frozen=True)
class DraftConfig:
    """``labels``: how many categories; ``size``: side of the drafts in pixels, 64 in the source, 128 beyond it;
    ``latent`` and ``embedding``: lengths of the latent code and of a category's embedding (source: 64 and 64);
    ``width``: channels of the first layers; ``grid``: side of the feature maps that are fused; ``hidden`` and
    ``layers``: of the convolutional LSTM (source: 3 layers); ``blocks``: residual blocks before the decoder;
    ``placed``: side of the maps in which the boxes are drawn, 0 for ``size`` as in the source; a smaller one is
    quicker, and edges between its pixels are kept as shares of pixels; ``painted``: channels of the painted maps that
    the decoder gets at each scale, 0 for none as in the source; ``fuser``: `lstm`, or `sum` for maps that are only
    added up (ablation).
    """

    labels: int
    size: int = 64
    latent: int = 64
    embedding: int = 64
    width: int = 64
    grid: int = 8
    hidden: int = 64
    layers: int = 3
    blocks: int = 3
    fuser: str = "lstm"
    placed: int = 0
    painted: int = 0

    def __post_init__(self) -> None:
        if self.size not in SIDES:
            raise DraftConfigError(f"size: should be one of {', '.join(map(str, SIDES))}, not {self.size}")
        if self.fuser not in FUSERS:
            raise DraftConfigError(f"fuser: should be one of {', '.join(FUSERS)}, not {self.fuser!r}")
        if self.grid < 4 or self.grid > self.size // 2 or self.grid & (self.grid - 1):
            raise DraftConfigError(f"grid: should be a power of two of 4 to {self.size // 2}, not {self.grid}")
        if self.placed and not (2 * self.grid <= self.placed <= self.size and self.placed & (self.placed - 1) == 0):
            raise DraftConfigError(
                f"placed: should be 0 or a power of two of {2 * self.grid} to {self.size}, not {self.placed}"
            )
        for name in ("labels", "latent", "embedding", "hidden", "layers"):
            if getattr(self, name) < 1:
                raise DraftConfigError(f"{name}: should be at least 1")
        if self.width < 8 or self.width % 8:
            raise DraftConfigError(f"width: should be a multiple of 8, not {self.width}")

    @property
    def crop(self) -> int:
        """Side of the crops of objects: half the draft's (source: 32 of 64)."""
        return self.size // 2

    @property
    def canvas(self) -> int:
        """Side of the maps in which the boxes are drawn."""
        return self.placed or self.size

    @property
    def halvings(self) -> int:
        """From the draft's side to the grid's."""
        return int(math.log2(self.size // self.grid))

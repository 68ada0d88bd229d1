"""A refiner that sees what its method may see: with or without layout, and over a sparse warp, a dense one or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layoutbrush.training.comparators.dense import DenseAttention
from layoutbrush.training.comparators.methods import METHODS
from layoutbrush.training.models.labels import UNKNOWN
from layoutbrush.training.models.refine import GATE_BIAS, Refine
from layoutbrush.training.models.refine_file import new_refine
from layoutbrush.training.trainer.weights import load_weights, stored_arguments

GREY = 0.5
"""What lies under the mask where there is no warp."""


class Comparator(nn.Module):
    """The network of one method.

    Args:
        kind: a name of METHODS.
        refine: the refiner; it has a visual-semantic encoder exactly where the method has one.

    forward: the refiner's arguments, then ``layout`` and ``source`` (B, H, W) as the dense attention wants them ->
    (coarse, refined, warped), the third being what the method's warp painted.
    """

    def __init__(self, kind: str, refine: Refine) -> None:
        super().__init__()
        self.kind, self.method = kind, METHODS[kind]
        if bool(refine.config.semantic) != self.method.semantic:
            raise ValueError(f"{kind} goes {'with' if self.method.semantic else 'without'} a visual-semantic encoder")
        self.refine = refine
        self.arguments: dict[str, Any] = {"kind": kind, "refine": refine.arguments}
        self.dense = DenseAttention(refine.config.labels) if self.method.warp == "dense" else None
        if self.method.warp == "none":
            set_gate(refine, -8.0)
        elif self.method.warp == "dense":
            set_gate(refine, 0.0)

    def forward(
        self,
        warped: Tensor,
        image: Tensor,
        edited: Tensor,
        mask: Tensor,
        confidence: Tensor,
        fine: bool = True,
        layout: Tensor | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See the class. Without ``layout`` and ``source`` the photo is known, and copied, outside the mask alone."""
        if not self.method.layout:
            edited = torch.full_like(edited, UNKNOWN)
        if self.method.warp == "none":
            warped = torch.where(mask[:, None], torch.full_like(image, GREY), image)
            confidence = torch.zeros_like(confidence)
        elif self.dense is not None:
            layout = torch.where(mask, torch.full_like(edited, UNKNOWN), edited) if layout is None else layout
            warped, confidence = self.dense(image, layout, edited, mask, ~mask if source is None else source)
        coarse, refined = self.refine(warped, image, edited, mask, confidence, fine)
        return coarse, refined, warped


def set_gate(refine: Refine, logit: float) -> None:
    """Start both decoders with this logit of the gate between the warp and their own colours.

    Without a warp an open gate would hold the pictures at grey. The gate is the fourth channel of each head; the coarse
    head emits four sub-pixels a channel.
    """
    for head, first, last in ((refine.coarse.head, 12, 16), (refine.fine.head, 3, 4)):
        if head.bias is None:
            raise ValueError("the heads have no biases")
        with torch.no_grad():
            head.bias[first:last] = logit - GATE_BIAS


def load_comparator(path: Path) -> Comparator:
    """A trained comparator in eval mode, from its weights and the ``.json`` beside them. Raises WeightsError."""
    arguments = stored_arguments(path)
    network = Comparator(str(arguments["kind"]), new_refine(arguments["refine"]))
    load_weights(path, network)
    network.eval()
    return network

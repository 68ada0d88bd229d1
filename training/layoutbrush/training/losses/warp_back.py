"""The warped picture warped back to the photo, for the cycle (equation 10), by the likenesses that made it."""

from __future__ import annotations

import torch
from torch import Tensor


def warp_back(
    image: Tensor, query: Tensor, key: Tensor, hole: Tensor, valid: Tensor, temperature: float = 0.05
) -> tuple[Tensor, Tensor]:
    """Every place of the photo asks all places of the hole which of them took it.

    Args:
        image: (B, 3, h, w) what the warp painted, for a scale at which all pairs fit into memory.
        query, key: (B, h, w, C) unit vectors of the hole's places and of the photo's.
        hole: (B, h, w) bool, places that were painted; valid: (B, h, w) bool, places that may be copied.
        temperature: of the softmax over the hole's places.

    Returns:
        What came back, (B, 3, h, w), and which places the warp took: (B, 1, h, w), 1 where some place of the hole has
        its best key there. Both are 0 elsewhere, and everywhere for examples without a hole or without sources.
    """
    returned, reached = [], []
    for painted, asked, told, inside, copied in zip(image, query, key, hole, valid, strict=True):
        back, taken = torch.zeros_like(painted), torch.zeros_like(painted[:1])
        places, sources = inside.flatten().nonzero()[:, 0], copied.flatten().nonzero()[:, 0]
        if len(places) and len(sources):
            likeness = told.flatten(0, 1)[sources].float() @ asked.flatten(0, 1)[places].float().T  # (K, Q)
            colours = painted.flatten(1)[:, places].float()
            best = sources[likeness.detach().argmax(0)]
            came = torch.zeros(painted.shape[0], inside.numel(), device=painted.device)
            came = came.index_copy(1, sources, colours @ (likeness / temperature).softmax(1).T)
            taken = taken.flatten(1).index_fill(1, best, 1.0).view_as(taken)
            back = came.view_as(painted) * taken
        returned.append(back)
        reached.append(taken)
    return torch.stack(returned), torch.stack(reached)

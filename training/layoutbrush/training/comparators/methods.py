"""What each method sees and has: the rows of Tables 1 to 3 that are trained here, as switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Method:
    """One way to fill the mask.

    ``stands_for``: the published method whose place it takes; ``layout``: sees the edited label map; ``warp``: what
    paints the first picture inside the mask; ``semantic``: has the visual-semantic encoder of that picture.
    """

    title: str
    stands_for: str
    layout: bool
    warp: Literal["none", "dense", "sparse"]
    semantic: bool


METHODS: dict[str, Method] = {
    "context": Method("context only", "ProFill (Zeng et al., ECCV 2020)", layout=False, warp="none", semantic=False),
    "vanilla": Method(
        "vanilla: layout, no warp", "SESAME (Ntavelis et al., ECCV 2020)", layout=True, warp="none", semantic=False
    ),
    "dense": Method(
        "dense attention at 1/4", "CoCosNet (Zhang et al., CVPR 2020)", layout=True, warp="dense", semantic=False
    ),
    "sparse": Method(
        "vanilla + sparse attention", "the patent's middle rung", layout=True, warp="sparse", semantic=False
    ),
    "full": Method("full: with the visual-semantic encoder", "the patent", layout=True, warp="sparse", semantic=True),
}

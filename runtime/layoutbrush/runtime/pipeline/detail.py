"""Fine detail where the refiner is lost: the warp's own pixels bring it, the refiner keeps light and colour.

Something painted where its label never is, grass in a sky, gets scores from the warp that are lower than almost any
that the refiner was trained with. Its colours still fit the place, but its texture turns into bricks and a weave,
while what the warp copied is the photo's own texture. So the difference of the two is smoothed there, and only that is
left of the refinement: the same as on large photos, whose pixels are all copied (`tint.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline.events import BoolMap
from layoutbrush.runtime.pipeline.harmony import doubt
from layoutbrush.runtime.pipeline.resample import scale_planes

KNOWN, LOST = 0.96, 0.90
"""Mean scores of the warp above which the refiner is in its element, and below which it is lost. On validation tasks
whose masked pixels are nowhere in the photo, a quarter of these is below the first and one in twenty below the second.
"""
SMOOTHING = 4
"""The difference is smoothed by taking it down so many times and up again: a Gaussian of 2.4 pixels, about."""

Floats = NDArray[np.float32]


def lost(confidence: Floats, mask: BoolMap) -> Floats:
    """Return where the refiner is lost, 0 to 1, float32 (h, w).

    `confidence`: float32 (h, w), the warp's best scores. `mask`: bool (h, w), True = new.
    """
    return doubt(confidence, mask, KNOWN, LOST)


def with_detail(refined: Floats, warped: Floats, share: Floats) -> Floats:
    """Return the refined picture, float32 (1, 3, h, w) in [0, 1], with the warp's detail.

    `warped`: as `refined`. `share`: float32 (h, w), how much of the refiner's own detail is replaced, 0 to 1.
    """
    if not share.any():
        return refined
    height, width = share.shape
    difference = refined[0] - warped[0]
    small = Extent(max(1, width // SMOOTHING), max(1, height // SMOOTHING))
    smooth = scale_planes(scale_planes(difference, small), Extent(width, height))
    mixed: Floats = refined + (np.clip(warped[0] + smooth, 0, 1) - refined[0]) * share
    return mixed

"""How an edit fades into the photo around what was painted.

A mask that was grown around changed labels (FIG. 7) holds a ring whose labels stay. What the networks make of it has
the right texture and not always the photo's light, in a sky above all: where the mask ends, one would see it end. So
the ring is new beside what changed, the photo itself at its outer edge, and a mixture in between. A mask that the host
gives is taken as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline.mask import Mask, grow_far
from layoutbrush.runtime.pipeline.resample import any_owned

WHOLLY_NEW = 1 / 3
"""Share of the ring, from what changed outwards, in which nothing of the photo stays: label maps are loose."""

Shares = NDArray[np.uint8]


def fresh_shares(mask: Mask, to: Extent) -> Shares | None:
    """Return the share of the new pixels within the mask's bounds at the size `to`, uint8 (h, w): 255 where labels
    changed and beside it, falling to 0 at the ring's outer edge; None where the mask has no ring.
    """
    if mask.changed is None or mask.changed.all():
        return None
    changed = any_owned(mask.changed, to)
    reach = round(mask.reach * to.height / mask.bounds.height)
    middle = round(reach * (1 + WHOLLY_NEW) / 2)
    # The mean of a window over a grown region falls in a straight line where the edge is straight, without steps.
    grown = np.where(grow_far(changed, middle), np.uint8(255), np.uint8(0))
    ramp = np.asarray(Image.fromarray(grown).filter(ImageFilter.BoxBlur(reach - middle)))
    return np.where(changed, np.uint8(255), ramp)

"""A photo without what a mask hides: colours of what is around, for networks that are to see nothing of it.

What goes away spoils the labels around it: a segmenter takes a car pasted on a lawn for a road. Pull-push (Gortler et
al., SIGGRAPH 1996) over small blocks leaves a blur that says nothing and has no edge at the rim.
"""

from __future__ import annotations

import numpy as np

from layoutbrush.runtime.pipeline.events import BoolMap, Photo
from layoutbrush.runtime.pipeline.harmony import block_sums, enlarged, pull_push

BLOCK = 2
"""Side in pixels of the blocks whose colours are spread."""


def without(photo: Photo, hidden: BoolMap) -> Photo:
    """Return the photo, uint8 (H, W, 3), with colours from around where `hidden`, bool (H, W), is True.

    Nothing is left to spread where everything is hidden: then the photo is black.
    """
    seen = (~hidden).astype(np.float32)
    colours = np.ascontiguousarray(photo.transpose(2, 0, 1), np.float32) * seen
    area = np.float32(BLOCK * BLOCK)
    spread = pull_push(block_sums(colours, BLOCK) / area, block_sums(seen, BLOCK) / area)
    filled = np.clip(enlarged(spread, BLOCK, hidden.shape) + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.where(hidden[..., None], filled.transpose(1, 2, 0), photo)

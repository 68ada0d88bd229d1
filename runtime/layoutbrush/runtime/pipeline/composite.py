"""Putting a new layer onto the photo: outside the mask nothing changes, bit for bit (US 11,636,570, Eq. 12)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.pipeline.events import BoolMap, Photo
from layoutbrush.runtime.pipeline.mask import inner_distance


def feather_weights(mask: BoolMap, keepable: BoolMap, reach: int) -> NDArray[np.uint8]:
    """Return the weight of the new pixels, uint8 (h, w): 0 outside the mask, 255 deep inside.

    Near its rim the weight rises over `reach` pixels, but only where the photo's own pixel may stay visible
    (`keepable`: its label did not change and it is not excluded); elsewhere it is 255 at once, so that nothing of what
    is being replaced shines through.
    """
    full = np.where(mask, np.uint8(255), np.uint8(0))
    if reach <= 0:
        return full
    distance = inner_distance(mask, reach)
    rising = (distance.astype(np.uint16) * 255 // (reach + 1)).astype(np.uint8)
    return np.where(mask & keepable, rising, full)


def blend(photo: Photo, new: Photo, weights: NDArray[np.uint8]) -> Photo:
    """Return uint8 (h, w, 3): the photo where the weight is 0, the new pixels where it is 255, mixed in between."""
    result = np.where(weights[..., None] == 255, new, photo)
    rows, columns = np.nonzero((weights > 0) & (weights < 255))
    if rows.size:
        weight = weights[rows, columns, None].astype(np.uint32)
        old, fresh = photo[rows, columns].astype(np.uint32), new[rows, columns].astype(np.uint32)
        result[rows, columns] = ((fresh * weight + old * (255 - weight) + 127) // 255).astype(np.uint8)
    return result

"""The low-frequency correction: what the refinement changed of what is copied, for each network pixel.

Real pixels bring their own light and colour along; the refined picture says what is wanted. Their difference is
smoothed, so that it changes light and not detail, but never across a seam: two pieces that meet are each brought to the
refined picture's light, and no step stays between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.pipeline.mask import filled_bounds
from layoutbrush.runtime.pipeline.seams import UNITS

SMOOTHING = 4.0
"""Standard deviation of the smoothing, in network pixels."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def tints(wanted: Floats, copied: Floats, down: Ints, right: Ints, there: NDArray[np.bool_]) -> Ints:
    """Return what is added to the pixels of each cell, int32 (h, w, 3) in sixteenths of a level; 0 where not `there`.

    `wanted`, `copied`: float32 (3, h, w) in [0, 1]. `down`, `right`: int32 (h, w), the cells' offsets.
    """
    found = np.zeros((*there.shape, 3), np.int32)
    near = filled_bounds(there).slices
    part = there[near]
    if part.size:
        planes: Floats = np.asarray((wanted[:, *near] - copied[:, *near]) * part * (255 * UNITS), np.float32)
        for axis in (0, 1):
            planes = _smooth(planes, down[near], right[near], part, axis)
        found[near] = np.rint(planes * part).transpose(1, 2, 0).astype(np.int32)
    return found


def _smooth(planes: Floats, down: Ints, right: Ints, there: NDArray[np.bool_], axis: int) -> Floats:
    """Return planes (3, h, w) averaged along an axis over cells of the same offset, with a Gaussian's weights."""
    total, weights = planes.copy(), there.astype(np.float32)
    for step in range(1, min(int(3 * SMOOTHING), there.shape[axis] - 1) + 1):
        tap = np.float32(np.exp(-0.5 * (step / SMOOTHING) ** 2))
        one = _shifted(axis, step, None)
        other = _shifted(axis, None, -step)
        same = there[one] & there[other] & (down[one] == down[other]) & (right[one] == right[other])
        weight = tap * same
        total[:, *one] += weight * planes[:, *other]
        total[:, *other] += weight * planes[:, *one]
        weights[one] += weight
        weights[other] += weight
    return np.asarray(total / np.maximum(weights, np.float32(1e-6)), np.float32)


def _shifted(axis: int, start: int | None, stop: int | None) -> tuple[slice, slice]:
    part = slice(start, stop)
    return (part, slice(None)) if axis == 0 else (slice(None), part)

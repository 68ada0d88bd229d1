"""What a painter's label maps look like: loose borders, missing labels, generous masks."""

from __future__ import annotations

import numpy as np

from layoutbrush.training.data import cv
from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.labels import UNKNOWN
from layoutbrush.training.data.shapes import blob, smooth_noise
from layoutbrush.training.data.transforms import identity


def loosen(rng: np.random.Generator, labels: UInt8, amplitude: float) -> UInt8:
    """Moves label borders by smooth noise of about `amplitude` pixels; the photo stays."""
    side = labels.shape[0]
    noise = smooth_noise(rng, side, max(4, side // 12), 2)
    return cv.sample(labels, identity(side) + np.float32(amplitude) * noise, nearest=True)


def forget_some(rng: np.random.Generator, labels: UInt8, edited: UInt8) -> tuple[UInt8, UInt8]:
    """Makes one or two of the label ids present UNKNOWN in both maps."""
    present = np.flatnonzero(np.bincount(edited.ravel(), minlength=256)[:UNKNOWN])
    if present.size == 0:
        return labels, edited
    lost = rng.choice(present, size=min(present.size, int(rng.integers(1, 3))), replace=False)
    table = np.arange(256, dtype=np.uint8)
    table[lost] = UNKNOWN
    return np.asarray(table[labels]), np.asarray(table[edited])


def forget_hole(edited: UInt8, mask: Bool) -> UInt8:
    """UNKNOWN under the mask: fill in from the surroundings alone."""
    return np.where(mask, np.uint8(UNKNOWN), edited)


def widen(rng: np.random.Generator, mask: Bool) -> Bool:
    """A mask drawn generously: grown by up to 5 px, or joined by a blob that reaches beyond it."""
    if rng.random() < 0.5:
        return cv.dilate(mask, float(rng.uniform(1, 5)))
    return mask | blob(rng, mask.shape[0], float(rng.uniform(0.01, 0.05)))

"""A data set made of nothing: textured rectangles and discs on a sky and a ground, with their label maps.

Each label has its own colour and stripes, so a network that follows the layout is rewarded within a minute.
"""

from __future__ import annotations

import math

import numpy as np

from layoutbrush.training.data.cv import Bool, Float
from layoutbrush.training.data.labels import LABEL_COLORS
from layoutbrush.training.data.photo import Collection, Photo


def toy_photo(index: int, side: int = 96, seed: int = 0) -> Photo:
    """One picture of `side` pixels; the same for the same (index, side, seed)."""
    rng = np.random.default_rng([seed, index])
    rows, cols = np.mgrid[0:side, 0:side].astype(np.float32)
    tilt = float(rng.uniform(-0.15, 0.15))
    ground = rows > side * rng.uniform(0.4, 0.65) + tilt * (cols - side / 2)
    labels = np.where(ground, np.uint8(rng.choice((2, 3, 4))), np.uint8(0))
    for _ in range(int(rng.integers(2, 5))):
        labels[_shape(rng, rows, cols)] = rng.choice((1, 5, 6, 8, 9, 13))
    image = np.zeros((side, side, 3), np.float32)
    for label in np.unique(labels):
        image = np.where((labels == label)[..., None], _texture(rng, int(label), rows, cols), image)
    image += rng.normal(0, 3, image.shape)
    return Photo(f"toy/{seed}-{index}", np.clip(image, 0, 255).astype(np.uint8), labels)


def toy_collection(count: int = 32, side: int = 96, seed: int = 0, weight: float = 1.0) -> Collection:
    """`count` toy pictures."""
    return Collection("toy", tuple(toy_photo(index, side, seed) for index in range(count)), weight)


def _shape(rng: np.random.Generator, rows: Float, cols: Float) -> Bool:
    """A disc or rectangle of a sixth to a third of the picture's side."""
    side = rows.shape[0]
    y, x = rng.uniform(0.15, 0.85, 2) * side
    height, width = rng.uniform(0.08, 0.2, 2) * side
    if rng.random() < 0.5:
        return np.asarray(((rows - y) / height) ** 2 + ((cols - x) / width) ** 2 < 1)
    return np.asarray((abs(rows - y) < height) & (abs(cols - x) < width))


def _texture(rng: np.random.Generator, label: int, rows: Float, cols: Float) -> Float:
    """The label's colour (shifted a little from picture to picture) with stripes of the label's own pitch."""
    base = np.array(LABEL_COLORS[label], np.float32) + rng.uniform(-25, 25, 3).astype(np.float32)
    angle, pitch = 0.7 * label, 3.0 + 0.8 * (label % 6)
    phase = 2 * math.pi * (rows * math.sin(angle) + cols * math.cos(angle)) / pitch
    stripes: Float = base + 22 * np.sin(phase)[..., None].astype(np.float32)
    return stripes

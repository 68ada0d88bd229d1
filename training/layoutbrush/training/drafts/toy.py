"""Boxed pictures made of nothing: each label is a colour whose brightness differs from object to object.

A network learns within a minute where objects stand, that labels have colours, and that the latent code is brightness.
"""

from __future__ import annotations

import numpy as np

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.drafts.boxed_photo import Box, BoxedObject, BoxedPhoto, BoxedSet

LABELS = ("ground", "red", "green", "blue")
COLORS = ((120, 116, 124), (200, 40, 40), (40, 180, 60), (50, 70, 210))


def toy_boxes(count: int = 32, side: int = 64, seed: int = 0) -> BoxedSet:
    """``count`` pictures of two or three coloured boxes on a ground; the same for the same arguments."""
    return BoxedSet("toy", LABELS, tuple(_photo(index, side, seed) for index in range(count)))


def _photo(index: int, side: int, seed: int) -> BoxedPhoto:
    rng = np.random.default_rng([seed, index])
    boxes = [Box(0.0, 0.0, 1.0, 1.0)]
    for _ in range(int(rng.integers(2, 4))):
        width, height = rng.uniform(0.25, 0.5, 2)
        left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        boxes.append(Box(float(left), float(top), float(left + width), float(top + height)))
    labels = [0, *(int(label) for label in rng.integers(1, len(LABELS), len(boxes) - 1))]
    image = np.zeros((side, side, 3), np.float32)
    for label, box in zip(labels, boxes, strict=True):
        color = np.array(COLORS[label], np.float32) * rng.uniform(0.5, 1.2)
        rows = slice(round(box.top * side), round(box.bottom * side))
        image[rows, round(box.left * side) : round(box.right * side)] = color
    objects = tuple(BoxedObject(label, box) for label, box in zip(labels, boxes, strict=True))
    pixels: UInt8 = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    return BoxedPhoto(f"toy/{seed}-{index}", pixels, objects)

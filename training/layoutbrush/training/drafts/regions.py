"""Boxes of the regions of label maps: every labelled photo, cut out at random many times, is a photo with boxes.

The published box files list whole photos only; a cut has other boxes in other places, so a few hundred label maps
give thousands of layouts. The connected regions of a label become objects by the same rule as the boxes of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from layoutbrush.training.data import cv
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN, UInt8
from layoutbrush.training.data.photo import Photo
from layoutbrush.training.data.photos import open_collections
from layoutbrush.training.drafts.boxed_photo import Box, BoxedObject, BoxedPhoto, BoxedSet

FILLED = 0.01
"""Share of the picture that a region's own pixels cover at least; its box may be larger."""
LEAST_SIDE = 0.55
"""A cut's sides as shares of the photo's, at least."""


def region_boxes(labels: UInt8, filled: float = FILLED) -> tuple[BoxedObject, ...]:
    """The 8-connected regions of a label map (H, W) of ids, UNKNOWN left out, larger boxes first."""
    height, width = labels.shape
    found = []
    for label in np.unique(labels):
        if label == UNKNOWN:
            continue
        mask = (labels == label).view(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for x, y, w, h, area in stats[1:].tolist():
            if area >= filled * height * width:
                box = Box(x / width, y / height, (x + w) / width, (y + h) / height)
                found.append(BoxedObject(int(label), box))
    return tuple(sorted(found, key=lambda entry: -entry.box.share))


def cuts(photo: Photo, count: int, size: int, rng: np.random.Generator) -> Iterator[BoxedPhoto]:
    """``count`` pieces of a photo, stretched to ``size`` pixels square as the source does with whole photos.

    The piece's sides are drawn apart from each other, 0.55 to 1 of the photo's; the first piece is the whole photo.
    """
    height, width = photo.labels.shape
    for index in range(count):
        shares = rng.uniform(LEAST_SIDE, 1.0, 2) if index else np.ones(2)
        h, w = max(1, round(height * shares[0])), max(1, round(width * shares[1]))
        top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        image = photo.image[top : top + h, left : left + w]
        objects = region_boxes(photo.labels[top : top + h, left : left + w])
        yield BoxedPhoto(f"{photo.name}#{index}", cv.resize_image(image, size), objects)


def read_regions(root: Path, names: Sequence[str], split: str, pieces: int, size: int, seed: int = 0) -> BoxedSet:
    """``pieces`` of each photo of the collections ``names`` below ``root`` (`scenes`, `streets`), with the boxes of
    their regions; photos of a set that isn't for training stay whole. Raises DataError.
    """
    photos = (photo for part in open_collections(root, names, split) for photo in part.photos)
    found: list[BoxedPhoto] = []
    for index, photo in enumerate(photos):
        rng = np.random.default_rng([seed, index])
        found.extend(cuts(photo, pieces if split == "train" else 1, size, rng))
    return BoxedSet("+".join(f"{name}_{split}" for name in names), LABEL_NAMES, tuple(found))

"""Boxed photos as tensors, objects padded to the most that a photo may have."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from layoutbrush.training.data import cv
from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.lazy import read_image
from layoutbrush.training.drafts.boxed_photo import BoxedObject, BoxedPhoto

KEPT_BYTES = 512 << 20


class Pictures:
    """Photos as squares of ``size`` pixels, stretched as the source does it (boxes are shares, so they follow).

    Kept in memory until half a gigabyte is full; what comes later is read each time. Thread safe.
    """

    def __init__(self, photos: Sequence[BoxedPhoto], size: int, kept: int = KEPT_BYTES) -> None:
        self.photos, self.size = photos, size
        self._room = kept // (3 * size * size)
        self._pictures: dict[int, UInt8] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> UInt8:
        """(size, size, 3) uint8. Raises DataError for a file that can't be read."""
        with self._lock:
            if index in self._pictures:
                return self._pictures[index]
        source = self.photos[index].image
        image = read_image(source) if isinstance(source, Path) else source
        picture = cv.resize_image(image, self.size)
        with self._lock:
            if len(self._pictures) < self._room:
                self._pictures[index] = picture
        return picture


def padded(rows: Sequence[Sequence[BoxedObject]], most: int) -> dict[str, Tensor]:
    """Objects of each photo: `labels` (B, O) int64, `boxes` (B, O, 4) float32 left, top, right, bottom, `valid` (B, O)
    bool; O = ``most``. Where `valid` is False the label is 0 and the box the whole picture.
    """
    labels = torch.zeros(len(rows), most, dtype=torch.int64)
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(len(rows), most, 1)
    valid = torch.zeros(len(rows), most, dtype=torch.bool)
    for i, objects in enumerate(rows):
        for j, entry in enumerate(objects):
            labels[i, j], valid[i, j] = entry.label, True
            boxes[i, j] = torch.tensor((entry.box.left, entry.box.top, entry.box.right, entry.box.bottom))
    return {"labels": labels, "boxes": boxes, "valid": valid}


def boxed_batch(pictures: Pictures, indices: Sequence[int], most: int) -> dict[str, Tensor]:
    """`image` (B, 3, S, S) in [0, 1] and the objects as :func:`padded` has them, as they are in the data."""
    images = image_tensor([pictures[index] for index in indices])
    return {"image": images, **padded([pictures.photos[index].objects for index in indices], most)}


def random_batch(
    pictures: Pictures, count: int, most: int, rng: np.random.Generator, *, flip: bool
) -> dict[str, Tensor]:
    """``count`` photos at random, mirrored half the time, their objects in random order as the source has it."""
    images, rows = [], []
    for index in rng.integers(0, len(pictures), count):
        image, objects = pictures[int(index)], pictures.photos[int(index)].objects
        if flip and rng.random() < 0.5:
            image = cv.mirror(image)
            objects = tuple(BoxedObject(entry.label, entry.box.flipped(), entry.attributes) for entry in objects)
        images.append(image)
        rows.append([objects[int(i)] for i in rng.permutation(len(objects))])
    return {"image": image_tensor(images), **padded(rows, most)}

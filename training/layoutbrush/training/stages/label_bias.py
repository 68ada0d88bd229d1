"""A constant for each label, added to a trained segmentation network's scores, so that no label is found too often.

Class weights, crops around rare labels and soft overlap make the network find rare things, and also find them where
they aren't. The constants are fitted on training photos alone; they go into the bias of the last layer, so the graph
stays as it is (logit adjustment after training, Menon et al., ICLR 2021, fitted instead of derived).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from layoutbrush.training.data import LABEL_NAMES, UNKNOWN, Photo
from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.cv import Float, UInt8
from layoutbrush.training.models.segmentation import enlarged

LABELS = len(LABEL_NAMES)
GRANULE = 16
Samples = tuple[Float, UInt8]
"""Scores (N, LABELS) of N pixels and their true labels (N,)."""


def gather(network: nn.Module, photos: Sequence[Photo], sides: Sequence[int], stride: int) -> Samples:
    """Every ``stride``-th known pixel of the photos, each photo shown with each of the longer ``sides``."""
    scores, labels = [], []
    for photo in photos:
        true = photo.labels[::stride, ::stride].ravel()
        known = true != UNKNOWN
        for side in sides:
            found = photo_scores(network, photo.image, side)[:, ::stride, ::stride]
            scores.append(found.reshape(LABELS, -1)[:, known].T)
            labels.append(true[known])
    return np.concatenate(scores), np.concatenate(labels)


def photo_scores(network: nn.Module, image: UInt8, side: int) -> Float:
    """(LABELS, H, W) scores of a photo (H, W, 3) that is shown with its longer side of ``side`` pixels."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    h, w = max(1, round(height * factor)), max(1, round(width * factor))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    shown = np.asarray(cv2.resize(image, (w, h), interpolation=kind), np.uint8)
    shown = np.pad(shown, ((0, -h % GRANULE), (0, -w % GRANULE), (0, 0)), mode="edge")
    with torch.no_grad():
        found = enlarged(network(image_tensor([shown])).float(), 2)[0, :, :h, :w].permute(1, 2, 0).numpy()
    whole = np.asarray(cv2.resize(np.ascontiguousarray(found), (width, height), interpolation=cv2.INTER_LINEAR))
    return np.ascontiguousarray(whole.transpose(2, 0, 1), np.float32)


def agreement(samples: Samples, bias: Float) -> tuple[float, float]:
    """Mean intersection over union of the labels that are there, and the share of right pixels."""
    scores, labels = samples
    found = (scores + bias).argmax(1)
    table = np.bincount(labels.astype(np.int64) * LABELS + found, minlength=LABELS * LABELS).reshape(LABELS, LABELS)
    right = np.diag(table)
    union = table.sum(0) + table.sum(1) - right
    there = table.sum(1) > 0
    return float((right / np.maximum(union, 1))[there].mean()), float(right.sum() / max(1, table.sum()))


def fit(
    collections: Sequence[Samples],
    steps: Sequence[float] = (0.6, 0.3, 0.15),
    rounds: int = 2,
    least: float = 5e-4,
) -> npt.NDArray[np.float32]:
    """(LABELS,) constants by coordinate ascent on mean intersection over union + half the accuracy, mean over sets.

    ``least``: what a change must be worth. Without it labels that few photos have are moved far for next to nothing,
    which does not hold on other photos.
    """

    def worth(bias: Float) -> float:
        pairs = [agreement(samples, bias) for samples in collections]
        return float(np.mean([overlap + 0.5 * accuracy for overlap, accuracy in pairs]))

    bias = np.zeros(LABELS, np.float32)
    best = worth(bias)
    for step in steps:
        for _ in range(rounds):
            for label in range(LABELS):
                for change in (-step, step):
                    tried = bias.copy()
                    tried[label] += change
                    value = worth(tried)
                    if value > best + least:
                        best, bias = value, tried
    return bias

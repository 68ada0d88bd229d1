"""Segmentation in two looks: at two sizes, once mirrored, each pixel's label by the sum of the answers' confidence.

The network answers at half its input's size, so thin things need an enlarged photo, and large areas a small one. Over
one look at the photo's own size two are worth about one point of mean intersection over union on the validation photos.

What is to go away can be hidden: near a mask the labels are then right about as often as if it had never been there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import resample
from layoutbrush.runtime.pipeline.events import BoolMap, LabelMap, Photo
from layoutbrush.runtime.pipeline.hiding import without

LOOKS: tuple[tuple[int, bool], ...] = ((432, False), (576, True))
"""Longer side in pixels, and whether mirrored. The network learned from small photos: on larger ones it loses."""

ENLARGED = 2.0
"""No photo is enlarged further."""

VOTED = 1024
"""Longer side at which answers are added up at most; larger photos take each pixel's label from there."""

Segmenter = Callable[[NDArray[np.float32]], tuple[NDArray[np.int32], NDArray[np.float32]]]
"""(1, 3, H, W) float32 in [0, 1] -> labels (H, W), confidence (H, W) in [0, 1]."""


def segment_photo(
    photo: Photo,
    run: Segmenter,
    alignment: int,
    smallest: int,
    cancelled: Callable[[], bool] = lambda: False,
    hidden: BoolMap | None = None,
) -> tuple[LabelMap, NDArray[np.float32]]:
    """Return the label map of a photo, uint8 (H, W), and how sure it is, float32 (H, W) in [0, 1]: the mean confidence
    of the looks in the label that won.

    `alignment`, `smallest`: what sides the network takes. `hidden`: bool (H, W), True = the network sees colours from
    around instead. Raises Cancelled when `cancelled()` turned True in between.
    """
    extent = Extent.of_shape(photo.shape)
    voted = extent if extent.longer <= VOTED else extent.scaled(VOTED / extent.longer)
    if hidden is not None:
        photo = without(resample.scale_photo(photo, Bounds.of(extent), voted), resample.any_owned(hidden, voted))
    votes: dict[int, NDArray[np.float32]] = {}
    for side, mirrored in LOOKS:
        if cancelled():
            raise Cancelled
        labels, confidence = _look(photo, run, side, mirrored, alignment, smallest)
        for label in np.unique(labels):
            (vote,) = resample.scale_planes(np.where(labels == label, confidence, np.float32(0))[None], voted)
            votes[int(label)] = votes.get(int(label), np.float32(0)) + vote
    names = sorted(votes)
    stack = np.stack([votes[label] for label in names])
    winner = stack.argmax(0)
    found = resample.scale_labels(np.array(names, np.uint8)[winner], extent)
    sure = np.take_along_axis(stack, winner[None], 0)[0] / np.float32(len(LOOKS))
    return found, resample.scale_planes(sure[None], extent)[0]


def look_extent(extent: Extent, side: int, smallest: int) -> Extent:
    """Return the size at which the network looks at a photo of `extent`: its longer side becomes `side`.

    A small photo is not enlarged beyond ENLARGED. A panorama keeps a longer longer side, so that its shorter one stays
    within what the network takes, `smallest`.
    """
    return extent.scaled(max(min(side / extent.longer, ENLARGED), min(1.0, smallest / extent.shorter)))


def _look(
    photo: Photo, run: Segmenter, side: int, mirrored: bool, alignment: int, smallest: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """One answer, labels and confidence at the size of the look."""
    extent = Extent.of_shape(photo.shape)
    small = look_extent(extent, side, smallest)
    image = resample.scale_photo(photo, Bounds.of(extent), small)
    if mirrored:
        image = image[:, ::-1]
    padded = resample.pad(image, resample.padded_extent(small, alignment, smallest), edge=True)
    labels, confidence = run(resample.to_planes(padded))
    labels, confidence = labels[: small.height, : small.width], confidence[: small.height, : small.width]
    return (labels[:, ::-1], confidence[:, ::-1]) if mirrored else (labels, confidence)

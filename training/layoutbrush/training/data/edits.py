"""More kinds of task: a region is added, a region changes its label, a photo follows another photo's layout.

As with the other makers None means that the draw gives no useful task.
"""

from __future__ import annotations

import numpy as np

from layoutbrush.training.data import cv
from layoutbrush.training.data.cv import Bool, UInt8
from layoutbrush.training.data.labels import UNKNOWN
from layoutbrush.training.data.makers import EXCLUDED_RIM, Crop, component, grown_mask
from layoutbrush.training.data.shapes import blob, brush
from layoutbrush.training.data.task import Task

_SHIFTS = 16
_FITTING = 0.8
"""Least share of a region that shifted content must cover with the label that it stands for."""


def add(rng: np.random.Generator, crop: Crop) -> Task | None:
    """A region is there in the truth and not in the input, where its surroundings' own content lies instead.

    The input's content is copied from the same photo, shifted so that it is of the label around the region; the edited
    layout asks for the region back. What was copied may itself be copied, what lies under the mask may not.
    """
    found = component(rng, crop.labels, 0.02, 0.25)
    if found is None:
        return None
    label, region = found
    cover = cv.dilate(region, 2)
    ring = crop.labels[cv.dilate(cover, 6) & ~cover]
    around = np.bincount(ring, minlength=256)[:UNKNOWN]
    around[label] = 0
    if not around.any():
        return None
    shift = _shift(rng, crop.labels == int(around.argmax()), cover)
    if shift is None:
        return None
    return _covered("add", rng, crop, crop, shift, cover)


def relabel(rng: np.random.Generator, crop: Crop, donor: Crop) -> Task | None:
    """A whole region of the photo shows another photo's content of another label; the photo's own comes back."""
    found = component(rng, crop.labels, 0.03, 0.35)
    if found is None:
        return None
    label, region = found
    counts = np.bincount(donor.labels.ravel(), minlength=256)[:UNKNOWN].astype(np.float64)
    counts[label] = 0
    if counts.sum() == 0:
        return None
    other = int(rng.choice(UNKNOWN, p=counts / counts.sum()))
    shift = _shift(rng, donor.labels == other, region)
    if shift is None:
        return None
    return _covered("relabel", rng, crop, donor, shift, region)


def _covered(
    kind: str, rng: np.random.Generator, crop: Crop, content: Crop, shift: tuple[int, int], cover: Bool
) -> Task:
    """The photo with ``cover`` hidden by shifted content; its own is to come back."""
    mask = grown_mask(rng, cover)
    return Task(
        kind=kind,
        image=cv.pasted(crop.image, _shifted(content.image, shift), cover),
        layout=cv.pasted(crop.labels, _shifted(content.labels, shift), cover),
        truth=crop.image,
        edited=crop.labels,
        mask=mask,
        source=~cv.dilate(mask, EXCLUDED_RIM),
    )


def unpaired(rng: np.random.Generator, crop: Crop, other: Crop) -> Task | None:
    """The photo is to follow another photo's layout, over the whole picture or under a brush. There is no truth.

    ``truth`` is an example of the edited layout: the other photo, where its layout is followed. Losses that compare
    with the true picture don't apply (``paired`` is False).
    """
    side = crop.labels.shape[0]
    where = np.ones_like(crop.labels, np.bool_)
    if rng.random() < 0.5:
        where = (brush if rng.random() < 0.6 else blob)(rng, side, float(rng.uniform(0.12, 0.4)))
    edited = cv.pasted(crop.labels, other.labels, where)
    changed = edited != crop.labels
    if changed.mean() < 0.03:
        return None
    # Whatever the brush went over may change; with the whole layout exchanged, everything.
    mask = where if where.all() else cv.dilate(where, 3)
    return Task(
        kind="unpaired",
        image=crop.image,
        layout=crop.labels,
        truth=cv.pasted(crop.image, other.image, where),
        edited=edited,
        mask=mask,
        source=np.ones_like(mask),
        paired=False,
    )


def _shift(rng: np.random.Generator, wanted: Bool, region: Bool) -> tuple[int, int] | None:
    """The shift (y, x), of a few drawn ones, that brings most of ``wanted`` over the region; None where none fits."""
    side = region.shape[0]
    best, chosen = _FITTING, None
    for y, x in rng.integers(-side // 2, side // 2 + 1, (_SHIFTS, 2)):
        shift = (int(y), int(x))
        share = float(_shifted(wanted.view(np.uint8), shift)[region].mean())
        if share > best:
            best, chosen = share, shift
    return chosen


def _shifted(picture: UInt8, shift: tuple[int, int]) -> UInt8:
    """The picture moved by (y, x), mirrored in at its borders; (S, S) or (S, S, 3)."""
    side = picture.shape[0]
    y, x = (_mirrored(np.arange(side) - by, side) for by in shift)
    return np.ascontiguousarray(picture[y][:, x])


def _mirrored(
    places: np.ndarray[tuple[int, ...], np.dtype[np.int64]], side: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    places = np.abs(places)
    return np.where(places >= side, 2 * side - 2 - places, places)

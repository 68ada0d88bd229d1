"""How each kind of task is made from labelled crops.

A maker returns None when the draw does not give a useful task; the sampler then draws again.
The proportions follow the protocol of the project's evaluation tasks: foreign content over 8 to 30 % with a mask
that is about a tenth larger; one region of 2 to 34 % moved, turned or scaled by a smooth warp, with a mask of the
pixels whose label changed, grown by 3 px.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from layoutbrush.training.data import cv, transforms
from layoutbrush.training.data.cv import Bool, Float, UInt8
from layoutbrush.training.data.labels import UNKNOWN
from layoutbrush.training.data.shapes import blob, brush
from layoutbrush.training.data.task import Task

EXCLUDED_RIM = 2.0
"""Pixels by which content that must not be copied is grown: labels and blends are loose there."""


@dataclass(frozen=True, eq=False)
class Crop:
    """(S, S, 3) uint8 RGB and its (S, S) uint8 labels."""

    image: UInt8
    labels: UInt8


def pixel_of_any_label(rng: np.random.Generator, labels: UInt8, least: float = 0.0) -> tuple[int, int] | None:
    """A pixel (y, x), every label that covers more than the share `least` being as likely; None where none does."""
    counts = np.bincount(labels.ravel(), minlength=256)[:UNKNOWN]
    candidates = np.flatnonzero(counts > least * labels.size)
    if candidates.size == 0:
        return None
    places = np.flatnonzero(labels == rng.choice(candidates))
    y, x = divmod(int(places[rng.integers(places.size)]), labels.shape[1])
    return y, x


def component(rng: np.random.Generator, labels: UInt8, least: float, most: float) -> tuple[int, Bool] | None:
    """A connected region of one label, every label as likely as another; area bounds are shares of the map."""
    place = pixel_of_any_label(rng, labels, least)
    if place is None:
        return None
    label = int(labels[place])
    region = cv.component_at(labels == label, *place)
    share = float(region.mean())
    return (label, region) if least <= share <= most else None


def paste_segment(rng: np.random.Generator, donor: Crop, area: float) -> tuple[UInt8, UInt8, Bool] | None:
    """A segment of the donor under a random affine map to cover about `area`: image, labels and where it lies."""
    side = donor.labels.shape[0]
    found = component(rng, donor.labels, 0.02, 0.7)
    if found is None:
        return None
    label, region = found
    rows, cols = np.nonzero(region)
    scale = math.sqrt(area / max(float(region.mean()), 1e-6))
    if not 0.4 <= scale <= 2.5:
        return None
    goal = rng.uniform(0.15, 0.85, 2) * side
    matrix = _similarity(rng, scale, (float(cols.mean()), float(rows.mean())), (float(goal[0]), float(goal[1])))
    where = cv.warp_mask(region, matrix, side)
    return cv.warp_affine(donor.image, matrix, side), np.full_like(donor.labels, label), where


def paste_shape(rng: np.random.Generator, donor: Crop, area: float) -> tuple[UInt8, UInt8, Bool]:
    """A brush stroke or blob filled with the donor under a random affine map, with the donor's labels."""
    side = donor.labels.shape[0]
    where = (brush if rng.random() < 0.7 else blob)(rng, side, area)
    centre = (side / 2, side / 2)
    matrix = _similarity(rng, float(rng.uniform(0.7, 1.25)), centre, centre)
    return (
        cv.warp_affine(donor.image, matrix, side),
        cv.warp_affine(donor.labels, matrix, side, nearest=True),
        where,
    )


def _similarity(
    rng: np.random.Generator, scale: float, start: tuple[float, float], goal: tuple[float, float]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(2, 3) forward map: mirrored half the time, turned up to 30 degrees, scaled; takes point `start` to `goal`."""
    angle, aspect = math.radians(rng.uniform(-30, 30)), math.exp(rng.uniform(-0.2, 0.2))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag([scale * aspect * mirror, scale / aspect])
    return np.concatenate([linear, (np.array(goal) - linear @ np.array(start))[:, None]], 1)


def grown_mask(rng: np.random.Generator, where: Bool) -> Bool:
    """The region grown to about 1.1 times its area, by at least 2 px."""
    edges = int((where[1:] ^ where[:-1]).sum()) + int((where[:, 1:] ^ where[:, :-1]).sum())
    radius = 0.1 * float(where.sum()) / max(1.0, edges * math.pi / 4)
    return cv.dilate(where, min(7.0, max(2.0, radius * float(rng.uniform(0.7, 1.5)))))


def foreign(rng: np.random.Generator, crop: Crop, donor: Crop, area: tuple[float, float]) -> Task | None:
    """Foreign content with its labels over the crop; the crop is the truth."""
    wanted = float(rng.uniform(*area))
    pasted = paste_segment(rng, donor, wanted) if rng.random() < 0.5 else paste_shape(rng, donor, wanted)
    if pasted is None:
        return None
    content, labels, where = pasted
    if not 0.7 * area[0] <= where.mean() <= 1.25 * area[1]:
        return None
    mask = grown_mask(rng, where)
    excluded = cv.dilate(mask if rng.random() < 0.7 else where, EXCLUDED_RIM)
    return Task(
        kind="foreign",
        image=cv.pasted(crop.image, content, where),
        layout=cv.pasted(crop.labels, labels, where),
        truth=crop.image,
        edited=crop.labels,
        mask=mask,
        source=~excluded,
    )


def fill(rng: np.random.Generator, crop: Crop, area: tuple[float, float]) -> Task | None:
    """A hole to fill: what it hides is the photo's own content from elsewhere, a flat colour or noise."""
    side = crop.labels.shape[0]
    wanted = float(rng.uniform(*area))
    if rng.random() < 0.5:
        pasted = paste_segment(rng, crop, wanted)
        if pasted is None:
            return None
        content, labels, where = pasted
    else:
        where = (brush if rng.random() < 0.6 else blob)(rng, side, wanted)
        content, labels = _plain(rng, crop.image), np.full_like(crop.labels, UNKNOWN)
    if not 0.5 * area[0] <= where.mean() <= 1.25 * area[1]:
        return None
    mask = grown_mask(rng, where)
    return Task(
        kind="fill",
        image=cv.pasted(crop.image, content, where),
        layout=cv.pasted(crop.labels, labels, where),
        truth=crop.image,
        edited=crop.labels,
        mask=mask,
        source=~cv.dilate(mask, EXCLUDED_RIM),
    )


def _plain(rng: np.random.Generator, image: UInt8) -> UInt8:
    """A picture of one random colour, or of noise about one."""
    color = rng.integers(0, 256, 3).astype(np.int16)
    if rng.random() < 0.6:
        return np.full_like(image, color.astype(np.uint8))
    noisy: UInt8 = np.clip(color + rng.integers(-40, 41, image.shape, np.int16), 0, 255).astype(np.uint8)
    return noisy


def region_warp(rng: np.random.Generator, region: Bool) -> Float:
    """The position field of a smooth warp that moves, turns and scales one region and fades out around it.

    Inside the region the field is a similarity; outside, its displacement falls smoothly to zero over a distance
    that is wide against the displacement, so that the warp never folds.
    """
    side = region.shape[0]
    cell = 4 if side >= 128 else 2
    rows, cols = np.nonzero(region)
    centre = np.array([cols.mean(), rows.mean()], np.float32)
    angle = math.radians(rng.uniform(-8, 8))
    shift = np.zeros(2, np.float32)
    edit = rng.choice(3, p=(0.37, 0.22, 0.41))  # move, grow, shrink: what is asked for, so the input has the opposite
    scale = 1.0
    if edit == 0:
        heading, distance = rng.uniform(0, 2 * math.pi), side * rng.uniform(0.03, 0.12)
        shift[:] = distance * math.cos(heading), distance * math.sin(heading)
    elif edit == 1:
        scale = float(rng.uniform(0.62, 0.83))
    else:
        scale = float(rng.uniform(1.22, 1.6))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], np.float32) / scale
    grid = transforms.identity(side)
    coarse = grid[cell // 2 :: cell, cell // 2 :: cell]
    displacement = (coarse - centre - shift) @ turn.T + centre - coarse  # back from the input to the truth
    inverse = np.linalg.inv(turn)
    forward = np.concatenate([inverse, (centre + shift - inverse @ centre)[:, None]], 1).astype(np.float64)
    moved = cv.warp_mask(region, forward, side)[cell // 2 :: cell, cell // 2 :: cell]
    if not moved.any():
        return grid
    largest = float(np.hypot(*displacement[moved].T).max())
    reach = largest * rng.uniform(1.5, 2.0) + 0.02 * side
    fade = np.clip(1 - cv.distance_outside(moved) * cell / reach, 0, 1)
    fade = cv.blur(fade * fade * (3 - 2 * fade), 1.5)
    return grid + cv.resize_field(np.ascontiguousarray(displacement * fade[..., None]), side)


def manipulate(rng: np.random.Generator, crop: Crop, with_flow: bool) -> Task | None:
    """One region manipulated with the photo under it; the crop is the truth, so the task is the way back."""
    found = component(rng, crop.labels, 0.02, 0.30)
    if found is None:
        return None
    field = region_warp(rng, found[1])
    layout = cv.sample(crop.labels, field, nearest=True)
    changed = layout != crop.labels
    mask = cv.dilate(changed, float(rng.choice((2.0, 3.0, 3.0, 3.0, 4.0))))
    if not 0.025 <= mask.mean() <= 0.38:
        return None
    if rng.random() < 0.15:  # a host's own mask: everything that visibly moved
        shifted = np.abs(field - transforms.identity(field.shape[0])).max(-1) > 2
        if shifted.mean() < 0.5:
            mask |= shifted
    flow = transforms.invert(field) if with_flow else None
    return Task(
        kind="manipulate",
        image=cv.sample(crop.image, field),
        layout=layout,
        truth=crop.image,
        edited=crop.labels,
        mask=mask,
        source=np.ones_like(mask),
        flow=flow,
        flow_valid=None if flow is None else transforms.inside(flow),
    )


def transform(rng: np.random.Generator, crop: Crop) -> Task:
    """The whole picture bent; every pixel may change, and the true correspondence is known."""
    side = crop.labels.shape[0]
    choice = rng.random()
    field = transforms.random_affine(rng, side) if choice < 0.7 else transforms.identity(side)
    if choice > 0.4:
        bend = transforms.random_bend(rng, side) - transforms.identity(side)
        field = field + bend
    valid = transforms.inside(field)
    return Task(
        kind="transform",
        image=crop.image,
        layout=crop.labels,
        truth=cv.sample(crop.image, field),
        edited=cv.sample(crop.labels, field, nearest=True),
        mask=np.ones(valid.shape, np.bool_),
        source=np.ones(valid.shape, np.bool_),
        flow=field,
        flow_valid=valid,
    )

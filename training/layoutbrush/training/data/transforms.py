"""Geometric and photometric transforms of photos with their label maps.

A position field is (S, S, 2) float32 (x, y): the place in the input that each output pixel shows.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from layoutbrush.training.data import cv
from layoutbrush.training.data.cv import Float, UInt8
from layoutbrush.training.data.photo import Photo
from layoutbrush.training.data.thin_plate import spline_matrix


@lru_cache(maxsize=8)
def identity(side: int) -> Float:
    """The position field that changes nothing. Read only."""
    rows, cols = np.mgrid[0:side, 0:side].astype(np.float32)
    grid = np.ascontiguousarray(np.stack([cols, rows], -1))
    grid.setflags(write=False)
    return grid


def random_crop(
    rng: np.random.Generator,
    photo: Photo,
    side: int,
    zoom: tuple[float, float] = (0.7, 1.3),
    around: tuple[int, int] | None = None,
) -> tuple[UInt8, UInt8]:
    """A square crop, scaled to `side`, mirrored half the time.

    `zoom` bounds the enlargement: 1 keeps the photo's pixels, 2 doubles them. It is raised where the photo is too
    small for the crop. `around`: a pixel (y, x) that the crop must hold. Returns (side, side, 3) and (side, side)
    uint8.
    """
    height, width = photo.labels.shape
    factor = math.exp(rng.uniform(math.log(zoom[0]), math.log(zoom[1])))
    extent = min(round(side / factor), height, width)
    low, high = (0, 0), (height - extent, width - extent)
    if around is not None:
        low = (max(0, around[0] - extent + 1), max(0, around[1] - extent + 1))
        high = (min(high[0], around[0]), min(high[1], around[1]))
    y, x = int(rng.integers(low[0], high[0] + 1)), int(rng.integers(low[1], high[1] + 1))
    image = cv.resize_image(photo.image[y : y + extent, x : x + extent], side)
    labels = cv.resize_labels(photo.labels[y : y + extent, x : x + extent], side)
    if rng.random() < 0.5:
        image, labels = cv.mirror(image), cv.mirror(labels)
    return image, labels


def jitter_color(rng: np.random.Generator, image: UInt8, strength: float = 1.0) -> UInt8:
    """Random contrast, brightness and white balance, through one 256-entry table a channel."""
    if strength <= 0:
        return image
    ramp = np.arange(256, dtype=np.float32)
    contrast = 1 + strength * rng.uniform(-0.15, 0.15)
    shift = strength * (rng.uniform(-12, 12) + rng.uniform(-6, 6, 3))
    tables = np.clip((ramp[:, None] - 128) * contrast + 128 + shift, 0, 255).astype(np.uint8)  # (256, 3)
    return cv.look_up(image, tables)


def random_affine(rng: np.random.Generator, side: int, strength: float = 1.0) -> Float:
    """A position field of a random rotation, scale, shear and shift about the centre."""
    angle = strength * math.radians(rng.uniform(-20, 20))
    scale = math.exp(strength * rng.uniform(-0.3, 0.3))
    shear, aspect = strength * rng.uniform(-0.12, 0.12), math.exp(strength * rng.uniform(-0.12, 0.12))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = (turn @ np.array([[scale * aspect, shear], [0, scale / aspect]])).astype(np.float32)
    centre = (side - 1) / 2 + strength * rng.uniform(-0.12, 0.12, 2).astype(np.float32) * side
    field: Float = (identity(side) - (side - 1) / 2) @ matrix.T + centre.astype(np.float32)
    return field


def random_bend(rng: np.random.Generator, side: int, strength: float = 1.0) -> Float:
    """A position field that moves control points on a 3 x 3 to 5 x 5 grid at random, thin plates between them."""
    cells, grid = int(rng.integers(3, 6)), max(side // 8, 4)
    reach = strength * rng.uniform(0.06, 0.13) * side / cells
    moves = rng.standard_normal((cells * cells, 2)).astype(np.float32) * np.float32(reach)
    coarse = spline_matrix(cells, grid) @ moves  # (grid * grid, 2)
    field: Float = identity(side) + cv.smooth_field(np.ascontiguousarray(coarse.reshape(grid, grid, 2)), side)
    return field


def invert(field: Float, rounds: int = 6) -> Float:
    """Inverse of a position field whose displacement is smooth, by fixed-point iteration."""
    grid = identity(field.shape[0])
    displacement = np.ascontiguousarray(field - grid)
    inverse = grid - displacement
    for _ in range(rounds):
        inverse = grid - cv.sample_field(displacement, inverse)
    return inverse


def inside(field: Float) -> cv.Bool:
    """Where the positions lie inside the picture."""
    side = field.shape[0]
    return np.asarray(((field >= 0) & (field <= side - 1)).all(-1))

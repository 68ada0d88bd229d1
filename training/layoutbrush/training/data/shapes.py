"""Random masks: brush strokes, blobs, ragged edges."""

from __future__ import annotations

import math

import numpy as np

from layoutbrush.training.data import cv
from layoutbrush.training.data.cv import Bool


def brush(rng: np.random.Generator, side: int, area: float) -> Bool:
    """Thick strokes of a wandering brush that cover about `area` (share) of a side x side canvas."""
    canvas = np.zeros((side, side), np.uint8)
    thickness = int(side * math.sqrt(area) * rng.uniform(0.3, 0.75))
    x, y = rng.uniform(0.1, 0.9, 2) * side
    heading = rng.uniform(0, 2 * math.pi)
    for _ in range(24):
        step = rng.uniform(0.1, 0.3) * side
        heading += rng.normal(0, 0.9)
        nx, ny = x + step * math.cos(heading), y + step * math.sin(heading)
        if not (0 <= nx < side and 0 <= ny < side):
            heading += math.pi * rng.uniform(0.6, 1.4)
            continue
        cv.draw_line(canvas, (int(x), int(y)), (int(nx), int(ny)), max(2, thickness))
        x, y = nx, ny
        if canvas.mean() >= area:
            break
    return canvas.astype(np.bool_)


def blob(rng: np.random.Generator, side: int, area: float) -> Bool:
    """A star-shaped smooth blob of about `area` (share) of a side x side canvas."""
    cells = 64
    rows, cols = np.mgrid[0:cells, 0:cells].astype(np.float32)
    y, x = rng.uniform(0.2, 0.8, 2) * cells
    aspect, tilt = rng.uniform(0.6, 1.6), rng.uniform(0, math.pi)
    u = (cols - x) * math.cos(tilt) + (rows - y) * math.sin(tilt)
    v = (rows - y) * math.cos(tilt) - (cols - x) * math.sin(tilt)
    angle, radius = np.arctan2(v, u * aspect), np.hypot(v, u * aspect)
    outline = np.ones_like(angle)
    for k in range(2, 6):
        outline += rng.normal(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
    ratio = radius / np.maximum(outline, 0.2)
    bound = np.partition(ratio.ravel(), int(area * ratio.size))[int(area * ratio.size)]
    field = cv.resize_field((bound - ratio).astype(np.float32), side)
    return np.asarray(field > 0)


def smooth_noise(rng: np.random.Generator, side: int, cells: int, channels: int) -> cv.Float:
    """(side, side, channels) float32 noise of about unit variance whose features are side / cells pixels wide."""
    return cv.smooth_field(rng.standard_normal((cells, cells, channels), np.float32), side).reshape(
        side, side, channels
    )

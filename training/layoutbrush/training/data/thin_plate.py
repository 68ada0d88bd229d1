"""Thin-plate splines (Bookstein 1989): the smoothest field through the given displacements of control points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from layoutbrush.training.data.cv import Float


@lru_cache(maxsize=32)
def spline_matrix(cells: int, grid: int) -> Float:
    """What control points on a regular cells x cells grid over the unit square do to a grid x grid of places.

    Returns (grid * grid, cells * cells) float32, read only: times the displacements of the control points, row by
    row, it gives those of the places. The spline's system depends on the points alone, so it is solved once.
    """
    points, places = _lattice(cells), _lattice(grid)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(points, points)
    system[:count, count:] = _affine(points)
    system[count:, :count] = _affine(points).T
    weights = np.linalg.inv(system)[:, :count]  # (count + 3, count)
    matrix = np.concatenate([_kernel(places, points), _affine(places)], 1) @ weights
    matrix = np.ascontiguousarray(matrix, np.float32)
    matrix.setflags(write=False)
    return matrix


def _lattice(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rows, cols = np.mgrid[0:count, 0:count] / max(count - 1, 1)
    return np.stack([cols.ravel(), rows.ravel()], -1)


def _kernel(
    a: np.ndarray[tuple[int, ...], np.dtype[np.float64]], b: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """U(r) = r^2 log r^2, 0 at r = 0."""
    square = np.square(a[:, None] - b[None]).sum(-1)
    return np.asarray(square * np.log(np.maximum(square, 1e-300)))


def _affine(
    a: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.concatenate([np.ones((len(a), 1)), a], 1)

"""Thin-plate splines: exact at the control points, exact for affine moves, and the smoothest in between."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="making tasks needs opencv")

from layoutbrush.training.data import transforms
from layoutbrush.training.data.thin_plate import spline_matrix


@pytest.mark.parametrize("cells", [3, 4, 5])
def test_control_points_move_as_told(cells: int) -> None:
    moves = np.random.default_rng(0).standard_normal((cells * cells, 2)).astype(np.float32)
    places = spline_matrix(cells, 4 * (cells - 1) + 1) @ moves
    grid = places.reshape(4 * (cells - 1) + 1, -1, 2)[::4, ::4].reshape(-1, 2)
    np.testing.assert_allclose(grid, moves, atol=1e-4)


def test_affine_moves_stay_affine() -> None:
    rows, cols = np.mgrid[0:4, 0:4] / 3
    moves = (0.3 * cols - 0.7 * rows + 0.1).reshape(-1, 1).astype(np.float32)
    rows, cols = np.mgrid[0:13, 0:13] / 12
    wanted = (0.3 * cols - 0.7 * rows + 0.1).reshape(-1, 1)
    np.testing.assert_allclose(spline_matrix(4, 13) @ moves, wanted, atol=1e-4)


def test_bend_is_repeatable_smooth_and_not_the_identity() -> None:
    first, again = (transforms.random_bend(np.random.default_rng(5), 96) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    moved = first - transforms.identity(96)
    assert 0.5 < np.abs(moved).max() < 48
    assert np.abs(np.diff(moved, axis=0)).max() < 1.0  # no fold: neighbours keep their order

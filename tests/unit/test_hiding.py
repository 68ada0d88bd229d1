"""A photo without what a mask hides: what stays, what stands there instead."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.pipeline.hiding import without


@pytest.mark.parametrize("shape", [(60, 80), (37, 61), (1, 9)])
def test_nothing_of_what_is_hidden_is_left_and_all_else_stays(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*shape, 3), np.uint8)
    hidden = np.zeros(shape, np.bool_)
    hidden[:, shape[1] // 3 : 2 * shape[1] // 3] = True
    found = without(photo, hidden)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[~hidden], photo[~hidden])
    other = np.where(hidden[..., None], 255 - photo, photo)
    np.testing.assert_array_equal(without(other, hidden), found)
    np.testing.assert_array_equal(without(photo, np.zeros(shape, np.bool_)), photo)


def test_the_colours_are_those_of_the_nearer_side_without_an_edge() -> None:
    photo = np.zeros((64, 128, 3), np.uint8)
    photo[:, :64] = (200, 40, 90)
    photo[:, 64:] = (20, 160, 30)
    hidden = np.zeros((64, 128), np.bool_)
    hidden[16:48, 32:96] = True
    found = without(photo, hidden).astype(int)
    middle = found[32]
    assert np.abs(middle[34] - (200, 40, 90)).max() <= 12
    assert np.abs(middle[93] - (20, 160, 30)).max() <= 12
    assert np.abs(np.diff(middle[32:96], axis=0)).max() <= 30  # a blur: the photo's own edge is of 180


def test_a_photo_hidden_as_a_whole_is_black() -> None:
    photo = np.full((20, 30, 3), 77, np.uint8)
    assert not without(photo, np.ones((20, 30), np.bool_)).any()

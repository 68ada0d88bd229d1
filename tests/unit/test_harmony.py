"""Harmony: a seam goes away, detail stays, other labels and pixels outside are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.pipeline.harmony import doubt, harmonised
from layoutbrush.runtime.pipeline.scene import Scene
from layoutbrush.runtime.pipeline.task import Task

SHAPE = (70, 90)
ALL = np.ones(SHAPE, np.float32)
"""All of the difference is taken away."""


def example() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A photo with a slow gradient, a mask inside, and one label."""
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    image = np.stack([0.2 + rows / 200, 0.3 + columns / 300, np.full(SHAPE, 0.4)]).astype(np.float32)
    mask = np.zeros(SHAPE, np.bool_)
    mask[20:50, 25:65] = True
    labels = np.zeros(SHAPE, np.int32)
    return image, mask, labels, np.ones(SHAPE, np.bool_)


def test_a_picture_without_a_seam_stays() -> None:
    image, mask, labels, source = example()
    found = harmonised(image, image, mask, labels, labels, source, ALL)
    assert np.abs(found - image).max() < 0.03
    np.testing.assert_array_equal(found[:, ~mask], image[:, ~mask])


def test_a_uniform_shift_is_taken_away_and_detail_stays() -> None:
    image, mask, labels, source = example()
    image[:] = 0.5
    detail = np.random.default_rng(0).normal(0, 0.02, image.shape).astype(np.float32)
    picture = np.where(mask, image + detail + np.float32(0.2), image)
    found = harmonised(picture, image, mask, labels, labels, source, ALL)
    left = (found - image - detail)[:, mask]
    assert np.abs(left).mean() < 0.03
    np.testing.assert_array_equal(found[:, ~mask], image[:, ~mask])


def test_a_share_is_taken_away() -> None:
    image, mask, labels, source = example()
    image[:] = 0.5
    picture = np.where(mask, np.float32(0.7), image)
    found = harmonised(picture, image, mask, labels, labels, source, np.float32(0.5) * ALL)
    assert np.abs(found[:, mask] - 0.6).max() < 0.01


def test_a_difference_within_the_texture_is_no_seam() -> None:
    image, mask, labels, source = example()
    random = np.random.default_rng(0)
    image[:] = 0.5 + random.normal(0, 0.15, image.shape)
    picture = np.where(mask, 0.5 + random.normal(0, 0.15, image.shape), image).astype(np.float32)
    shift = harmonised(picture, image, mask, labels, labels, source, ALL) - picture
    assert np.abs(shift).mean() < 0.01


def test_labels_are_barriers() -> None:
    image, mask, labels, source = example()
    edited = labels.copy()
    edited[mask] = 4  # nothing outside has this label
    picture = np.where(mask, np.float32(0.9), image)
    np.testing.assert_array_equal(harmonised(picture, image, mask, labels, edited, source, ALL), picture)


def test_what_is_thrown_away_is_not_compared() -> None:
    image, mask, labels, source = example()
    image[:] = 0.5
    image[:, :, :25] = 1.0
    source[:, :25] = False
    picture = np.where(mask, np.float32(0.5), image)
    found = harmonised(picture, image, mask, labels, labels, source, ALL)
    assert np.abs(found[:, mask] - 0.5).max() < 0.01


def test_a_mask_over_everything_has_no_rim() -> None:
    image, _, labels, source = example()
    picture = image[:, ::-1].copy()
    everywhere = np.ones(SHAPE, np.bool_)
    np.testing.assert_array_equal(harmonised(picture, image, everywhere, labels, labels, source, ALL), picture)


def test_where_the_warp_is_sure_nothing_is_added() -> None:
    image, mask, labels, source = example()
    image[:] = 0.5
    picture = np.where(mask, np.float32(0.7), image)
    found = harmonised(picture, image, mask, labels, labels, source, doubt(ALL, mask))
    np.testing.assert_array_equal(found, picture)
    unsure = harmonised(picture, image, mask, labels, labels, source, doubt(ALL * np.float32(0.9), mask))
    np.testing.assert_array_equal(unsure, harmonised(picture, image, mask, labels, labels, source, ALL))


def test_the_doubt_is_local() -> None:
    _, mask, _, _ = example()
    confidence = np.ones(SHAPE, np.float32)
    confidence[:, 45:] = 0.9
    found = doubt(confidence, mask)
    assert found.shape == SHAPE
    assert found[20:50, 25:36].max() < 0.15
    assert found[20:50, 54:65].min() > 0.85
    assert 0 <= found.min() <= found.max() <= 1


def test_what_the_warp_is_sure_of_is_repainted_least() -> None:
    _, mask, _, _ = example()
    unsure = np.where(np.arange(SHAPE[1]) < 45, np.float32(0), np.float32(1)) * np.ones(SHAPE, np.float32)
    whole = Bounds(0, 0, SHAPE[1], SHAPE[0])
    labels = np.zeros((1, *SHAPE), np.int32)
    scene = Scene(whole, whole.extent, whole.extent, np.zeros((1, 3, *SHAPE), np.float32), labels, {})
    nothing: Any = None  # the request is not looked at
    task = Task(nothing, nothing, scene, labels, mask[None], ~mask[None], whole)
    painted, warped = np.ones((1, 3, *SHAPE), np.float32), np.zeros((1, 3, *SHAPE), np.float32)
    found = task.settled(painted, warped, np.float32(0.5) * (1 - unsure))[0, 0]
    assert (found[20:50, 25:45] == 0.5).all()
    assert (found[20:50, 45:65] == 1).all()
    assert (found[~mask] == 1).all()

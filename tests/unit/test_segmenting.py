"""Segmentation in two looks: sizes, mirroring, votes, panoramas and large photos."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.pipeline.segmenting import LOOKS, segment_photo


class Script:
    """A network that finds 5 where the photo is bright, 1 elsewhere, and remembers what it was shown."""

    def __init__(self, sure: tuple[float, ...] = (0.9, 0.9)) -> None:
        self.shown: list[NDArray[np.float32]] = []
        self.sure = sure

    def __call__(self, image: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        self.shown.append(image)
        labels = np.where(image[0].mean(0) > 0.5, 5, 1).astype(np.int32)
        return labels, np.full(labels.shape, self.sure[len(self.shown) - 1], np.float32)


def lit(width: int, height: int) -> NDArray[np.uint8]:
    """Dark, but for the right third."""
    photo = np.zeros((height, width, 3), np.uint8)
    photo[:, 2 * width // 3 :] = 255
    return photo


@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (481, 321), (37, 61), (2000, 90), (3000, 2000)])
def test_labels_lie_where_the_photo_has_them(width: int, height: int) -> None:
    photo, run = lit(width, height), Script()
    labels, sure = segment_photo(photo, run, 16, 64)
    assert labels.dtype == np.uint8
    assert labels.shape == sure.shape == (height, width)
    wrong = labels != np.where(photo[..., 0] > 0, 5, 1)
    assert wrong.mean() < 0.01
    assert np.abs(np.nonzero(wrong)[1] - 2 * width // 3).max(initial=0) <= max(2, width // 250)
    assert np.median(sure) == pytest.approx(0.9)
    assert all(side % 16 == 0 and side >= 64 for image in run.shown for side in image.shape[2:])


def test_the_looks_are_of_the_stated_sizes_and_one_is_mirrored() -> None:
    run = Script()
    segment_photo(lit(800, 600), run, 16, 64)
    assert [image.shape[3] for image in run.shown] == [side for side, _ in LOOKS]
    assert [bool(image[0, 0, 0, 0] > 0.5) for image in run.shown] == [mirrored for _, mirrored in LOOKS]
    assert [mirrored for _, mirrored in LOOKS] == [False, True]


def test_small_photos_are_not_enlarged_beyond_twice() -> None:
    run = Script()
    segment_photo(lit(100, 80), run, 16, 64)
    assert {image.shape[2:] for image in run.shown} == {(160, 208)}


def test_the_surer_look_wins_where_they_differ() -> None:
    class Torn(Script):
        def __call__(self, image: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
            labels, confidence = super().__call__(image)
            return np.full_like(labels, len(self.shown)), confidence

    for sure, winner in (((0.9, 0.4), 1), ((0.4, 0.9), 2)):
        labels, confidence = segment_photo(lit(320, 240), Torn(sure), 16, 64)
        assert (labels == winner).all()
        assert np.allclose(confidence, 0.45)


def test_segmentation_is_cancelled_between_looks() -> None:
    run = Script()
    with pytest.raises(Cancelled):
        segment_photo(lit(320, 240), run, 16, 64, lambda: len(run.shown) == 1)
    assert len(run.shown) == 1


@pytest.mark.parametrize(("width", "height"), [(320, 240), (3000, 2000), (2000, 90)])
def test_what_is_hidden_is_not_looked_at(width: int, height: int) -> None:
    photo, plain, run, blind = lit(width, height), Script(), Script(), Script()
    hidden = np.zeros((height, width), np.bool_)
    hidden[height // 4 : height // 2, width // 8 : width // 4] = True
    spoilt = photo.copy()
    spoilt[hidden] = 255
    assert (segment_photo(spoilt, plain, 16, 64)[0][hidden] == 5).mean() > 0.9
    labels, _ = segment_photo(spoilt, run, 16, 64, hidden=hidden)
    assert labels.shape == (height, width)
    assert (labels[hidden] == 1).all()
    segment_photo(photo, blind, 16, 64, hidden=hidden)
    for one, other in zip(run.shown, blind.shown, strict=True):
        np.testing.assert_array_equal(one, other)

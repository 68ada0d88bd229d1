"""Where the refiner is lost, the warp's detail stays, with the refiner's light and colour."""

from __future__ import annotations

import numpy as np

from layoutbrush.runtime.pipeline.detail import KNOWN, LOST, lost, with_detail


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """A refined picture of bright bricks, and a dark warp of fine noise."""
    rows, columns = np.mgrid[0:64, 0:96]
    bricks = 0.6 + 0.1 * ((rows // 2 + columns // 4) % 2)
    noise = 0.3 + 0.1 * np.random.default_rng(3).standard_normal((64, 96))
    return planes(bricks), planes(noise)


def planes(plane: np.ndarray) -> np.ndarray:
    return np.stack([plane] * 3)[None].astype(np.float32)


def test_detail_is_the_warps_and_light_the_refiners() -> None:
    refined, warped = pictures()
    mixed = with_detail(refined, warped, np.ones((64, 96), np.float32))
    inner = mixed[0, 0, 8:-8, 8:-8]
    assert abs(float(inner.mean() - refined.mean())) < 0.02
    assert np.corrcoef(inner.ravel(), warped[0, 0, 8:-8, 8:-8].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(inner.ravel(), refined[0, 0, 8:-8, 8:-8].ravel())[0, 1]) < 0.3


def test_share_says_where_and_how_much() -> None:
    refined, warped = pictures()
    share = np.zeros((64, 96), np.float32)
    assert with_detail(refined, warped, share) is refined
    share[:, 48:] = 0.5
    mixed = with_detail(refined, warped, share)
    np.testing.assert_array_equal(mixed[..., :48], refined[..., :48])
    whole = with_detail(refined, warped, np.ones_like(share))
    np.testing.assert_allclose(mixed[..., 48:], (refined + whole)[..., 48:] / 2, atol=1e-6)
    assert whole.min() >= 0 and whole.max() <= 1


def test_same_pictures_stay() -> None:
    refined, _ = pictures()
    np.testing.assert_allclose(with_detail(refined, refined, np.ones((64, 96), np.float32)), refined, atol=1e-6)


def test_lost_is_told_by_scores() -> None:
    mask = np.ones((32, 64), np.bool_)
    for score, found in ((1.0, 0.0), (KNOWN, 0.0), ((KNOWN + LOST) / 2, 0.5), (LOST, 1.0), (0.3, 1.0)):
        np.testing.assert_allclose(lost(np.full((32, 64), score, np.float32), mask), found, atol=1e-4)

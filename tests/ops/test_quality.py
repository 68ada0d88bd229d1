"""How near the searches come to exact nearest neighbours, on a scene small enough to search exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.ops import native, reference
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING
from layoutbrush.runtime.ops.scenes import Scene, exact_best, make_scene

SIDE = 96
ATTRIBUTES: dict[str, Any] = {
    "particles": 4, "windows": [0, 24, 12, 6, 3, 2], "samples": 4, "strides": [1, 16, 8, 4, 2, 1],
    "label_penalty": 0.3, "scale": 127 / 0.45,
}  # fmt: skip
FLOOD_SHORTFALL = 0.02  # of the jump flood, which is not held to the contract's figure for `fast`

needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(SIDE, SIDE, 32)


@pytest.fixture(scope="module")
def exact(scene: Scene) -> float:
    every = np.arange(SIDE * SIDE)
    return float(exact_best(scene, every, label_penalty=0.3, scale=127 / 0.45).mean())


def _best(module: Any, scene: Scene, **changes: Any) -> np.ndarray:
    arrays = (scene.query, scene.key, scene.query_labels, scene.key_labels)
    _, scores = module.key_index_sampling(*arrays, **ATTRIBUTES | changes)
    best: np.ndarray = scores[0, -1, ..., 0]
    return best


@needs_native
def test_fast_finds_nearly_the_nearest(scene: Scene, exact: float) -> None:
    allowed = KEY_INDEX_SAMPLING.tolerances["fast"]["mean_best_below_exact"]
    assert _best(native, scene, schedule="fast").mean() >= (1 - allowed) * exact


def test_the_jump_flood_comes_close(scene: Scene, exact: float) -> None:
    best = _best(reference, scene, schedule="jump_flood").mean()
    assert (1 - FLOOD_SHORTFALL) * exact <= best <= exact + 1e-5


@needs_native
def test_fast_inside_a_mask_is_as_good(scene: Scene) -> None:
    mask = scene.rectangle(0.3)
    alone = _best(native, scene, schedule="fast", query_mask=mask)[mask[0]]
    together = _best(native, scene, schedule="fast")[mask[0]]
    assert alone.mean() >= 0.99 * together.mean()


@needs_native
def test_more_iterations_never_lower_a_score(scene: Scene) -> None:
    arrays = (scene.query, scene.key, scene.query_labels, scene.key_labels)
    for schedule in ("fast", "jump_flood"):
        _, scores = native.key_index_sampling(*arrays, **ATTRIBUTES | {"keep": 6, "schedule": schedule})
        assert (np.diff(scores[0], axis=0) >= 0).all()


@needs_native
def test_a_coarse_start_is_taken(scene: Scene, exact: float) -> None:
    """Coarse to fine (claim 3): from keys found before, two iterations are enough."""
    arrays = (scene.query, scene.key, scene.query_labels, scene.key_labels)
    keys, _ = native.key_index_sampling(*arrays, **ATTRIBUTES)
    short = {"windows": [0, 2], "strides": [1, 1]}
    from_start = _best(native, scene, **short, init=np.ascontiguousarray(keys[:, -1]))
    from_nothing = _best(native, scene, **short)
    assert from_start.mean() > 0.99 * exact
    assert from_nothing.mean() < from_start.mean()

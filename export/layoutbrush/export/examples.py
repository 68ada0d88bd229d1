"""Example inputs of the graphs: a made-up photo with a label map, and an edit of it; the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.bundle import UNKNOWN_LABEL
from layoutbrush.runtime.engines import Array

Floats = NDArray[np.float32]


def edit_example(batch: int, height: int, width: int, labels: int, seed: int = 0) -> dict[str, Array]:
    """Everything of an edit that no graph makes, as the graphs take it (see `graphs`); the view is the whole photo.

    The photo has a colour and a texture of its own for each region; one region grows into its neighbours, a few pixels
    are unknown, and what was there may not be copied.
    """
    rng = np.random.default_rng(seed)
    image, layout, edited = (
        np.stack(parts) for parts in zip(*(_scene(rng, height, width, labels) for _ in range(batch)), strict=True)
    )
    mask = layout != edited
    return {
        "image": image,
        "layout": layout,
        "edited": edited,
        "mask": mask,
        "source": ~mask,
        "seed": np.array([seed], np.int32),
        "picture": image,
        "known": ~mask,
        "place": np.array([0, 0, 1, 1], np.float32),
    }


def windowed(example: Mapping[str, Array], spare: int = 16) -> dict[str, Array]:
    """An edit whose view is a part of the photo: `spare` rows fewer above, twice as many columns fewer at the left."""
    height, width = example["picture"].shape[2:]
    top, left = spare, 2 * spare
    parts: dict[str, Array] = {
        name: np.ascontiguousarray(example[name][..., top:, left:]) for name in ("picture", "edited", "mask", "known")
    }
    place: Array = np.array([top / height, left / width, 1, 1], np.float32)
    return {**example, **parts, "place": place}


def _scene(
    rng: np.random.Generator, height: int, width: int, labels: int
) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
    """One photo (3, H, W), its layout and the edited one (H, W)."""
    regions = 6
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    centres = rng.random((regions, 2)) * [height, width] / max(height, width)
    distances = np.hypot(rows - centres[:, :1, None], columns - centres[:, 1:, None])  # (regions, H, W)
    ids = rng.integers(0, labels, regions).astype(np.int32)
    ids[-1] = UNKNOWN_LABEL
    distances[-1] += 0.15  # unknown pixels are few
    region = distances.argmin(axis=0)
    distances[0] -= 0.12  # the first region grows
    grown = distances.argmin(axis=0)
    return _painted(rng, region, rows, columns), ids[region], ids[grown]


def _painted(
    rng: np.random.Generator, region: NDArray[np.int64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> Floats:
    """Each region in its colour, with waves of its own direction and length, and a little noise."""
    count = int(region.max()) + 1
    colors = rng.uniform(0.2, 0.8, (count, 3))
    turns = rng.uniform(0, np.pi, count)
    lengths = rng.uniform(20, 90, count)
    phase = (np.cos(turns[region]) * columns + np.sin(turns[region]) * rows) * lengths[region]
    texture = 0.12 * np.sin(phase) + 0.03 * rng.standard_normal(region.shape)
    painted = colors[region] + texture[..., None]
    return np.ascontiguousarray(painted.clip(0, 1).transpose(2, 0, 1).astype(np.float32))

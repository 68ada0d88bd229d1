"""Coherent correspondences: fewer, larger pieces that look the same and break no rule."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.ops import carrying
from layoutbrush.runtime.pipeline.coherence import Field, coherent, packed_index

SHAPE = (40, 48)


def identity() -> np.ndarray:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.int32)
    return np.asarray(rows << 16 | columns, np.int32)


def field(picture: np.ndarray, image: np.ndarray, mask: np.ndarray, source: np.ndarray | None = None) -> Field:
    labels = np.zeros(SHAPE, np.int32)
    return Field(picture, image, labels, labels, mask, np.ones(SHAPE, np.bool_) if source is None else source)


def pieces(keys: np.ndarray, mask: np.ndarray) -> int:
    """Neighbouring masked pixels with another offset."""
    offset = keys - identity()
    across = (offset[:, 1:] != offset[:, :-1]) & mask[:, 1:] & mask[:, :-1]
    down = (offset[1:] != offset[:-1]) & mask[1:] & mask[:-1]
    return int(across.sum() + down.sum())


def example() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A texture of period 8, a mask in the middle, and keys that are right but jump between equal places."""
    random = np.random.default_rng(0)
    tile = random.random((3, 8, 8)).astype(np.float32)
    image = np.tile(tile, (1, SHAPE[0] // 8, SHAPE[1] // 8))
    mask = np.zeros(SHAPE, np.bool_)
    mask[12:28, 14:34] = True
    keys = identity()
    rows, columns = np.nonzero(mask)
    y = rows % 8 + 8 * random.integers(0, SHAPE[0] // 8, rows.size)
    x = columns % 8 + 8 * random.integers(0, SHAPE[1] // 8, rows.size)
    keys[rows, columns] = y << 16 | x
    return image, mask, keys, tile


def test_jumps_between_equal_places_go_away() -> None:
    image, mask, keys, _ = example()
    found = coherent(keys, field(image, image, mask))
    assert pieces(found, mask) < 0.2 * pieces(keys, mask)
    copied = image.reshape(3, -1)[:, packed_index(found, SHAPE[1])]
    assert np.abs(copied - image)[:, mask].mean() < 0.1
    np.testing.assert_array_equal(found[~mask], keys[~mask])


def test_a_coherent_correspondence_stays() -> None:
    image, mask, _, _ = example()
    keys = identity()
    keys[mask] += 8 << 16
    np.testing.assert_array_equal(coherent(keys, field(image, image, mask)), keys)


def test_forbidden_sources_and_labels_are_never_adopted() -> None:
    image, mask, keys, _ = example()
    source = np.random.default_rng(1).random(SHAPE) < 0.7
    layout = np.random.default_rng(2).integers(0, 2, SHAPE).astype(np.int32)
    edited = np.zeros(SHAPE, np.int32)
    edited[:, 24:] = 1
    rules = Field(image, image, layout, edited, mask, source)
    found = coherent(keys, rules)
    moved = mask & (found != keys)
    assert moved.any()
    index = packed_index(found[moved], SHAPE[1])
    assert source.reshape(-1)[index].all()
    np.testing.assert_array_equal(layout.reshape(-1)[index], edited[moved])


def test_the_same_again_and_a_full_mask() -> None:
    image, _, keys, _ = example()
    full = field(image, image, np.ones(SHAPE, np.bool_))
    np.testing.assert_array_equal(coherent(keys, full), coherent(keys, full))
    assert coherent(keys, full).dtype == np.int32


@pytest.mark.skipif(not carrying.available(), reason="the native library isn't installed: a pure wheel")
@pytest.mark.parametrize("seed", range(4))
def test_native_and_numpy_agree_bit_for_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    image = np.kron(random.random((3, 9, 8)), np.ones((1, 7, 7))).astype(np.float32)  # another size than the view's
    height, width = image.shape[1:]
    picture = random.random((3, *SHAPE)).astype(np.float32) * 0.2 + image[:, : SHAPE[0], : SHAPE[1]] * 0.8
    keys = (random.integers(0, height, SHAPE) << 16 | random.integers(0, width, SHAPE)).astype(np.int32)
    rules = Field(
        picture=np.asarray(picture, np.float32),
        image=image,
        layout=random.integers(0, 2, (height, width)).astype(np.int32),
        edited=random.choice([0, 0, 1, 255], SHAPE).astype(np.int32),
        mask=random.random(SHAPE) < 0.8,
        source=random.random((height, width)) < 0.9,
    )
    found = coherent(keys, rules, native=True)
    assert (found != keys).any()
    np.testing.assert_array_equal(found, coherent(keys, rules, native=False))

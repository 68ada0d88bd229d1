"""A made-up pair of feature maps for benchmarks and quality tests, and its exact nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layoutbrush.runtime.ops.arguments import F32, I32, Mask
from layoutbrush.runtime.ops.reference import quantise


@dataclass(frozen=True)
class Scene:
    """A photo's keys and the queries of an edited layout: segments moved about, bent, and disturbed."""

    query: F32  # (1, H, W, C) unit vectors
    key: F32  # (1, H, W, C) unit vectors
    query_labels: I32  # (1, H, W)
    key_labels: I32  # (1, H, W)

    def rectangle(self, share: float) -> Mask:
        """(1, H, W) mask of a centred rectangle that covers this share of the queries."""
        _, height, width = self.query_labels.shape
        h, w = round(height * share**0.5), round(width * share**0.5)
        mask = np.zeros((1, height, width), bool)
        top, left = (height - h) // 2, (width - w) // 2
        mask[:, top : top + h, left : left + w] = True
        return mask


def make_scene(height: int, width: int, channels: int, *, labels: int = 8, noise: float = 0.3, seed: int = 0) -> Scene:
    """Smooth random features over several octaves; the queries are the keys seen through a bent, broken-up mirror of
    shifts, with `noise` (relative to the features) added."""
    rng = np.random.default_rng(seed)
    key = np.zeros((height, width, channels), np.float32)
    for octave in range(1, int(np.log2(max(4, min(height, width))))):
        key += _field(rng, height, width, channels, 2**octave) * np.float32(0.8**octave)
    key /= np.linalg.norm(key, axis=-1, keepdims=True)
    key_labels = np.argmax(_field(rng, height, width, labels, 6), axis=-1).astype(np.int32)
    jumps = np.round(_field(rng, height, width, 2, 3) * 1.5) * (min(height, width) / 8)
    bend = _field(rng, height, width, 2, 4) * 4 + jumps
    y, x = np.mgrid[:height, :width]
    sy = np.clip(y + np.rint(bend[..., 0]).astype(int), 0, height - 1)
    sx = np.clip(x + np.rint(bend[..., 1]).astype(int), 0, width - 1)
    query = key[sy, sx] + rng.standard_normal(key.shape, np.float32) * np.float32(noise / channels**0.5)
    query /= np.linalg.norm(query, axis=-1, keepdims=True)
    return Scene(query[None], key[None], key_labels[sy, sx][None], key_labels[None])


def exact_best(scene: Scene, queries: np.ndarray, *, label_penalty: float, scale: float) -> F32:
    """Score of the best of all keys for these queries (indices y * W + x), by the op's own scoring."""
    channels = scene.query.shape[3]
    query = quantise(scene.query, scale).reshape(-1, channels)[queries]
    key = quantise(scene.key, scale).reshape(-1, channels)
    query_labels, key_labels = scene.query_labels.reshape(-1)[queries], scene.key_labels.reshape(-1)
    best = np.full(len(queries), -np.inf, np.float32)
    for start in range(0, len(key), 8192):
        part = slice(start, start + 8192)
        score = query @ key[part].T / np.float32(scale * scale)
        score -= np.float32(label_penalty) * (query_labels[:, None] != key_labels[None, part])
        np.maximum(best, score.max(axis=1), out=best)
    return best


def _field(rng: np.random.Generator, height: int, width: int, channels: int, cells: int) -> F32:
    """Gaussian noise on a grid of `cells` a side, interpolated to (height, width, channels)."""
    coarse = rng.standard_normal((cells + 1, cells + 1, channels)).astype(np.float32)
    for axis, size in ((0, height), (1, width)):
        at = np.linspace(0, cells, size, dtype=np.float32)
        low = np.minimum(at.astype(int), cells - 1)
        shape = [1, 1, 1]
        shape[axis] = size
        part = (at - low).reshape(shape)
        coarse = np.take(coarse, low, axis) * (1 - part) + np.take(coarse, low + 1, axis) * part
    return coarse.astype(np.float32)

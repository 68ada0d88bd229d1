"""Both ops in NumPy: the norm that every backend is compared with. Written to be read, and vectorised over queries.

Coordinates are packed int32, `y << 16 | x`. Sizes as in `arguments`. KeyIndexSampling here is the jump flood; the
schedule "fast" takes it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops import hashing
from layoutbrush.runtime.ops.arguments import (
    F32,
    FILLER_SCORE,
    I32,
    Mask,
    Sampling,
    check_sampling,
    integer_penalty,
    score_unit,
)
from layoutbrush.runtime.ops.reference_warp import sparse_attention_warp, sparse_attention_warp_backward

__all__ = ["key_index_sampling", "quantise", "sparse_attention_warp", "sparse_attention_warp_backward"]

I64 = NDArray[np.int64]
_FILLER = -(2**31)  # integer score of an empty slot, below every key's


def key_index_sampling(
    query: F32,
    key: F32,
    query_labels: I32,
    key_labels: I32,
    *,
    query_mask: Mask | None = None,
    key_mask: Mask | None = None,
    init: I32 | None = None,
    seed: int = 0,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int = 1,
    label_penalty: float,
    scale: float,
    ignore_label: int = 255,
    keep: int = 1,
    schedule: str = "fast",
) -> tuple[I32, F32]:
    """KeyIndexSampling (Algorithm 1 of US 11,636,570 B2) by jump flooding.

    Takes query (B, H, W, C) and key (B, Hk, Wk, C) float32, their labels (B, H, W) and (B, Hk, Wk) int32, optional
    masks of the same grids (bool), init (B, H, W, L) packed int32; attributes as in key_index_sampling.toml.
    Gives keys (B, K, H, W, M) packed int32, best first, and scores (B, K, H, W, M) float32. Raises OpError.
    """
    call = check_sampling(
        query, key, query_labels, key_labels, query_mask=query_mask, key_mask=key_mask, init=init, seed=seed,
        particles=particles, windows=windows, samples=samples, strides=strides, propagations=propagations,
        label_penalty=label_penalty, scale=scale, ignore_label=ignore_label, keep=keep, schedule=schedule,
    )  # fmt: skip
    batch, height, width, _ = call.query.shape
    keys = np.zeros((batch, call.keep, height, width, call.particles), np.int32)
    scores = np.zeros(keys.shape, np.float32)
    for b in range(batch):
        for i, state in enumerate(_Search(call, b).iterations()):
            if (slot := i - (len(call.windows) - call.keep)) >= 0:
                _write(state, call, b, keys[b, slot], scores[b, slot])
    return keys, scores


def quantise(features: F32, scale: float) -> NDArray[np.float32]:
    """Features as the integers -127..127 that are scored, held in float32: sums of their products are exact there."""
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.clip(np.rint(features * np.float32(scale)), -127, 127)
    return np.where(np.isnan(features), np.float32(0), rounded)


def _write(state: I64, call: Sampling, b: int, keys: I32, scores: F32) -> None:
    """Turns a state (Q, M) into the outputs (H, W, M) of one iteration."""
    height, width, particles = keys.shape
    packed, score = _packed(state), state >> 32
    value = np.where(score == _FILLER, FILLER_SCORE, score.astype(np.float32) * score_unit(call.scale))
    keys[:] = packed.reshape(height, width, particles)
    scores[:] = value.reshape(height, width, particles)
    if call.query_mask is not None:
        masked_out = ~call.query_mask[b]
        keys[masked_out] = _own(height, width, *call.key.shape[1:3]).reshape(height, width, 1)[masked_out]
        scores[masked_out] = 0.0


def _own(height: int, width: int, key_height: int, key_width: int) -> I64:
    """Packed coordinate of each query, clamped into the key grid: (Q,)."""
    y, x = np.divmod(np.arange(height * width, dtype=np.int64), width)
    return np.minimum(y, key_height - 1) << 16 | np.minimum(x, key_width - 1)


def _ranked(score: I64, packed: I64) -> I64:
    """Score and coordinate as one number, larger is better: score descending, then packed coordinate ascending."""
    return (score << 32) | (packed ^ 0xFFFFFFFF)


def _packed(ranked: I64) -> I64:
    return (ranked & 0xFFFFFFFF) ^ 0xFFFFFFFF


class _Search:
    """The jump flood on one batch element. A state is (Q, M) ranked particles, Q = H * W queries, best first."""

    def __init__(self, call: Sampling, b: int) -> None:
        self.call = call
        _, self.height, self.width, channels = call.query.shape
        self.key_height, self.key_width = call.key.shape[1:3]
        self.queries = np.arange(self.height * self.width, dtype=np.int64)
        self.query = quantise(call.query[b], call.scale).reshape(-1, channels)
        self.key = quantise(call.key[b], call.scale).reshape(-1, channels)
        self.query_labels, self.key_labels = call.query_labels[b].reshape(-1), call.key_labels[b].reshape(-1)
        self.query_mask = None if call.query_mask is None else call.query_mask[b]
        self.key_mask = None if call.key_mask is None else call.key_mask[b].reshape(-1)
        self.init = None if call.init is None else call.init[b].reshape(self.queries.size, -1)
        self.penalty = integer_penalty(call.label_penalty, call.scale)
        own = _own(self.height, self.width, self.key_height, self.key_width)
        self.filler = _ranked(np.full_like(own, _FILLER), own)  # (Q,)

    def iterations(self) -> Iterator[I64]:
        """The state after each iteration."""
        state = self._start()
        yield state
        for i in range(1, len(self.call.windows)):
            for p in range(self.call.propagations):
                candidates = list(self._propagated(state, self.call.strides[i * self.call.propagations + p]))
                if p == 0:
                    candidates += self._sampled(state, i)
                state = self._best([*state.T, *candidates])
            yield state

    def _start(self) -> I64:
        candidates = []
        if self.init is not None:
            candidates += [self._scored(packed >> 16, packed & 0xFFFF) for packed in self.init.T.astype(np.int64)]
        stream = hashing.iteration_stream(self.call.seed, 0)
        for j in range(self.call.particles):
            x = hashing.below(hashing.random(stream, self.queries, 2 * j), self.key_width)
            y = hashing.below(hashing.random(stream, self.queries, 2 * j + 1), self.key_height)
            candidates.append(self._scored(y, x))
        return self._best(candidates)

    def _sampled(self, state: I64, iteration: int) -> list[I64]:
        window = self.call.windows[iteration]
        if window == 0:
            return []
        stream = hashing.iteration_stream(self.call.seed, iteration)
        found = []
        for j in range(self.call.samples):
            centre = _packed(state[:, j % self.call.particles])
            dx = hashing.below(hashing.random(stream, self.queries, 2 * j), 2 * window + 1) - window
            dy = hashing.below(hashing.random(stream, self.queries, 2 * j + 1), 2 * window + 1) - window
            found.append(self._scored((centre >> 16) + dy, (centre & 0xFFFF) + dx))
        return found

    def _propagated(self, state: I64, stride: int) -> Iterator[I64]:
        """Keys of the neighbours, moved along: (Q,) ranked candidates, fillers where there is none."""
        cross = [(0, -1), (0, 1), (-1, 0), (1, 0)]
        diagonals = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
        far = [(dy * stride, dx * stride) for dy, dx in cross] if stride > 1 else diagonals
        y, x = np.divmod(self.queries, self.width)
        for dy, dx in cross + far:
            ny, nx = y + dy, x + dx
            there = (ny >= 0) & (ny < self.height) & (nx >= 0) & (nx < self.width)
            if not there.any():
                continue
            ny, nx = np.where(there, ny, 0), np.where(there, nx, 0)
            if self.query_mask is not None:
                there &= self.query_mask[ny, nx]
            for particle in state[ny * self.width + nx].T:
                packed = _packed(particle)
                moved = self._scored((packed >> 16) - dy, (packed & 0xFFFF) - dx)
                yield np.where(there & (particle >> 32 != _FILLER), moved, self.filler)

    def _scored(self, y: I64, x: I64) -> I64:
        """The keys nearest to (y, x), one a query, with their scores; fillers where the key may not be copied."""
        y, x = np.clip(y, 0, self.key_height - 1), np.clip(x, 0, self.key_width - 1)
        index = y * self.key_width + x
        score = np.einsum("qc,qc->q", self.query, self.key[index]).astype(np.int64)
        differs = (self.query_labels != self.key_labels[index]) & (self.query_labels != self.call.ignore_label)
        ranked = _ranked(score - self.penalty * differs, y << 16 | x)
        return ranked if self.key_mask is None else np.where(self.key_mask[index], ranked, self.filler)

    def _best(self, candidates: list[I64]) -> I64:
        """The best M distinct candidates, (Q, M). A coordinate met twice has one score, so its ranks are equal."""
        ranked = -np.sort(-np.stack(candidates, axis=1), axis=1)
        ranked[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = np.iinfo(np.int64).min
        ranked = -np.sort(-np.maximum(ranked, self.filler[:, None]), axis=1)
        missing = max(0, self.call.particles - ranked.shape[1])
        ranked = np.concatenate([ranked, np.repeat(self.filler[:, None], missing, axis=1)], axis=1)
        return ranked[:, : self.call.particles]

"""SparseAttentionWarp and its gradients in NumPy (part of `reference`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops.arguments import F32, I32, VALID_ABOVE, Mask, Warp, check_warp
from layoutbrush.runtime.ops.errors import OpError

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True)
class _Votes:
    """Every key that may vote for each query: T = (2 reach + 1)^2 * N * M of them."""

    pixel: NDArray[np.int64]  # (B, H, W, T) index into the value grid
    slot: NDArray[np.int64]  # (B, H, W, T) index into the flattened keys of the batch element
    weight: NDArray[np.float64]  # (B, H, W, T) softmax; 0 for those that do not vote
    graded: NDArray[np.bool_]  # (B, H, W, T) whether the score bears on the weight


def sparse_attention_warp(
    values: F32, keys: I32, scores: F32, *, query_mask: Mask | None = None, gamma: float, reach: int = 0
) -> F32:
    """SparseAttentionWarp (Eq. 4 of US 11,636,570 B2, with patch voting where reach > 0).

    Takes values (B, Hk, Wk, V) float32, keys (B, N, H, W, M) packed int32, scores of that shape float32, and an
    optional query_mask (B, H, W) bool. Gives (B, H, W, V) float32. Raises OpError.
    """
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    votes = _votes(call)
    fetched = _fetch(call.values, votes.pixel)
    warped: F32 = np.einsum("bhwt,bhwtv->bhwv", votes.weight, fetched).astype(np.float32)
    return warped


def sparse_attention_warp_backward(
    grad: F32,
    values: F32,
    keys: I32,
    scores: F32,
    *,
    query_mask: Mask | None = None,
    gamma: float,
    reach: int = 0,
) -> tuple[F32, F32]:
    """Gradients for values and scores, from the gradient (B, H, W, V) for the warped values."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    batch, _, height, width, _ = call.keys.shape
    channels = call.values.shape[3]
    if grad.dtype != np.float32 or grad.shape != (batch, height, width, channels):
        raise OpError("grad", f"must be float32 of shape {(batch, height, width, channels)}")
    votes = _votes(call)
    along = np.einsum("bhwtv,bhwv->bhwt", _fetch(call.values, votes.pixel), grad.astype(np.float64))
    centred = along - np.sum(votes.weight * along, axis=-1, keepdims=True)
    by_score = np.where(votes.graded, call.gamma * votes.weight * centred, 0.0)
    grad_values = np.zeros((batch, call.values[0, ..., 0].size, channels))
    grad_scores = np.zeros((batch, call.scores[0].size))
    for b in range(batch):
        np.add.at(grad_values[b], votes.pixel[b], votes.weight[b][..., None] * grad[b][:, :, None, :])
        np.add.at(grad_scores[b], votes.slot[b], by_score[b])
    return (
        grad_values.reshape(call.values.shape).astype(np.float32),
        grad_scores.reshape(call.scores.shape).astype(np.float32),
    )


def _fetch(values: F32, pixel: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values at the votes: (B, H, W, T, V)."""
    flat = values.reshape(values.shape[0], -1, values.shape[3]).astype(np.float64)
    return np.stack([element[index] for element, index in zip(flat, pixel, strict=True)])


def _votes(call: Warp) -> _Votes:
    batch, sets, height, width, particles = call.keys.shape
    slots = np.arange(call.keys[0].size).reshape(sets, height, width, particles)
    own_slots = _last(np.broadcast_to(slots, call.keys.shape))  # (B, H, W, N * M)
    y, x = np.mgrid[:height, :width]
    mask = np.ones((batch, height, width), bool) if call.query_mask is None else call.query_mask
    pixels, votes_slots, votes_scores = [], [], []
    for dy in range(-call.reach, call.reach + 1):
        for dx in range(-call.reach, call.reach + 1):
            ny, nx = np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)
            inside = (ny == y + dy) & (nx == x + dx)
            allowed = inside if dy == dx == 0 else inside & mask & mask[:, ny, nx]
            slot = own_slots[:, ny, nx]
            pixels.append(_pixel(call, _last(call.keys)[:, ny, nx], dy, dx))
            votes_slots.append(slot)
            score = _last(call.scores)[:, ny, nx].astype(np.float64)
            votes = np.broadcast_to(allowed, mask.shape)[..., None] & (score > VALID_ABOVE)
            votes_scores.append(np.where(votes, score, -np.inf))
    pixel, slot, score = (np.concatenate(parts, axis=-1) for parts in (pixels, votes_slots, votes_scores))
    any_valid = (score > -np.inf).any(axis=-1, keepdims=True)
    own = np.zeros(score.shape[-1], bool)
    centre = score.shape[-1] // 2 - sets * particles // 2  # the middle offset is (0, 0)
    own[centre : centre + sets * particles] = True
    score = np.where(any_valid, score, np.where(own, 0.0, -np.inf))
    weight = np.exp(call.gamma * (score - score.max(axis=-1, keepdims=True)))
    weight /= weight.sum(axis=-1, keepdims=True)
    return _Votes(pixel, slot, weight, np.broadcast_to(any_valid, weight.shape))


def _pixel(call: Warp, packed: I32, dy: int, dx: int) -> NDArray[np.int64]:
    key_height, key_width = call.values.shape[1:3]
    y = np.clip((packed.astype(np.int64) >> 16) - dy, 0, key_height - 1)
    x = np.clip((packed.astype(np.int64) & 0xFFFF) - dx, 0, key_width - 1)
    index: NDArray[np.int64] = y * key_width + x
    return index


def _last(array: NDArray[_T]) -> NDArray[_T]:
    """(B, N, H, W, M) -> (B, H, W, N * M)."""
    moved = np.moveaxis(array, 1, 3)
    return moved.reshape(*moved.shape[:3], -1)

"""The arguments of both ops, checked once for every NumPy-facing backend.

Sizes: B batch, (H, W) query grid, (Hk, Wk) key grid, C channels, M particles, N iterations, K kept iterations,
L initial keys a query, V values a key. Coordinates are packed int32, `y << 16 | x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Contract
from layoutbrush.runtime.ops.errors import OpError

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Mask = NDArray[np.bool_]
_T = TypeVar("_T", bound=np.generic)


def _upper(attribute: str) -> int:
    bounds = KEY_INDEX_SAMPLING.attribute(attribute).range
    return int(bounds[1]) if bounds else 0


MAX_SIDE = KEY_INDEX_SAMPLING.limits["side"]
MAX_CHANNELS = KEY_INDEX_SAMPLING.limits["channels"]
MAX_INIT = KEY_INDEX_SAMPLING.limits["init"]
MAX_INTEGER_PENALTY = KEY_INDEX_SAMPLING.limits["integer_penalty"]
MAX_VALUE_CHANNELS = SPARSE_ATTENTION_WARP.limits["channels"]
FILLER_SCORE = np.float32(KEY_INDEX_SAMPLING.filler["score"])
VALID_ABOVE = np.float32(KEY_INDEX_SAMPLING.filler["valid_above"])


@dataclass(frozen=True)
class Sampling:
    """A checked call of KeyIndexSampling: C-contiguous arrays and resolved attributes."""

    query: F32  # (B, H, W, C)
    key: F32  # (B, Hk, Wk, C)
    query_labels: I32  # (B, H, W)
    key_labels: I32  # (B, Hk, Wk)
    query_mask: Mask | None  # (B, H, W)
    key_mask: Mask | None  # (B, Hk, Wk)
    init: I32 | None  # (B, H, W, L)
    seed: int
    particles: int
    windows: tuple[int, ...]  # N
    samples: int
    strides: tuple[int, ...]  # N * P
    propagations: int
    label_penalty: float
    scale: float
    ignore_label: int
    keep: int
    schedule: str


@dataclass(frozen=True)
class Warp:
    """A checked call of SparseAttentionWarp."""

    values: F32  # (B, Hk, Wk, V)
    keys: I32  # (B, N, H, W, M)
    scores: F32  # (B, N, H, W, M)
    query_mask: Mask | None  # (B, H, W)
    gamma: float
    reach: int


def check_sampling(
    query: F32,
    key: F32,
    query_labels: I32,
    key_labels: I32,
    *,
    query_mask: Mask | None,
    key_mask: Mask | None,
    init: I32 | None,
    seed: int,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int,
    label_penalty: float,
    scale: float,
    ignore_label: int,
    keep: int,
    schedule: str,
) -> Sampling:
    """Checks and normalises a call; raises OpError naming the argument."""
    query = _array("query", query, np.float32, 4)
    key = _array("key", key, np.float32, 4)
    batch, height, width, channels = query.shape
    grid, key_grid = (batch, height, width), (batch, *key.shape[1:3])
    _sides("query", height, width)
    _sides("key", *key.shape[1:3])
    _range("query", channels, 1, MAX_CHANNELS, "channels")
    _shape("key", key, (*key_grid, channels))
    _attribute(KEY_INDEX_SAMPLING, "particles", particles)
    iterations = len(windows)
    if iterations < 1:
        raise OpError("windows", "must hold one entry an iteration, at least one")
    for window in windows:
        _attribute(KEY_INDEX_SAMPLING, "windows", window)
    _attribute(KEY_INDEX_SAMPLING, "samples", samples)
    _attribute(KEY_INDEX_SAMPLING, "propagations", propagations)
    if len(strides) != iterations * propagations:
        raise OpError("strides", f"must hold iterations x propagations = {iterations * propagations} entries")
    for stride in strides[propagations:]:
        _attribute(KEY_INDEX_SAMPLING, "strides", stride)
    _range("keep", keep, 1, iterations)
    _range("seed", seed, -(2**31), 2**31 - 1)
    _attribute(KEY_INDEX_SAMPLING, "ignore_label", ignore_label)
    _check_scale(label_penalty, scale)
    if schedule not in (schedules := KEY_INDEX_SAMPLING.attribute("schedule").values):
        raise OpError("schedule", f"must be one of {', '.join(schedules)}")
    if init is not None:
        init = _array("init", init, np.int32, 4)
        _range("init", init.shape[3], 0, MAX_INIT, "keys a query")
        _shape("init", init, (*grid, init.shape[3]))
    return Sampling(
        query=query,
        key=key,
        query_labels=_shape("query_labels", _array("query_labels", query_labels, np.int32, 3), grid),
        key_labels=_shape("key_labels", _array("key_labels", key_labels, np.int32, 3), key_grid),
        query_mask=_mask("query_mask", query_mask, grid),
        key_mask=_mask("key_mask", key_mask, key_grid),
        init=init,
        seed=int(seed),
        particles=int(particles),
        windows=tuple(int(w) for w in windows),
        samples=int(samples),
        strides=tuple(int(s) for s in strides),
        propagations=int(propagations),
        label_penalty=float(label_penalty),
        scale=float(scale),
        ignore_label=int(ignore_label),
        keep=int(keep),
        schedule=schedule,
    )


def check_warp(values: F32, keys: I32, scores: F32, *, query_mask: Mask | None, gamma: float, reach: int) -> Warp:
    """Checks and normalises a call; raises OpError naming the argument."""
    values = _array("values", values, np.float32, 4)
    keys = _array("keys", keys, np.int32, 5)
    scores = _array("scores", scores, np.float32, 5)
    batch, iterations, height, width, particles = keys.shape
    _sides("keys", height, width)
    _sides("values", *values.shape[1:3])
    _range("values", values.shape[3], 1, MAX_VALUE_CHANNELS, "channels")
    if values.shape[0] != batch:
        raise OpError("values", f"has a batch of {values.shape[0]}, keys of {batch}")
    if iterations < 1 or particles < 1:
        raise OpError("keys", "must hold at least one key a query")
    _shape("scores", scores, keys.shape)
    _attribute(SPARSE_ATTENTION_WARP, "gamma", gamma)
    _attribute(SPARSE_ATTENTION_WARP, "reach", reach)
    mask = _mask("query_mask", query_mask, (batch, height, width))
    return Warp(values, keys, scores, mask, float(gamma), int(reach))


def integer_penalty(label_penalty: float, scale: float) -> int:
    """The label penalty in units of the integer score: round_half_even(label_penalty * (scale * scale)), in double
    precision on the float32 values of both."""
    wide = float(np.float32(scale))
    return int(np.rint(float(np.float32(label_penalty)) * (wide * wide)))


def score_unit(scale: float) -> np.float32:
    """float32 factor from integer scores to scores: 1 / (scale * scale) in double precision, rounded once."""
    wide = float(np.float32(scale))
    return np.float32(1.0 / (wide * wide))


def _check_scale(label_penalty: float, scale: float) -> None:
    _attribute(KEY_INDEX_SAMPLING, "scale", scale)
    _attribute(KEY_INDEX_SAMPLING, "label_penalty", label_penalty)
    if float(np.float32(label_penalty)) * float(np.float32(scale)) ** 2 > MAX_INTEGER_PENALTY:
        raise OpError("label_penalty", "label_penalty * scale^2 must not exceed 2^30")


def _attribute(contract: Contract, name: str, value: float) -> None:
    """Checks one number against the range and type of the contract; NaN lies in no range."""
    attribute = contract.attribute(name)
    low, high = attribute.range or (0, 0)
    if attribute.type in ("int", "ints"):
        _range(name, value, int(low), int(high))
    elif isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise OpError(name, f"must lie in {low:g}..{high:g}, is {value}")


def _array(name: str, array: object, dtype: type[_T], rank: int) -> NDArray[_T]:
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype):
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise OpError(name, f"must be an array of {np.dtype(dtype)}, is {found}")
    if array.ndim != rank:
        raise OpError(name, f"must have {rank} dimensions, has {array.ndim}")
    return np.ascontiguousarray(array)


def _mask(name: str, mask: Mask | None, shape: tuple[int, ...]) -> Mask | None:
    return None if mask is None else _shape(name, _array(name, mask, np.bool_, 3), shape)


def _shape(name: str, array: NDArray[_T], shape: tuple[int, ...]) -> NDArray[_T]:
    if array.shape != shape:
        raise OpError(name, f"must have shape {shape}, has {array.shape}")
    return array


def _sides(name: str, height: int, width: int) -> None:
    _range(name, height, 1, MAX_SIDE, "height")
    _range(name, width, 1, MAX_SIDE, "width")


def _range(name: str, value: float, low: int, high: int, what: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise OpError(name, f"{what + ' ' if what else ''}must be an integer in {low}..{high}, is {value}")

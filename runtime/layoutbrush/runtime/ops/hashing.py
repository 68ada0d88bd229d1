"""The counter-based random numbers of KeyIndexSampling (contract: [random]).

On int64 arrays whose values stay in 0..2^32 - 1: exclusive or, right shift, and products below 2^63, nothing else,
so that the same steps can be written as nodes of an ONNX graph.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING

I64 = NDArray[np.int64]
_Number = TypeVar("_Number", int, I64)

MASK = 0xFFFFFFFF
_RULE = KEY_INDEX_SAMPLING.random
SHIFTS: tuple[int, ...] = tuple(_RULE["shifts"])
MULTIPLIERS: tuple[int, ...] = tuple(_RULE["multipliers"])
LAST_SHIFT: int = _RULE["last_shift"]
SEED_SALT: int = _RULE["seed_salt"]
ITERATION_SALT: int = _RULE["iteration_salt"]


def mix(h: _Number) -> _Number:
    """Scrambles 32 bits; one to one."""
    for shift, multiplier in zip(SHIFTS, MULTIPLIERS, strict=True):
        h = ((h ^ (h >> shift)) * multiplier) & MASK
    return h ^ (h >> LAST_SHIFT)


def iteration_stream(seed: int, iteration: int) -> int:
    """What every random number of one iteration is keyed by."""
    return mix(mix((seed & MASK) ^ SEED_SALT) ^ ((iteration * ITERATION_SALT) & MASK))


def random(stream: int, query: I64, draw: int) -> I64:
    """Random 32-bit numbers of the queries (index y * W + x) for one draw of an iteration."""
    return mix(mix(query ^ stream) ^ draw)


def below(random_numbers: I64, n: int) -> I64:
    """Maps 32-bit numbers onto 0..n - 1."""
    return (random_numbers * n) >> 32

"""What objects look like: latent codes by seed, draft and look, and by nothing else.

A box that is moved keeps its code, and so do all others. The codes come from a counter-based generator, so that they do
not depend on how many drafts or objects there are: Philox 4x64 (Salmon et al., SC 2011), whose stream NumPy promises to
keep, and Box-Muller in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_TO_UNIT = 2.0**-53


def latent_codes(seed: int, draft: int, looks: Sequence[int], length: int) -> NDArray[np.float32]:
    """Return standard normal codes float32 (1, O, length) of the objects with these `looks` in one draft."""
    codes = np.empty((1, len(looks), length), np.float32)
    for row, look in enumerate(looks):
        codes[0, row] = _normal(np.random.Philox(key=seed, counter=[0, look, draft, 0]), length)
    return codes


def _normal(source: np.random.Philox, length: int) -> NDArray[np.float64]:
    pairs = -(-length // 2)
    # The upper 53 bits, moved to the middle of their interval: never 0, whose logarithm is none.
    unit = ((source.random_raw(2 * pairs) >> np.uint64(11)).astype(np.float64) + 0.5) * _TO_UNIT
    radius, angle = np.sqrt(-2.0 * np.log(unit[:pairs])), 2.0 * np.pi * unit[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:length]

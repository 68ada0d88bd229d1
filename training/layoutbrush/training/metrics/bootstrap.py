"""Intervals by resampling tasks (Efron 1979): of a mean, of a paired difference, of a figure of whole sets (FID)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
SET_RESAMPLES = 200
"""For figures of whole sets, each of which costs a decomposition."""
SHARES = (2.5, 97.5)
"""Percentiles of the interval: 95 %."""
Picks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and the number of tasks that it is of."""

    mean: float
    low: float
    high: float
    count: int

    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def picks(count: int, resamples: int, seed: int = 0) -> Picks:
    """(resamples, count) indices of tasks, drawn with replacement."""
    return np.random.default_rng(seed).integers(0, count, (resamples, count))


def mean_interval(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean with its percentile interval; the mean itself thrice for a single value. Raises ValueError for none."""
    data = np.asarray(values, np.float64)
    if not data.size:
        raise ValueError("no values to estimate from")
    low, high = np.percentile(data[picks(data.size, RESAMPLES, seed)].mean(1), SHARES)
    return Estimate(float(data.mean()), float(low), float(high), data.size)


def paired_difference(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Estimate:
    """Mean of ours - theirs over the same tasks in the same order: what tasks have in common cancels.

    Raises ValueError for sequences of different lengths.
    """
    if len(ours) != len(theirs):
        raise ValueError("a paired difference needs the same tasks on both sides")
    return mean_interval((np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).tolist(), seed)


def set_interval(figure: Callable[[Picks], float], count: int, seed: int = 0) -> Estimate:
    """A figure of a whole set, given as a function of the tasks' indices, with the spread of its resamples.

    A resample holds some tasks twice, which moves a figure like FID upwards: the spread of the resamples is laid around
    the figure of the whole set (their deviations from their own median), not taken as it is.
    """
    value = figure(np.arange(count))
    drawn = np.array([figure(row) for row in picks(count, SET_RESAMPLES, seed)])
    low, high = np.percentile(drawn - np.median(drawn), SHARES)
    return Estimate(value, value + float(low), value + float(high), count)

"""Sizes and constants of the sparse attention network: what happens at each scale, round by round."""

from __future__ import annotations

from dataclasses import dataclass, field

SCALES = (8, 4, 2, 1)
COARSE = 2
"""How many of the scales, the coarsest, give the first picture."""


@dataclass(frozen=True)
class Round:
    """One match-and-vote step: iterations of KeyIndexSampling (one a window; none: the keys before stay), then the
    votes within `reach`.

    `votes`: how many of the particles vote; the others only serve the search (averaging them blurs).
    """

    windows: tuple[int, ...]
    particles: int = 2
    samples: int = 2
    strides: tuple[int, ...] = ()
    reach: int = 1
    gamma: float = 60.0
    votes: int = 1


@dataclass(frozen=True)
class ScalePlan:
    """What happens at 1/scale: the rounds, and how many channels each part of a feature has there."""

    scale: int
    patch: int
    learned: int
    rounds: tuple[Round, ...]


def _default_plans() -> tuple[ScalePlan, ...]:
    first = Round(windows=(0, 64, 32, 16, 8, 4, 2), particles=4, samples=4, gamma=24.0)
    later = Round(windows=(0, 8, 4, 2), gamma=36.0)
    fine = Round(windows=(0, 4, 2), particles=1, gamma=48.0)
    last = Round(windows=(0, 2, 1), particles=1, gamma=900.0)
    return (
        ScalePlan(8, patch=28, learned=20, rounds=(first, later, later, later)),
        ScalePlan(4, patch=28, learned=20, rounds=(later, later, later)),
        ScalePlan(2, patch=28, learned=12, rounds=(fine, fine)),
        ScalePlan(1, patch=20, learned=0, rounds=(fine, last)),
    )


@dataclass(frozen=True)
class SparseAttentionConfig:
    """Sizes and constants of the network; stored beside its weights.

    ``usage_penalty``: what a key's score loses for each use beyond the first (see `key_usage`); 0 switches it off.
    ``usage_finest``: the finest scale where it does.
    """

    labels: int = 15
    label_code: int = 8
    label_penalty: float = 0.2
    usage_penalty: float = 0.01
    usage_finest: int = 1
    scale: float = 254.0
    learned: bool = True
    pyramid_width: int = 32
    plans: tuple[ScalePlan, ...] = field(default_factory=_default_plans)
    schedule: str = "fast"

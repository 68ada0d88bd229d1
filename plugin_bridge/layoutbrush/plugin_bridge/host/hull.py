"""Blends of colours: which two a colour lies between, and how far it is from all blends of several."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from layoutbrush.plugin_bridge.host.palette import Color

_STEPS = 64


@lru_cache(maxsize=65536)
def nearest_pair(color: Color, corners: tuple[Color, ...]) -> tuple[float, Color]:
    """Distance of a colour from the nearest line between two of the corners, and the end of that line that is nearer.

    Of three labels that meet, the nearest colour alone may be the third one's: half way from a light blue to a dark
    green lies a blue.
    """
    best = min((_square(_minus(color, corner)), corner) for corner in corners)
    for one, other in combinations(corners, 2):
        along = _minus(other, one)
        share = _dot(_minus(color, one), along) / max(_square(along), 1)
        if 0 < share < 1:
            point = tuple(a + share * b for a, b in zip(one, along, strict=True))
            best = min(best, (_square(_minus(color, point)), one if share < 0.5 else other))
    return float(best[0] ** 0.5), best[1]


@lru_cache(maxsize=65536)
def hull_distance(color: Color, corners: tuple[Color, ...]) -> float:
    """Distance of a colour from the convex hull of others, at most some levels too large.

    Frank and Wolfe's method: walk from the nearest point so far towards the corner that lies most in the colour's
    direction, as far as helps. (M. Frank, P. Wolfe, An algorithm for quadratic programming, 1956.)
    """
    point = tuple(float(value) for value in min(corners, key=lambda corner: _square(_minus(corner, color))))
    for _ in range(_STEPS):
        wanted = _minus(color, point)
        step = max((_minus(corner, point) for corner in corners), key=lambda way: _dot(way, wanted))
        length, gain = _square(step), _dot(step, wanted)
        if length == 0 or gain <= 0.5:
            break
        share = min(1.0, gain / length)
        point = tuple(value + share * way for value, way in zip(point, step, strict=True))
    return float(_square(_minus(color, point)) ** 0.5)


def _minus(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _square(one: tuple[float, ...]) -> float:
    return _dot(one, one)

"""How far a colour is from all blends of some colours."""

from __future__ import annotations

from functools import lru_cache

from layoutbrush.plugin_bridge.host.palette import Color

_STEPS = 64


@lru_cache(maxsize=65536)
def hull_distance(color: Color, corners: tuple[Color, ...]) -> float:
    """Distance of a colour from the convex hull of others, to within about one level.

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

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
    """Distance of a colour from the convex hull of others, at most one level too large.

    From simplex to simplex: the corner that lies most in the colour's direction joins those that the nearest point so
    far is a blend of. (P. Wolfe, Finding the nearest point in a polytope, Mathematical Programming 11, 1976.)
    """
    point, face = _nearest_of((min(corners, key=lambda corner: _square(_minus(corner, color))),), color)
    for _ in range(_STEPS):
        wanted = _minus(color, point)
        most = max(corners, key=lambda corner: _dot(corner, wanted))
        # Half the squared distance is at most this far above its least value.
        if _dot(_minus(most, point), wanted) <= 0.5:
            break
        point, face = _nearest_of((*face, most), color)
    return float(_square(_minus(color, point)) ** 0.5)


def _nearest_of(simplex: tuple[Color, ...], color: Color) -> tuple[tuple[float, ...], tuple[Color, ...]]:
    """The point of a simplex of up to four corners that is nearest to a colour, and the face that it lies in."""
    found = []
    for count in range(1, len(simplex) + 1):
        for face in combinations(simplex, count):
            foot = _foot(face, color)
            if foot is not None:
                found.append((_square(_minus(color, foot)), foot, face))
    _, point, face = min(found)
    return point, face


def _foot(face: tuple[Color, ...], color: Color) -> tuple[float, ...] | None:
    """Where the perpendicular from a colour meets a face; None: beside it, or its corners lie in fewer dimensions."""
    origin, ways = face[0], [_minus(corner, face[0]) for corner in face[1:]]
    rows = [[*(_dot(way, other) for other in ways), _dot(way, _minus(color, origin))] for way in ways]
    for i, row in enumerate(rows):  # Gauss and Jordan; a Gram matrix of whole numbers needs no pivoting
        if row[i] < 1e-6:
            return None
        row[:] = [value / row[i] for value in row]
        for other in rows[:i] + rows[i + 1 :]:
            other[:] = [a - other[i] * b for a, b in zip(other, row, strict=True)]
    shares = [row[-1] for row in rows]
    if min(shares, default=0.0) < 0 or sum(shares) > 1:
        return None
    return tuple(origin[c] + sum(s * way[c] for s, way in zip(shares, ways, strict=True)) for c in range(3))


def _minus(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _square(one: tuple[float, ...]) -> float:
    return _dot(one, one)

"""Label ids as a painted layer, and back.

A painter uses the editor's ordinary brushes, so that a label layer holds more than the palette's colours: rims of
antialiased and soft strokes are blends of the colours on both sides, and erased pixels are clear. Reading it gives
every pixel one id again: exact colours are their label, clear pixels what the photo had, blends the nearer one of the
labels that they lie between. A colour that no blend explains is told, with its place, and never guessed.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections import Counter
from dataclasses import dataclass

from layoutbrush.plugin_bridge.host.hull import hull_distance, nearest_pair
from layoutbrush.plugin_bridge.host.palette import UNKNOWN, Color, Palette, distance, html
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.runs import Run, components

PAIR_TOLERANCE = 12.0
"""Distance in RGB up to which a colour counts as a blend of two labels: rounding, stroke upon stroke."""
BLEND_TOLERANCE = 40.0
"""Distance in RGB up to which a colour counts as a blend of its neighbours: where three meet, or in linear light."""
COLOR_TOLERANCE = 32.0
"""Distance in RGB up to which a colour counts as a label's own, such as a thin line that covers no pixel wholly."""
OPAQUE = 128
"""Alpha from which on a pixel counts as painted."""
_TOLD = 3


@dataclass(frozen=True)
class Stray:
    """A colour of a label layer that is none of a label's. `x`, `y`: where it is met first."""

    color: Color
    count: int
    x: int
    y: int


@dataclass(frozen=True)
class Reading:
    """`ids`: one byte a pixel. `blended`: pixels that were resolved. `strays`: colours that weren't; they are 255."""

    ids: bytes
    blended: int = 0
    strays: tuple[Stray, ...] = ()

    def check(self, palette: Palette) -> None:
        """Refuse a layer with strange colours.

        Raises:
            HostProblem: names the colours, their places and the labels that come nearest.
        """
        if not self.strays:
            return
        told = "; ".join(
            f"{html(stray.color)} ({stray.count} pixels, first at {stray.x}, {stray.y}; nearest label: "
            f"{palette.nearest(stray.color).name})"
            for stray in self.strays[:_TOLD]
        )
        more = f"; and {len(self.strays) - _TOLD} more" if len(self.strays) > _TOLD else ""
        raise HostProblem(f"The label layer holds colours of no label: {told}{more}. Paint with the palette's colours.")


def paint(ids: bytes, palette: Palette, order: str = "BGRA") -> bytes:
    """Return ids as pixels in the palette's colours, opaque, four bytes each. `order`: BGRA or RGBA."""
    pixels = bytearray(b"\xff") * (4 * len(ids))
    fallback = palette.unknown.color
    for channel in range(3):
        table = bytes(palette.colors.get(i, fallback)[channel] for i in range(256))
        pixels[channel if order == "RGBA" else 2 - channel :: 4] = ids.translate(table)
    return bytes(pixels)


def read(
    pixels: bytes, width: int, height: int, palette: Palette, before: bytes | None = None, order: str = "BGRA"
) -> Reading:
    """Return the ids of a label layer, straight alpha, four bytes a pixel. `before`: ids that clear pixels have.

    Exact colours take some 40 ns a pixel; blends more, by distinct colour and run rather than by pixel.
    """
    words = array("I")
    words.frombytes(pixels)
    if sys.byteorder == "big":
        words.byteswap()
    clear, blend = _marks(palette)
    table = _Table(palette, order, clear, blend)
    ids = bytearray(map(table.__getitem__, words))
    for found in re.finditer(re.escape(bytes([clear])) + b"+", ids):
        start, end = found.span()
        ids[start:end] = before[start:end] if before else bytes([UNKNOWN]) * (end - start)
    if blend not in ids:
        return Reading(bytes(ids))
    return _Blends(words, ids, width, height, palette, order, blend).read()


def _marks(palette: Palette) -> tuple[int, int]:
    """Two byte values that are no ids, for clear pixels and for blends."""
    free = sorted(set(range(UNKNOWN)) - {label.id for label in palette.labels})
    if len(free) < 2:
        raise HostProblem("The server has too many labels for a painted layer (253 at most).")
    return free[-1], free[-2]


def _color(word: int, order: str) -> Color:
    """The colour of four bytes read as a little-endian number."""
    low, middle, high = word & 255, word >> 8 & 255, word >> 16 & 255
    return (low, middle, high) if order == "RGBA" else (high, middle, low)


class _Table(dict[int, int]):
    """Id of every four-byte pixel; works each out when it is met first."""

    def __init__(self, palette: Palette, order: str, clear: int, blend: int) -> None:
        super().__init__()
        self._ids = {label.color: label.id for label in palette.paints}
        self._order, self._clear, self._blend = order, clear, blend

    def __missing__(self, word: int) -> int:
        found = self._clear if word >> 24 < OPAQUE else self._ids.get(_color(word, self._order), self._blend)
        self[word] = found
        return found


class _Blends:
    """Resolves the pixels of `ids` that are marked as blends."""

    def __init__(
        self, words: array[int], ids: bytearray, width: int, height: int, palette: Palette, order: str, mark: int
    ) -> None:
        self._words, self._ids, self._width, self._height = words, ids, width, height
        self._palette, self._order, self._mark = palette, order, mark
        self._strays: Counter[Color] = Counter()
        self._places: dict[Color, int] = {}

    def read(self) -> Reading:
        ids = bytes(self._ids)
        blended = ids.count(self._mark)
        for component in components(ids, self._width, self._mark):
            beside = [self._beside(ids, run) for run in component]
            around = frozenset[int]().union(*beside)
            for run, near in zip(component, beside, strict=True):
                self._resolve(run, near, around)
        strays = tuple(
            Stray(color, count, self._places[color] % self._width, self._places[color] // self._width)
            for color, count in self._strays.most_common()
        )
        return Reading(bytes(self._ids), blended - sum(self._strays.values()), strays)

    def _beside(self, ids: bytes, run: Run) -> frozenset[int]:
        """Ids that touch a run, corners included."""
        width = self._width
        left, right = max(run.start - 1, 0), min(run.end + 1, width)
        found: set[int] = set()
        for row in range(max(run.row - 1, 0), min(run.row + 2, self._height)):
            found |= set(ids[row * width + left : row * width + right])
        return frozenset(found - {self._mark})

    def _resolve(self, run: Run, near: frozenset[int], around: frozenset[int]) -> None:
        start, end = run.row * self._width + run.start, run.row * self._width + run.end
        words = self._words[start:end]
        table = {}
        for word, count in Counter(words).items():
            color = _color(word, self._order)
            label = self._choose(color, near, around)
            table[word] = UNKNOWN if label is None else label
            if label is None:
                self._strays[color] += count
                self._places[color] = min(self._places.get(color, len(self._ids)), start + words.index(word))
        self._ids[start:end] = bytes(map(table.__getitem__, words))

    def _choose(self, color: Color, near: frozenset[int], around: frozenset[int]) -> int | None:
        """The label of a blend: one of those beside it, else of those around its piece; None: nothing explains it."""
        for labels in (near, around):
            ids = {self._palette.colors[i]: i for i in sorted(labels) if i in self._palette.colors}
            corners = tuple(sorted(ids))
            if not corners:
                continue
            away, end = nearest_pair(color, corners)
            if away <= PAIR_TOLERANCE:
                return ids[end]
            if hull_distance(color, corners) <= BLEND_TOLERANCE:
                return ids[min(corners, key=lambda corner: distance(corner, color))]
        nearest = self._palette.nearest(color)
        return nearest.id if distance(nearest.color, color) <= COLOR_TOLERANCE**2 else None

"""The labels of a server with the colours that they are painted in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from layoutbrush import v1

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255, in the numbers of the label layer: nothing is converted between profiles."""

UNKNOWN = 255
"""The id of pixels whose label nobody knows."""
_UNKNOWN_COLORS: tuple[Color, ...] = ((255, 0, 255), (0, 255, 255), (255, 255, 255), (0, 0, 0), (0, 255, 0))


@dataclass(frozen=True)
class Label:
    """`id`: 0 to 254. `name`: unique in its palette. `color`: what it is painted in."""

    id: int
    name: str
    color: Color

    @property
    def html(self) -> str:
        """The colour as #rrggbb."""
        return html(self.color)


@dataclass(frozen=True)
class Palette:
    """`labels`: in the server's order, each with an id and a colour of its own."""

    labels: tuple[Label, ...] = ()

    @classmethod
    def of(cls, labels: Iterable[v1.Label]) -> Palette:
        """The labels of a server's bundle. Of two labels of one colour, the second one's is moved a little."""
        taken: set[Color] = set()
        found = []
        for label in labels:
            color = _free((label.color.red, label.color.green, label.color.blue), taken)
            taken.add(color)
            found.append(Label(label.id, label.name, color))
        return cls(tuple(found))

    @cached_property
    def unknown(self) -> Label:
        """The label for "I don't know": id 255, in a colour that is far from all others."""
        others = [label.color for label in self.labels]
        color = max(_UNKNOWN_COLORS, key=lambda color: min((distance(color, other) for other in others), default=0))
        return Label(UNKNOWN, "unknown", color)

    @cached_property
    def paints(self) -> tuple[Label, ...]:
        """All that can be painted: the labels, and unknown."""
        return (*self.labels, self.unknown)

    @cached_property
    def colors(self) -> dict[int, Color]:
        """Colour of each id, 255 among them."""
        return {label.id: label.color for label in self.paints}

    def name(self, label_id: int) -> str:
        """Name of an id; the number itself where there is none."""
        return next((label.name for label in self.paints if label.id == label_id), str(label_id))

    def nearest(self, color: Color) -> Label:
        """The label whose colour is nearest."""
        return min(self.paints, key=lambda label: distance(label.color, color))

    def dump(self) -> str:
        """As text, for a host's settings."""
        return json.dumps([[label.id, label.name, *label.color] for label in self.labels])

    @classmethod
    def load(cls, text: str) -> Palette:
        """What `dump` wrote; an empty palette where the text is something else."""
        try:
            rows = [(int(i), str(name), (int(r), int(g), int(b))) for i, name, r, g, b in json.loads(text)]
        except (ValueError, TypeError):
            return cls()
        return cls(tuple(Label(*row) for row in rows))


def html(color: Color) -> str:
    """#rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def distance(one: Color, other: Color) -> int:
    """Squared distance of two colours."""
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _free(color: Color, taken: set[Color]) -> Color:
    """The colour, or the next one that nobody has."""
    number = color[0] << 16 | color[1] << 8 | color[2]
    while (found := (number >> 16, number >> 8 & 255, number & 255)) in taken:
        number = (number + 1) % (1 << 24)
    return found

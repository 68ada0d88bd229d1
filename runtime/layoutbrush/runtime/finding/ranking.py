"""Photos in the order of their likeness to a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.finding.index import Description, Look
from layoutbrush.runtime.finding.layouts import Shares, layout_likeness
from layoutbrush.runtime.finding.looks import Looks

ASKED, SEEN = 0.5, 0.2
"""Weight of the layout beside the look: of one that was given, and of one that was found in the picture."""

_MIRRORED = 0.97
"""Worth of a mirrored layout, where nobody gave one: a picture is still found when it is turned left to right."""


@dataclass(frozen=True, eq=False)
class Query:
    """What to look for: a layout, a look, or both. `asked`: False where the layout was only found in the picture."""

    layout: Shares | None = None
    look: Look | None = None
    asked: bool = True


@dataclass(frozen=True, eq=False)
class Table:
    """The descriptions of many photos, ready to be compared. `names`: in the order of their rows."""

    names: tuple[str, ...]
    layouts: NDArray[np.uint8]
    looks: Looks

    @classmethod
    def of(cls, described: Mapping[str, Description]) -> Table:
        """Put descriptions together, in the order of their names."""
        names = tuple(sorted(described))
        layouts = [described[name].layout for name in names]
        return cls(
            names,
            np.stack(layouts) if layouts else np.zeros((0, 1, 1, 1), np.uint8),
            Looks.of([described[name].look for name in names]),
        )

    def first(self, count: int) -> Table:
        """The first `count` rows alone."""
        return Table(self.names[:count], self.layouts[:count], self.looks.first(count))

    def scores(self, query: Query) -> NDArray[np.float32]:
        """Return the likeness of each photo, float32 (N,) in [0, 1]."""
        if query.look is None:
            return np.zeros(len(self.names), np.float32) if query.layout is None else self._layouts(query.layout)
        look = self.looks.likeness(query.look)
        if query.layout is None:
            return look
        layout, weight = self._layouts(query.layout), np.float32(ASKED if query.asked else SEEN)
        if not query.asked:
            layout = np.maximum(layout, np.float32(_MIRRORED) * self._layouts(query.layout[:, ::-1]))
        return weight * layout + (1 - weight) * look

    def _layouts(self, layout: Shares) -> NDArray[np.float32]:
        return layout_likeness(layout, self.layouts)

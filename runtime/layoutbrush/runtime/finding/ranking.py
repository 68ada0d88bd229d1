"""Photos in the order of their likeness to a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.finding.index import Description, Look
from layoutbrush.runtime.finding.layouts import Shares, layout_likeness
from layoutbrush.runtime.finding.looks import Looks

_LAYOUT = 0.4
"""Weight of the layout beside the look, where a query has both."""


@dataclass(frozen=True, eq=False)
class Query:
    """What to look for: a layout, a look, or both."""

    layout: Shares | None = None
    look: Look | None = None


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
        total, weights = np.zeros(len(self.names), np.float32), 0.0
        if query.layout is not None:
            weight = _LAYOUT if query.look is not None else 1.0
            total += np.float32(weight) * layout_likeness(query.layout, self.layouts)
            weights += weight
        if query.look is not None:
            total += np.float32(1.0 - weights) * self.looks.likeness(query.look)
        return total

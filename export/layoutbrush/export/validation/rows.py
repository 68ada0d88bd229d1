"""A row of the validation's table: two ways to compute one thing, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tolerance:
    """A bound of a measure. `least`: the value must not be below it, instead of not above."""

    measure: str
    bound: float
    least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is within the tolerance; NaN never is."""
        return value >= self.bound if self.least else value <= self.bound

    def worse(self, one: float, other: float) -> float:
        """The value further from what is wanted; NaN is worst."""
        if one != one or other != other:
            return float("nan")
        return min(one, other) if self.least else max(one, other)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `subject`: an op or graph; `pair`: the two backends; `value`: the worst found in `count` comparisons; `skipped`:
    the reason why nothing was measured, empty where it was.
    """

    subject: str
    pair: str
    tolerance: Tolerance
    value: float = float("nan")
    count: int = 0
    skipped: str = ""

    @property
    def failed(self) -> bool:
        """Measured, and not within the tolerance."""
        return not self.skipped and not self.tolerance.holds(self.value)

    @property
    def result(self) -> str:
        """One word, or the reason for a skip."""
        return f"skipped: {self.skipped}" if self.skipped else "differs" if self.failed else "ok"


def merged(rows: Iterable[Row]) -> list[Row]:
    """Rows of the same subject, pair and measure as one, with the worst value."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        place = (row.subject, row.pair, row.tolerance.measure)
        known = found.get(place)
        if known is None or known.skipped:
            found[place] = row
        elif not row.skipped:
            worst = row.tolerance.worse(known.value, row.value)
            found[place] = replace(known, value=worst, count=known.count + row.count)
    return list(found.values())

"""Runs of one byte value in a picture, and which of them hang together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Run(NamedTuple):
    """Pixels `start` to `end` (not included) of a row."""

    row: int
    start: int
    end: int


def runs(values: bytes, width: int, mark: int) -> Iterator[Run]:
    """The runs of `mark` in a picture of one byte a pixel, row by row, left to right."""
    for found in re.finditer(re.escape(bytes([mark])) + b"+", values):
        start, end = found.span()
        while start < end:  # a match may go on into the next row
            row = start // width
            stop = min(end, (row + 1) * width)
            yield Run(row, start - row * width, stop - row * width)
            start = stop


def components(values: bytes, width: int, mark: int) -> list[list[Run]]:
    """The runs of `mark` by the connected piece (corners count) that they belong to."""
    found = list(runs(values, width, mark))
    parents = list(range(len(found)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    above = 0
    for index, run in enumerate(found):
        while found[above].row < run.row - 1 or (found[above].row == run.row - 1 and found[above].end < run.start):
            above += 1
        other = above
        while found[other].row == run.row - 1 and found[other].start <= run.end:
            parents[root(other)] = root(index)
            other += 1
    pieces: dict[int, list[Run]] = {}
    for index, run in enumerate(found):
        pieces.setdefault(root(index), []).append(run)
    return list(pieces.values())

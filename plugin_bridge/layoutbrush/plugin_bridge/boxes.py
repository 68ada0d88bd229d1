"""Labelled boxes, of which drafts are made; free of I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layoutbrush import v1


@dataclass(frozen=True)
class Box:
    """One object. `label`: a name out of `info().draft_labels`. `x`, `y`, `width`, `height`: pixels of the request.

    `look`: a number of the object's own; as long as it keeps it, it looks the same wherever it is moved, and so do all
    others. None = its place in the list.
    """

    label: str
    x: float
    y: float
    width: float
    height: float
    look: int | None = None

    def message(self) -> v1.Box:
        """The box as a message."""
        return v1.Box(label=self.label, x=self.x, y=self.y, width=self.width, height=self.height, look=self.look)


@dataclass(frozen=True)
class DraftRequest:
    """Drafts as their caller wants them."""

    boxes: Sequence[Box]
    """1 to 64, in the order in which they are drawn: later ones lie in front."""
    width: int
    """Pixels that the boxes' coordinates refer to."""
    height: int
    """Likewise."""
    count: int = 1
    """Drafts, 1 to 64."""
    seed: int = 0
    """0 to 2147483647; the same seed and boxes give the same drafts, however many."""
    layout_size: tuple[int, int] | None = None
    """Width and height of the label maps; None = those of the drafts."""
    png: bool = False
    """Pictures come as PNG."""
    before: Sequence[Sequence[Box]] = ()
    """Layouts whose drafts came before, oldest first, at most 16: drafts then change only where boxes were edited."""

    def message(self) -> v1.GenerateDraftsRequest:
        """The request as a message.

        Raises:
            ValueError: a number is negative, or too large for any server.
        """
        request = v1.GenerateDraftsRequest(
            extent=v1.Extent(width=self.width, height=self.height),
            boxes=[box.message() for box in self.boxes],
            before=[v1.BoxList(boxes=[box.message() for box in boxes]) for boxes in self.before],
            count=self.count,
            seed=self.seed,
            encoding=v1.ENCODING_PNG if self.png else v1.ENCODING_RAW,
        )
        if self.layout_size is not None:
            request.layout_extent.MergeFrom(v1.Extent(width=self.layout_size[0], height=self.layout_size[1]))
        return request

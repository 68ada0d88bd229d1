"""Drafts of the mock: boxes in their labels' colours, each with a tint by its look, the draft and the seed."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import grpc

from layoutbrush.plugin_bridge.api import AbstractDrafting
from layoutbrush.plugin_bridge.boxes import Box, DraftRequest
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.events import Draft, DraftEvent, Progress, Queued
from layoutbrush.plugin_bridge.mock_sources import Rgb
from layoutbrush.plugin_bridge.picture import Picture

SIDE = 64
UNKNOWN = 255
_WAIT_SECONDS = 30.0


@dataclass
class MockDrafting(AbstractDrafting):
    """See `AbstractDrafting`. `labels`: ids, names and colours. `hold`: where set, waited for after the first event."""

    request: DraftRequest
    labels: Mapping[int, tuple[str, Rgb]]
    hold: threading.Event | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """See `AbstractDrafting`."""
        self._cancelled.set()
        if self.hold is not None:
            self.hold.set()

    def __iter__(self) -> Iterator[DraftEvent]:
        request, count = self.request, max(1, self.request.count)
        self._check()
        yield Queued(0)
        yield Progress("draft", 0.0, 0.0)
        if self.hold is not None:
            self.hold.wait(_WAIT_SECONDS)
        width, height = request.layout_size or (SIDE, SIDE)
        label_map = Picture.gray(bytes(self._painted(width, height)), width, height)
        for index in range(count):
            if self._cancelled.is_set():
                raise RemoteError(grpc.StatusCode.CANCELLED, "The drafts were cancelled.")
            yield Draft(index, self._picture(index), label_map)
            yield Progress("draft", (index + 1) / count, 1.0 + index)

    def _check(self) -> None:
        names = [name for name, _ in self.labels.values()]
        for index, box in enumerate(self.request.boxes):
            if box.label not in names:
                text = f"The label is none of {', '.join(names)}."
                raise _refused(text, f"boxes[{index}].label", "UNKNOWN_LABEL")
            right, bottom = box.x + box.width, box.y + box.height
            inside = box.x >= 0 and box.y >= 0 and right <= self.request.width and bottom <= self.request.height
            if not (inside and box.width > 0 and box.height > 0):
                raise _refused("The box is empty or reaches beyond the extent.", f"boxes[{index}]", "OUT_OF_RANGE")
        if not self.request.boxes:
            raise _refused("There are 1 to 64 boxes.", "boxes", "OUT_OF_RANGE")

    def _painted(self, width: int, height: int) -> bytearray:
        """The label map."""
        ids = {name: number for number, (name, _) in self.labels.items()}
        rows = bytearray([UNKNOWN]) * (width * height)
        for box in self.request.boxes:
            for start, length in self._rows(box, width, height):
                rows[start : start + length] = bytes([ids[box.label]]) * length
        return rows

    def _picture(self, index: int) -> Picture:
        colors = dict(self.labels.values())
        pixels = bytearray([128]) * (3 * SIDE * SIDE)
        for place, box in enumerate(self.request.boxes):
            look = place if box.look is None else box.look
            tint = zlib.crc32(f"{self.request.seed} {index} {look}".encode()) % 65 - 32
            color = bytes(min(255, max(0, value + tint)) for value in colors[box.label])
            for start, length in self._rows(box, SIDE, SIDE):
                pixels[3 * start : 3 * (start + length)] = color * length
        return Picture(bytes(pixels), SIDE, SIDE, pixel_width=SIDE, pixel_height=SIDE)

    def _rows(self, box: Box, width: int, height: int) -> Iterator[tuple[int, int]]:
        """First pixel and length of each row of a box in a picture of that size."""
        across, down = width / self.request.width, height / self.request.height
        left, right = round(box.x * across), round((box.x + box.width) * across)
        for y in range(round(box.y * down), round((box.y + box.height) * down)):
            yield y * width + left, right - left


def _refused(text: str, where: str, reason: str) -> RemoteError:
    return RemoteError(grpc.StatusCode.INVALID_ARGUMENT, text, where, reason)

"""One edit as plug-ins of editors make it, with `layoutbrush.plugin_bridge.host` and a document made of bytes.

For `layoutbrush conformance --plugin`: the server's address and the script's name come in the environment.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection

from layoutbrush.plugin_bridge import Picture, Result
from layoutbrush.plugin_bridge.host import Palette, Server, Session, Snapshot, Wishes, label_layer
from layoutbrush.plugin_bridge.host.controller import Controller

SIDE = 96


class BytesHost:
    """One document: a photo, a label layer that is painted as soon as it is there, and a result."""

    def __init__(self) -> None:
        self.painted: bytes | None = None
        self.labels: Picture | None = None
        self.result: Result | None = None

    def documents(self) -> Collection[str]:
        return ("one",)

    def size(self, key: str) -> tuple[int, int]:
        return SIDE, SIDE

    def photo(self, key: str) -> Picture:
        pixels = bytes(value for i in range(SIDE * SIDE) for value in (i % 256, i // SIDE, 90, 255))
        return Picture(pixels, SIDE, SIDE, "BGRA")

    def snapshot(self, key: str, wishes: Wishes) -> Snapshot:
        return Snapshot(self.photo(key), self.painted, labels=self.labels, wishes=wishes)

    def show_labels(self, key: str, labels: Picture, colors: Picture, palette: Palette) -> None:
        ids = bytearray(labels.data)
        for row in range(30, 60):
            ids[row * SIDE + 30 : row * SIDE + 60] = bytes([palette.labels[4].id]) * 30
        self.labels, self.painted = labels, label_layer.paint(bytes(ids), palette)

    def show_preview(self, key: str, picture: Picture) -> None: ...

    def show_result(self, key: str, result: Result, title: str) -> None:
        self.result = result

    def drop_preview(self, key: str) -> None: ...

    def ask(self, question: str) -> bool:
        return True


def main() -> int:
    """Find labels, paint, render; returns 0 where there is a result."""
    host = BytesHost()
    controller = Controller(host, Session())
    controller.server = Server(os.environ["LAYOUTBRUSH_SERVER"])
    cancels = os.environ.get("LAYOUTBRUSH_SCRIPT") == "cancel"
    controller.segment("one")
    _wait(controller, False)
    if host.painted is not None:
        controller.generate("one", Wishes(seed=1))
        _wait(controller, cancels)
    controller.close()
    print(controller.status("one").text)
    return 0 if host.result is not None else 1


def _wait(controller: Controller, cancels: bool) -> None:
    while controller.waiting:
        controller.tick()
        if cancels and controller.status("one").text not in ("Sending ...", "Cancelling ..."):  # the server is at it
            controller.cancel("one")
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())

"""A stroke that supersedes a running edit: how long until its preview, beside a stroke on an idle server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import grpc

from layoutbrush.runtime.bench.edits import Server, connected, edit_request, open_document, render
from layoutbrush.runtime.bench.measure import landscape, painted
from layoutbrush.runtime.geometry import Extent

INTERRUPTED = 1.0
"""Share of the picture that the edit changes which is superseded: the longest that there is."""


def bench_superseding(
    server: Server, sizes: tuple[int, ...], shares: tuple[float, ...], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each size and share: the median preview of strokes on an idle server, and of strokes that come at
    moments spread over a running edit of the whole picture.
    """
    with connected(server) as stub:
        for size in sizes:
            photo, layout = landscape(Extent(size, size))
            document = open_document(stub, photo, layout)
            whole, _ = painted(layout, INTERRUPTED)
            render(stub, edit_request(document, whole, 0))
            lasts = render(stub, edit_request(document, whole, 1)).result / 1000
            for share in shares:
                stroke, _ = painted(layout, share)
                render(stub, edit_request(document, stroke, 0))
                idle, hurried = [], []
                for index in range(repeats):  # in turns: what else runs on the machine slows both
                    idle.append(render(stub, edit_request(document, stroke, index)).preview)
                    running = _Running(stub.Render(edit_request(document, whole, 2 + index)))
                    time.sleep(lasts * (index + 0.5) / (repeats + 1))
                    hurried.append(render(stub, edit_request(document, stroke, index, supersede=True)).preview)
                    running.join()
                medians = statistics.median(idle), statistics.median(hurried)
                yield {
                    "size": size,
                    "mask": share,
                    "idle_preview_ms": round(medians[0], 1),
                    "superseding_preview_ms": round(medians[1], 1),
                    "worst_ms": round(max(hurried), 1),
                    "ratio": round(medians[1] / medians[0], 2),
                }


class _Running:
    """An edit whose events are read in a thread, as an editor does."""

    def __init__(self, call: Iterator[object]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(grpc.RpcError):  # ABORTED, by the newer edit
            for _ in self._call:
                pass

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

"""Drafts over loopback gRPC, as a plugin sees them: the first one, all of them, and the server's peak memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

import numpy as np

from layoutbrush.runtime.bench.edits import Server, connected
from layoutbrush.runtime.bench.measure import forget_peak, peak_memory
from layoutbrush.v1 import drafts_pb2, info_pb2, layers_pb2, service_pb2_grpc

EXTENT = 64
"""Pixels a side that the boxes refer to."""


def bench_drafts(
    server: Server, boxes: Sequence[int], counts: Sequence[int], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each number of boxes and of drafts, medians of `repeats` orders; the server makes drafts."""
    with connected(server) as stub:
        labels = stub.GetServerInfo(info_pb2.GetServerInfoRequest()).draft_labels
        for number in boxes:
            for count in counts:
                layout = made_up(labels, number)
                forget_peak(server.process)
                _order(stub, layout, count, 0)
                runs = [_order(stub, layout, count, seed) for seed in range(repeats)]
                yield {
                    "boxes": number,
                    "drafts": count,
                    "first_ms": round(statistics.median(first for first, _ in runs), 1),
                    "all_ms": round(statistics.median(last for _, last in runs), 1),
                    "peak_bytes": peak_memory(server.process),
                }


def made_up(labels: Sequence[str], number: int, seed: int = 0) -> list[drafts_pb2.Box]:
    """Boxes all over the extent, the larger ones behind."""
    random = np.random.default_rng(seed)
    sides = np.sort(random.uniform(6, EXTENT, number))[::-1]
    corners = random.uniform(0, 1, (number, 2)) * (EXTENT - sides[:, None])
    return [
        drafts_pb2.Box(label=labels[i % len(labels)], x=x, y=y, width=side, height=side, look=i)
        for i, ((x, y), side) in enumerate(zip(corners, sides, strict=True))
    ]


def _order(
    stub: service_pb2_grpc.LayoutbrushServiceStub, boxes: Sequence[drafts_pb2.Box], count: int, seed: int
) -> tuple[float, float]:
    """Milliseconds from the call to the first draft and to the end."""
    extent = layers_pb2.Extent(width=EXTENT, height=EXTENT)
    request = drafts_pb2.GenerateDraftsRequest(extent=extent, boxes=boxes, count=count, seed=seed)
    first, begun = 0.0, time.perf_counter()
    for response in stub.GenerateDrafts(request):
        if response.HasField("draft") and not first:
            first = 1000 * (time.perf_counter() - begun)
    return first, 1000 * (time.perf_counter() - begun)

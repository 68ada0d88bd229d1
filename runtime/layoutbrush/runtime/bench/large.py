"""Edits of photos at a camera's resolution, over loopback gRPC: first preview, first tile, result, peak memory.

The label map goes up as a PNG and the result comes back in tiles, as a plugin would have it. The first edit of a place
costs the networks' look at its surroundings, too, so it has figures of its own.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.bench.edits import Server, connected, open_document
from layoutbrush.runtime.bench.measure import country, forget_peak, painted, peak_memory
from layoutbrush.runtime.geometry import Extent
from layoutbrush.v1 import documents_pb2, layers_pb2, render_pb2, service_pb2_grpc

ASPECT = 3 / 2


@dataclass(frozen=True)
class _Run:
    """Milliseconds from the call to the last byte of the first preview, the first tile and the result."""

    preview: float
    tile: float
    result: float
    server: float


def bench_large(
    server: Server, megapixels: tuple[int, ...], shares: tuple[float, ...], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each size (3:2 photos) and share of the mask: the first edit, and medians of `repeats` more."""
    with connected(server) as stub:
        for million in megapixels:
            width = round((ASPECT * million * 1e6) ** 0.5)
            photo, layout = country(Extent(width, round(width / ASPECT)))
            begun = time.perf_counter()
            document = open_document(stub, photo, layout)
            opened = 1000 * (time.perf_counter() - begun)
            for share in shares:
                edited, _ = painted(layout, share)
                data = _png(edited)
                forget_peak(server.process)
                first = _render(stub, document, data, 0)
                runs = [_render(stub, document, data, seed) for seed in range(1, repeats + 1)]
                yield {
                    "megapixels": million,
                    "mask": share,
                    "open_ms": round(opened),
                    "new_preview_ms": round(first.preview, 1),
                    "new_result_ms": round(first.result, 1),
                    "preview_ms": round(statistics.median(run.preview for run in runs), 1),
                    "tile_ms": round(statistics.median(run.tile for run in runs), 1),
                    "result_ms": round(statistics.median(run.result for run in runs), 1),
                    "server_ms": round(statistics.median(run.server for run in runs), 1),
                    "peak_mb": round(peak_memory(server.process) / 1e6),
                }
            stub.CloseDocument(documents_pb2.CloseDocumentRequest(document_id=document))


def _png(labels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(labels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _render(stub: service_pb2_grpc.LayoutbrushServiceStub, document: str, label_map: bytes, seed: int) -> _Run:
    layer = layers_pb2.Layer(
        kind=layers_pb2.LAYER_KIND_EDITED_LABEL_MAP, encoding=layers_pb2.ENCODING_PNG, data=label_map
    )
    options = render_pb2.RenderOptions(seed=seed, warped_preview=True, tiles=True)
    request = render_pb2.RenderRequest(document_id=document, edit=render_pb2.Edit(label_map=layer), options=options)
    times: dict[str, float] = {}
    server = 0.0
    begun = time.perf_counter()
    for response in stub.Render(request):
        event = str(response.WhichOneof("event"))
        times.setdefault(event, 1000 * (time.perf_counter() - begun))
        if event == "result":
            server = {timing.stage: timing.milliseconds for timing in response.result.timings}.get("total", 0.0)
    result = 1000 * (time.perf_counter() - begun)
    return _Run(times["preview"], times.get("tile", result), result, server)

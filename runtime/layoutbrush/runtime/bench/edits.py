"""Whole edits over loopback gRPC, as a plugin sees them: first preview, result, bytes, and the server's peak memory.

Written against the generated code alone, and so an example of a client too.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.bench.measure import forget_peak, landscape, painted, peak_memory
from layoutbrush.runtime.errors import FailedPrecondition, Internal
from layoutbrush.runtime.geometry import Extent
from layoutbrush.v1 import documents_pb2, layers_pb2, render_pb2, service_pb2_grpc

PART = 2 << 20
"""Bytes of a layer sent in one message."""


@dataclass(frozen=True)
class Server:
    """A running server: its address and its process."""

    address: str
    process: int


@contextmanager
def own_server(bundle: str, threads: int, drafts: str = "none") -> Iterator[Server]:
    """Run a server on a free port for as long as the block lasts.

    Raises:
        Internal: it did not start; it says why on standard error.
    """
    command = [sys.executable, "-m", "layoutbrush.runtime.cli", "serve", "--port", "0", "--follow-stdin"]
    command += ["--bundle", bundle, "--threads", str(threads), "--drafts", drafts]
    pipe = subprocess.PIPE
    open_to_us = {name: value for name, value in os.environ.items() if name != "LAYOUTBRUSH_TOKEN"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=open_to_us) as process:
        try:
            yield Server(_bound(process), process.pid)
        finally:
            process.terminate()


def _bound(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if found := re.search(r"listening on (\S+:\d+)", line):
            return found.group(1)
    raise Internal("The server did not start.")


def bench_edits(
    server: Server, sizes: tuple[int, ...], shares: tuple[float, ...], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each size (pixels a side) and share of the mask, medians of `repeats` edits.

    `outside_ms`: what of the result's time is neither masks, networks nor pixels, but gRPC, queue, encoding and copies.
    """
    with connected(server) as stub:
        for size in sizes:
            photo, layout = landscape(Extent(size, size))
            begun = time.perf_counter()
            document = open_document(stub, photo, layout)
            opened = 1000 * (time.perf_counter() - begun)
            for share in shares:
                edited, _ = painted(layout, share)
                forget_peak(server.process)
                render(stub, edit_request(document, edited, 0))
                runs = [render(stub, edit_request(document, edited, seed)) for seed in range(repeats)]
                yield {
                    "size": size,
                    "mask": share,
                    "open_ms": round(opened, 1),
                    "preview_ms": round(statistics.median(run.preview for run in runs), 1),
                    "result_ms": round(statistics.median(run.result for run in runs), 1),
                    "server_ms": round(statistics.median(run.server for run in runs), 1),
                    "outside_ms": round(statistics.median(run.result - run.server for run in runs), 1),
                    "sent_bytes": runs[0].sent,
                    "received_bytes": runs[0].received,
                    "peak_bytes": peak_memory(server.process),
                }
            stub.CloseDocument(documents_pb2.CloseDocumentRequest(document_id=document))


@contextmanager
def connected(server: Server) -> Iterator[service_pb2_grpc.LayoutbrushServiceStub]:
    """A stub that takes messages of any size.

    Raises:
        FailedPrecondition: what the server refuses, in its words.
    """
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, options) as channel:
        try:
            yield service_pb2_grpc.LayoutbrushServiceStub(channel)
        except grpc.RpcError as error:
            raise FailedPrecondition(f"The server refuses: {error.details()}") from error


@dataclass(frozen=True)
class Run:
    """`preview`, `result`: milliseconds from the call to the last byte of each. `server`: its own total."""

    preview: float
    result: float
    server: float
    sent: int
    received: int


def _layer(kind: layers_pb2.LayerKind, pixels: NDArray[np.uint8]) -> layers_pb2.Layer:
    order = layers_pb2.CHANNEL_ORDER_GRAY if pixels.ndim == 2 else layers_pb2.CHANNEL_ORDER_RGB
    return layers_pb2.Layer(
        kind=kind,
        bounds=layers_pb2.Bounds(width=pixels.shape[1], height=pixels.shape[0]),
        encoding=layers_pb2.ENCODING_RAW,
        format=layers_pb2.PixelFormat(channel_order=order, data_type=layers_pb2.DATA_TYPE_UINT8),
    )


def open_document(
    stub: service_pb2_grpc.LayoutbrushServiceStub, photo: NDArray[np.uint8], layout: NDArray[np.uint8]
) -> str:
    """Open a document with a photo and its label map, part by part; returns its id."""
    document: str = stub.OpenDocument(documents_pb2.OpenDocumentRequest()).document_id
    for kind, pixels in ((layers_pb2.LAYER_KIND_PHOTO, photo), (layers_pb2.LAYER_KIND_LABEL_MAP, layout)):
        data = pixels.tobytes()
        for offset in range(0, len(data), PART):
            layer = _layer(kind, pixels)
            layer.data, layer.data_size = data[offset : offset + PART], len(data)
            stub.UploadLayer(documents_pb2.UploadLayerRequest(document_id=document, layer=layer, offset=offset))
    return document


def edit_request(
    document: str, edited: NDArray[np.uint8], seed: int, supersede: bool = False
) -> render_pb2.RenderRequest:
    """An edit with its first preview, raw."""
    layer = _layer(layers_pb2.LAYER_KIND_EDITED_LABEL_MAP, edited)
    layer.data = edited.tobytes()
    options = render_pb2.RenderOptions(
        seed=seed, warped_preview=True, encoding=layers_pb2.ENCODING_RAW, supersede=supersede
    )
    return render_pb2.RenderRequest(document_id=document, edit=render_pb2.Edit(label_map=layer), options=options)


def render(stub: service_pb2_grpc.LayoutbrushServiceStub, request: render_pb2.RenderRequest) -> Run:
    """Make an edit and read it to its end."""
    begun = time.perf_counter()
    preview = server = 0.0
    received = 0
    for response in stub.Render(request):
        received += response.ByteSize()
        if response.WhichOneof("event") == "preview" and not preview:
            preview = 1000 * (time.perf_counter() - begun)
        if response.WhichOneof("event") == "result":
            server = {timing.stage: timing.milliseconds for timing in response.result.timings}.get("total", 0.0)
    result = 1000 * (time.perf_counter() - begun)
    return Run(preview, result, server, request.ByteSize(), received)

"""What every server is held against where time matters: parts, chunks, cancelling, superseding, polling."""

from __future__ import annotations

from functools import partial

import grpc
import numpy as np

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.bench import Bench, Rendered, raw
from layoutbrush.plugin_bridge.conformance.checks import Skipped, check, expect, refusal
from layoutbrush.plugin_bridge.conformance.server_checks import MESSAGE_LIMIT
from layoutbrush.plugin_bridge.errors import RemoteError

_LARGE = 1024
_PART = 500_000
_POLLS = 2000
_WAIT_MS = 2000


@check("parts", "A layer goes up in parts, in order; a wrong offset is refused and loses nothing")
def _parts(bench: Bench) -> None:
    photo = bench.photo(640, 512)
    layer, document = raw(v1.LAYER_KIND_PHOTO, photo), bench.open()
    data = layer.data
    for offset in range(0, len(data), _PART):
        part = v1.Layer()
        part.CopyFrom(layer)
        part.data, part.data_size = data[offset : offset + _PART], len(data)
        request = v1.UploadLayerRequest(document_id=document, layer=part, offset=offset)
        state = bench.transport.call("UploadLayer", request).layer
        expect(state.received_size == offset + len(part.data), "received_size isn't what was sent.")
        expect(state.complete == (offset + _PART >= len(data)), "`complete` is wrong.")
        if offset == 0:
            request.offset = 7
            again = partial(bench.transport.call, "UploadLayer", request)
            refusal(again, "A part at the wrong offset", grpc.StatusCode.INVALID_ARGUMENT)
            refusal(lambda: bench.render(document), "Rendering half a photo", grpc.StatusCode.INVALID_ARGUMENT)


@check("chunks", "Large layers come in messages below 4 MiB, their chunks in order and without gaps")
def _chunks(bench: Bench) -> None:
    photo = bench.photo(_LARGE, _LARGE)
    mask = raw(v1.LAYER_KIND_MASK, np.full((_LARGE, _LARGE), 255, np.uint8))
    edit = v1.Edit(
        label_map=raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bench.edited(photo)), mask=mask, mask_use=v1.MASK_USE_REPLACE
    )
    rendered = bench.render(bench.open_photo(photo), edit)
    expect(max(event.ByteSize() for event in rendered.events) < MESSAGE_LIMIT, "A message is above 4 MiB.")
    sizes = {layer.transfer_id: layer.data_size for layer in (rendered.result.layer, rendered.result.mask)}
    got: dict[int, int] = {}
    for event in rendered.events:
        if event.HasField("chunk"):
            chunk = event.chunk
            expect(chunk.offset == got.get(chunk.transfer_id, 0), "A chunk is missing or out of order.")
            got[chunk.transfer_id] = chunk.offset + len(chunk.data)
            ends = got[chunk.transfer_id] == sizes.get(chunk.transfer_id)
            expect(chunk.last == ends, "`last` isn't on the last chunk.")
    for layer in (rendered.result.layer, rendered.result.mask):
        expect(len(rendered.bytes_of(layer)) == layer.data_size, "A layer's bytes are not all there.")


@check("cancel", "A client that goes away ends its render; the document and the next render are unharmed")
def _cancel(bench: Bench) -> None:
    document = bench.open_photo()
    for _ in range(8):
        stream = bench.transport.stream("Render", bench.request(document))
        next(iter(stream))
        stream.cancel()
    expect("result" in bench.render(document).kinds, "There is no result afterwards.")


@check("supersede", "A newer render with `supersede` ends the older one, and has a result")
def _supersede(bench: Bench) -> None:
    document = bench.open_photo()
    older = iter(bench.transport.stream("Render", bench.request(document)))
    next(older)
    expect("result" in bench.render(document, supersede=True).kinds, "The newer render has no result.")
    try:
        for _ in older:  # it may have been faster
            pass
    except RemoteError as error:
        ended = error.code is grpc.StatusCode.ABORTED and error.reason == "SUPERSEDED"
        expect(ended, f"The older one ended with {error.code.name} {error.reason}, not ABORTED SUPERSEDED.")


@check("polling", "StartRender and PollRender bring what Render brings; a lost poll is made again")
def _polling(bench: Bench) -> None:
    if not bench.info.capabilities.polling:
        raise Skipped("The server says that it can't.")
    document = bench.open_photo()
    streamed = bench.render(document, seed=3)
    started = bench.transport.call("StartRender", v1.StartRenderRequest(render=bench.request(document, seed=3)))
    events, after = [], 0
    for _ in range(_POLLS):
        request = v1.PollRenderRequest(render_id=started.render_id, after=after, wait_ms=_WAIT_MS)
        answer = bench.transport.call("PollRender", request)
        again = bench.transport.call("PollRender", request)
        expect(list(again.events)[: len(answer.events)] == list(answer.events), "The same poll brings other events.")
        expect(answer.ByteSize() < MESSAGE_LIMIT, "An answer is above 4 MiB.")
        events += answer.events
        after = answer.next
        if answer.finished:
            break
    polled = Rendered(events)
    expect(polled.kinds[:1] == ["queued"] and polled.kinds.count("result") == 1, "An event is missing, or there twice.")
    same = polled.bytes_of(polled.result.layer) == streamed.bytes_of(streamed.result.layer)
    expect(same, "The result differs from the streamed one.")
    cancel = v1.CancelRenderRequest(render_id=started.render_id)
    for _ in range(2):
        bench.transport.call("CancelRender", cancel)
    gone = v1.PollRenderRequest(render_id=started.render_id)
    refusal(
        lambda: bench.transport.call("PollRender", gone),
        "Polling a cancelled render",
        grpc.StatusCode.NOT_FOUND,
        "RENDER_NOT_FOUND",
    )

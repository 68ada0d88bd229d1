"""What a server that draws from other photos is held against."""

from __future__ import annotations

from functools import partial

import grpc
import numpy as np

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.bench import Array, Bench, Rendered, raw
from layoutbrush.plugin_bridge.conformance.checks import Skipped, check, expect, refusal

NAME = "other-photo"


def _reference(bench: Bench, label: int) -> list[v1.Layer]:
    """A grey photo, the label everywhere but in its last row."""
    height, width = bench.side, bench.side + 16
    labels = np.full((height, width), label, np.uint8)
    labels[-1] = next(number for number in bench.ids() if number != label)
    photo = np.full((height, width, 3), 90, np.uint8)
    layers = [raw(v1.LAYER_KIND_REFERENCE_PHOTO, photo), raw(v1.LAYER_KIND_REFERENCE_LABEL_MAP, labels)]
    for layer in layers:
        layer.reference_id = NAME
    return layers


def _open(bench: Bench, label: int) -> str:
    photo = bench.photo()
    own = [raw(v1.LAYER_KIND_PHOTO, photo), raw(v1.LAYER_KIND_LABEL_MAP, bench.layout(photo))]
    return bench.open(*own, *_reference(bench, label))


def _unchanged(bench: Bench, rendered: Rendered) -> Array:
    """Check that outside the mask all is the photo's; returns the mask over the photo, bool (h, w)."""
    photo, layer = bench.photo(), rendered.result.layer
    place = np.s_[
        layer.bounds.y : layer.bounds.y + layer.bounds.height, layer.bounds.x : layer.bounds.x + layer.bounds.width
    ]
    mask = rendered.pixels(rendered.result.mask)[..., 0] > 0
    pixels = rendered.pixels(layer)
    expect(np.array_equal(pixels[~mask], photo[place][~mask]), "A pixel outside the mask changed.")
    whole = np.zeros(photo.shape[:2], np.bool_)
    whole[place] = mask
    return whole


@check("sources", "What draws from a reference is part of the mask, and nothing else changes; a seed is a picture")
def _sources(bench: Bench) -> None:
    if not bench.info.capabilities.references:
        raise Skipped("The server says that it draws from no other photos.")
    first, last = bench.ids()
    document = _open(bench, first)
    region = np.zeros(bench.photo().shape[:2], np.uint8)
    region[30:46, 24:44] = 255
    same = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bench.layout(bench.photo()))
    edit = v1.Edit(label_map=same, sources=[v1.Source(region=raw(v1.LAYER_KIND_MASK, region), reference_id=NAME)])
    renders = [bench.render(document, edit, seed=3) for _ in range(2)]
    mask = _unchanged(bench, renders[0])
    expect(mask[region > 0].all(), "A region with a source isn't part of the mask.")
    one, two = (rendered.bytes_of(rendered.result.layer) for rendered in renders)
    expect(one == two, "Two renders with one seed differ.")
    edit = v1.Edit(label_map=raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bench.edited(bench.photo())))
    edit.sources.add(label_id=last, reference_id=NAME, source_label_id=first)
    expect(_unchanged(bench, bench.render(document, edit))[24:40, 20:36].all(), "A label with a source isn't filled.")


@check("references", "A reference that isn't there, lacks the label or has another size is named")
def _references(bench: Bench) -> None:
    if not bench.info.capabilities.references:
        raise Skipped("The server says that it draws from no other photos.")
    bad = grpc.StatusCode.INVALID_ARGUMENT
    first, last = bench.ids()
    document = _open(bench, first)
    lacking = _reference(bench, first)
    lacking[1].CopyFrom(raw(v1.LAYER_KIND_REFERENCE_LABEL_MAP, np.full((bench.side, bench.side + 16), first, np.uint8)))
    lacking[1].reference_id = NAME
    bench.transport.call("UploadLayer", v1.UploadLayerRequest(document_id=document, layer=lacking[1]))
    whole = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bench.edited(bench.photo()))
    for source, what in (
        (v1.Source(label_id=last, reference_id="nobody-sent-this"), "A reference that wasn't sent"),
        (v1.Source(label_id=last, reference_id=NAME), "A reference without the label"),
    ):
        edit = v1.Edit(label_map=whole, sources=[source])
        error = refusal(partial(bench.render, document, edit), what, bad)
        expect(error.field == "edit.sources[0].reference_id", f"{what}: the field is {error.field!r}.")
        expect(source.reference_id in error.message, f"{what}: its name isn't in the sentence.")
    small = raw(v1.LAYER_KIND_REFERENCE_LABEL_MAP, np.full((8, 8), first, np.uint8))
    small.reference_id = NAME
    request = v1.UploadLayerRequest(document_id=document, layer=small)
    refusal(lambda: bench.transport.call("UploadLayer", request), "A label map of another size", bad, "SIZE_MISMATCH")
    expect("result" in bench.render(document).kinds, "The document was lost.")

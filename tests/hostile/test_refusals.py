"""Bad values, one by one: the right code, the right field, and the document lives on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layoutbrush import v1
from layoutbrush.runtime.testing import raw_layer

H, W = 70, 80
GRAY = v1.PixelFormat(channel_order=v1.CHANNEL_ORDER_GRAY, data_type=v1.DATA_TYPE_UINT8)
Mutate = Callable[[v1.Layer], Any]


def labels(value: int = 1, x: int = 0, y: int = 0, height: int = H, width: int = W) -> v1.Layer:
    return raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((height, width), value, np.uint8), x, y)


def mask(value: np.generic) -> v1.Layer:
    return raw_layer(v1.LAYER_KIND_MASK, np.full((H, W), value, value.dtype))


def changed(layer: v1.Layer, **fields: Any) -> v1.Layer:
    for name, value in fields.items():
        target, _, last = name.rpartition("__")
        parent = getattr(layer, target) if target else layer
        setattr(parent, last, value)
    return layer


NAN = np.float32("nan")
EDITS: dict[str, tuple[v1.Edit, str, str]] = {
    "label outside the bundle": (v1.Edit(label_map=labels(15)), "edit.label_map.data", "UNKNOWN_LABEL"),
    "label outside the bundle in a tile": (
        v1.Edit(tiles=v1.TileEdit(tiles=[labels(1, 0, 0, 8, 8), labels(200, 8, 8, 8, 8)])),
        "edit.tiles.tiles[1].data",
        "UNKNOWN_LABEL",
    ),
    "label map beyond the photo": (v1.Edit(label_map=labels(1, 1)), "edit.label_map.bounds", "SIZE_MISMATCH"),
    "label map far away": (v1.Edit(label_map=labels(1, 1 << 21)), "edit.label_map.bounds", "OUT_OF_RANGE"),
    "fewer bytes than pixels": (
        v1.Edit(label_map=changed(labels(), data=b"\0" * (H * W - 1))),
        "edit.label_map.data",
        "SIZE_MISMATCH",
    ),
    "more bytes than pixels": (
        v1.Edit(label_map=changed(labels(), data=b"\0" * (H * W + 1))),
        "edit.label_map.data",
        "SIZE_MISMATCH",
    ),
    "no bytes": (v1.Edit(label_map=changed(labels(), data=b"")), "edit.label_map.data", "OUT_OF_RANGE"),
    "only a part": (
        v1.Edit(label_map=changed(labels(), data=b"\0" * 99, data_size=H * W)),
        "edit.label_map.data",
        "INVALID_ARGUMENT",
    ),
    "empty bounds": (v1.Edit(label_map=changed(labels(), bounds__width=0)), "edit.label_map.bounds", "OUT_OF_RANGE"),
    "no encoding": (v1.Edit(label_map=changed(labels(), encoding=0)), "edit.label_map.encoding", "INVALID_ARGUMENT"),
    "unknown encoding": (
        v1.Edit(label_map=changed(labels(), encoding=77)),
        "edit.label_map.encoding",
        "INVALID_ARGUMENT",
    ),
    "JPEG label map": (v1.Edit(label_map=changed(labels(), encoding=3)), "edit.label_map.encoding", "INVALID_ARGUMENT"),
    "unknown channel order": (
        v1.Edit(label_map=changed(labels(), format__channel_order=99)),
        "edit.label_map.format.channel_order",
        "INVALID_ARGUMENT",
    ),
    "no data type": (
        v1.Edit(label_map=changed(labels(), format__data_type=0)),
        "edit.label_map.format.data_type",
        "INVALID_ARGUMENT",
    ),
    "unknown plane order": (
        v1.Edit(label_map=changed(labels(), format__plane_order=9)),
        "edit.label_map.format.plane_order",
        "INVALID_ARGUMENT",
    ),
    "coloured label map": (
        v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.zeros((H, W, 3), np.uint8))),
        "edit.label_map.format.channel_order",
        "INVALID_ARGUMENT",
    ),
    "float label map": (
        v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.zeros((H, W), np.float32))),
        "edit.label_map.format.data_type",
        "INVALID_ARGUMENT",
    ),
    "16-bit label that wraps around": (
        v1.Edit(label_map=raw_layer(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((H, W), 256, np.uint16))),
        "edit.label_map.data",
        "UNKNOWN_LABEL",
    ),
    "row stride below a row": (
        v1.Edit(label_map=changed(labels(), format__row_stride=W - 1)),
        "edit.label_map.format.row_stride",
        "OUT_OF_RANGE",
    ),
    "row stride of 4 GB": (
        v1.Edit(label_map=changed(labels(), format__row_stride=(1 << 32) - 1)),
        "edit.label_map.data",
        "SIZE_MISMATCH",
    ),
    "another kind": (v1.Edit(label_map=mask(np.uint8(255))), "edit.label_map.kind", "INVALID_ARGUMENT"),
    "reference id on a label map": (
        v1.Edit(label_map=changed(labels(), reference_id="a")),
        "edit.label_map.reference_id",
        "INVALID_ARGUMENT",
    ),
    "equal label map": (v1.Edit(label_map=labels(0)), "edit.label_map", "INVALID_ARGUMENT"),
    "nothing at all": (v1.Edit(), "edit.label_map", "INVALID_ARGUMENT"),
    "empty mask": (v1.Edit(label_map=labels(), mask=mask(np.uint8(0))), "edit.mask", "INVALID_ARGUMENT"),
    "mask of NaN": (v1.Edit(label_map=labels(), mask=mask(NAN)), "edit.mask.data", "INVALID_ARGUMENT"),
    "mask of infinity": (
        v1.Edit(label_map=labels(), mask=mask(np.float16("inf"))),
        "edit.mask.data",
        "INVALID_ARGUMENT",
    ),
    "mask outside the difference": (
        v1.Edit(
            label_map=labels(1, 0, 0, 4, 4),
            mask=raw_layer(v1.LAYER_KIND_MASK, np.full((4, 4), 255, np.uint8), 60, 60),
            mask_use=v1.MASK_USE_BOUND,
        ),
        "edit.mask",
        "INVALID_ARGUMENT",
    ),
    "unknown use of the mask": (v1.Edit(label_map=labels(), mask_use=8), "edit.mask_use", "INVALID_ARGUMENT"),  # type: ignore[arg-type]
    "exclude beyond the photo": (
        v1.Edit(label_map=labels(), exclude=raw_layer(v1.LAYER_KIND_EXCLUDE, np.ones((H, W), np.uint8), 0, 1)),
        "edit.exclude.bounds",
        "SIZE_MISMATCH",
    ),
    "no tiles": (v1.Edit(tiles=v1.TileEdit()), "edit.tiles.tiles", "OUT_OF_RANGE"),
    "too many tiles": (
        v1.Edit(tiles=v1.TileEdit(tiles=[labels(1, 0, 0, 1, 1)] * 4097)),
        "edit.tiles.tiles",
        "OUT_OF_RANGE",
    ),
    "tile without bounds": (
        v1.Edit(tiles=v1.TileEdit(tiles=[v1.Layer(encoding=v1.ENCODING_RAW, format=GRAY, data=b"\1" * (H * W))])),
        "edit.tiles.tiles[0].bounds",
        "INVALID_ARGUMENT",
    ),
    "revision that never was": (
        v1.Edit(tiles=v1.TileEdit(base_revision=1 << 63, tiles=[labels(1, 0, 0, 8, 8)])),
        "edit.tiles.base_revision",
        "STALE_REVISION",
    ),
    "source without a target": (
        v1.Edit(label_map=labels(), sources=[v1.Source(reference_id="a")]),
        "edit.sources[0].label_id",
        "INVALID_ARGUMENT",
    ),
    "source of an unknown label": (
        v1.Edit(label_map=labels(), sources=[v1.Source(label_id=99)]),
        "edit.sources[0].label_id",
        "UNKNOWN_LABEL",
    ),
    "source that was not sent": (
        v1.Edit(label_map=labels(), sources=[v1.Source(label_id=1), v1.Source(label_id=2, reference_id="gone")]),
        "edit.sources[1].reference_id",
        "INVALID_ARGUMENT",
    ),
    "source with an empty region": (
        v1.Edit(label_map=labels(), sources=[v1.Source(region=mask(np.uint8(0)))]),
        "edit.sources[0].region",
        "INVALID_ARGUMENT",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_bad_edits(victim: Any, name: str) -> None:
    edit, field, reason = EDITS[name]
    refusal = victim.refused(lambda: victim.render(edit))
    expected = "FAILED_PRECONDITION" if reason == "STALE_REVISION" else "INVALID_ARGUMENT"
    assert (refusal.code, refusal.field, refusal.reason) == (expected, field, reason)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 1 << 31}, "options.seed"),
    "negative grow": ({"grow": -0.1}, "options.grow"),
    "large grow": ({"grow": 1.5}, "options.grow"),
    "NaN grow": ({"grow": float("nan")}, "options.grow"),
    "tiny previews": ({"preview_side": 15}, "options.preview_side"),
    "huge previews": ({"preview_side": 16385}, "options.preview_side"),
    "JPEG result": ({"encoding": v1.ENCODING_JPEG}, "options.encoding"),
    "unknown encoding": ({"encoding": 44}, "options.encoding"),
    "grey result": ({"channel_order": v1.CHANNEL_ORDER_GRAY}, "options.channel_order"),
    "BGR in a PNG": ({"encoding": v1.ENCODING_PNG, "channel_order": v1.CHANNEL_ORDER_BGR}, "options.channel_order"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_options(victim: Any, name: str) -> None:
    options, field = OPTIONS[name]
    refusal = victim.refused(lambda: victim.render(**options))
    assert (refusal.code, refusal.field) == ("INVALID_ARGUMENT", field)


def test_bad_layers_leave_the_document_as_it_was(victim: Any) -> None:
    other = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((H + 1, W, 3), np.uint8))
    assert victim.refused(lambda: victim.put(other)).field == "layer.bounds"
    wide = raw_layer(v1.LAYER_KIND_LABEL_MAP, np.zeros((H, W + 1), np.uint8))
    assert victim.refused(lambda: victim.put(wide)).field == "layer.bounds"
    strange = raw_layer(v1.LAYER_KIND_LABEL_MAP, np.full((H, W), 44, np.uint8))
    assert victim.refused(lambda: victim.put(strange)).reason == "UNKNOWN_LABEL"
    nan = raw_layer(v1.LAYER_KIND_PHOTO, np.full((H, W, 3), NAN, "<f4"))
    assert victim.refused(lambda: victim.put(nan)).field == "layer.data"
    assert victim.refused(lambda: victim.put(v1.Layer())).field == "layer.kind"
    nameless = raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, np.zeros((H, W, 3), np.uint8))
    assert victim.refused(lambda: victim.put(nameless)).field == "layer.reference_id"
    nameless.reference_id = "../../etc/passwd"
    assert victim.refused(lambda: victim.put(nameless)).field == "layer.reference_id"


def test_reference_and_label_map_must_fit(victim: Any) -> None:
    victim.put(raw_layer(v1.LAYER_KIND_REFERENCE_PHOTO, np.zeros((90, 64, 3), np.uint8), reference_id="r"))
    small = raw_layer(v1.LAYER_KIND_REFERENCE_LABEL_MAP, np.zeros((90, 63), np.uint8), reference_id="r")
    assert victim.refused(lambda: victim.put(small)).reason == "SIZE_MISMATCH"
    fitting = raw_layer(v1.LAYER_KIND_REFERENCE_LABEL_MAP, np.zeros((90, 64), np.uint8), reference_id="r")
    assert victim.put(fitting).complete
    lacking = v1.Edit(label_map=labels(), sources=[v1.Source(label_id=1, reference_id="r")])
    assert victim.refused(lambda: victim.render(lacking)).field == "edit.sources[0].reference_id"


def test_opening_all_or_nothing(victim: Any) -> None:
    photo = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((H, W, 3), np.uint8))
    bad = raw_layer(v1.LAYER_KIND_LABEL_MAP, np.full((H, W), 99, np.uint8))
    assert victim.refused(lambda: victim.open(bad, photo)).field == "layers[0].data"
    assert victim.refused(lambda: victim.open(photo, photo)).field == "layers[1].kind"
    tiny = raw_layer(v1.LAYER_KIND_PHOTO, np.zeros((63, 200, 3), np.uint8))
    assert victim.refused(lambda: victim.open(tiny)).field == "layers[0].bounds"


def test_documents_that_are_not_there(victim: Any) -> None:
    for name in ("", "x", "a" * 10_000, victim.document[:-1], "\x00"):
        request = v1.RenderRequest(document_id=name)
        refusal = victim.refused(lambda request=request: list(victim.stub.Render(request)))
        assert (refusal.code, refusal.reason) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")
    empty = victim.open().document_id
    refusal = victim.refused(lambda: list(victim.stub.Render(v1.RenderRequest(document_id=empty))))
    assert refusal.code == "FAILED_PRECONDITION"


NO_NUMBER, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("box", "field"),
    [
        ({"label": "tree", "x": 60, "width": 10, "height": 10}, "width"),
        ({"label": "tree", "x": -1, "width": 10, "height": 10}, "x"),
        ({"label": "tree", "x": 64, "width": 10, "height": 10}, "x"),
        ({"label": "tree", "y": 30, "width": 10, "height": 35}, "height"),
        ({"label": "tree", "y": -0.001, "width": 10, "height": 5}, "y"),
        ({"label": "tree", "width": NO_NUMBER, "height": 10}, "width"),
        ({"label": "tree", "x": NO_NUMBER, "width": 4, "height": 10}, "x"),
        ({"label": "tree", "y": INFINITE, "width": 4, "height": 10}, "y"),
        ({"label": "tree", "width": 4, "height": -INFINITE}, "height"),
        ({"label": "tree", "width": 0, "height": 10}, "width"),
        ({"label": "tree", "width": 10, "height": -10}, "height"),
        ({"width": 10, "height": 10}, "label"),
        ({"label": "Tree", "width": 10, "height": 10}, "label"),
        ({"label": "x" * 100_000, "width": 10, "height": 10}, "label"),
    ],
)
def test_bad_boxes(victim: Any, box: dict[str, Any], field: str) -> None:
    good = v1.Box(label="sky", width=64, height=64)
    request = v1.GenerateDraftsRequest(extent=v1.Extent(width=64, height=64), boxes=[good, v1.Box(**box)])
    refusal = victim.refused(lambda: list(victim.stub.GenerateDrafts(request)))
    assert (refusal.code, refusal.field) == ("INVALID_ARGUMENT", f"boxes[1].{field}")
    assert len(refusal.message) < 500
    if box.get("label") not in (None, "tree"):
        assert refusal.reason == "UNKNOWN_LABEL"
        assert "pavement" in refusal.message  # those that there are


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"boxes": []}, "INVALID_ARGUMENT", "boxes"),
        ({"boxes": [v1.Box(label="sky", width=1, height=1)] * 65}, "INVALID_ARGUMENT", "boxes"),
        ({"extent": None}, "INVALID_ARGUMENT", "extent"),
        ({"extent": v1.Extent(width=64)}, "INVALID_ARGUMENT", "extent"),
        ({"extent": v1.Extent(width=64, height=16385)}, "INVALID_ARGUMENT", "extent"),
        ({"count": 65}, "INVALID_ARGUMENT", "count"),
        ({"seed": 1 << 31}, "INVALID_ARGUMENT", "seed"),
        ({"encoding": v1.ENCODING_JPEG}, "INVALID_ARGUMENT", "encoding"),
        ({"before": [v1.BoxList(boxes=[v1.Box(label="sky", width=1, height=1)])] * 17}, "INVALID_ARGUMENT", "before"),
        ({"before": [v1.BoxList()]}, "INVALID_ARGUMENT", "before[0].boxes"),
        (
            {"before": [v1.BoxList(boxes=[v1.Box(label="sky", width=NO_NUMBER, height=1)])]},
            "INVALID_ARGUMENT",
            "before[0].boxes[0].width",
        ),
        ({"layout_extent": v1.Extent(width=64)}, "INVALID_ARGUMENT", "layout_extent"),
        ({"layout_extent": v1.Extent(width=16385, height=4)}, "INVALID_ARGUMENT", "layout_extent"),
        ({"layout_extent": v1.Extent(width=8192, height=8192), "count": 4}, "RESOURCE_EXHAUSTED", "layout_extent"),
    ],
)
def test_bad_orders_of_drafts(victim: Any, values: dict[str, Any], code: str, field: str) -> None:
    box = v1.Box(label="sky", width=64, height=64)
    request = v1.GenerateDraftsRequest(**{"extent": v1.Extent(width=64, height=64), "boxes": [box], **values})
    refusal = victim.refused(lambda: list(victim.stub.GenerateDrafts(request)))
    assert (refusal.code, refusal.field) == (code, field)

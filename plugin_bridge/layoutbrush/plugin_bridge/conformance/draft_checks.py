"""What servers that make drafts are held against: boxes in, pictures out, each as it is done."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import grpc
import numpy as np

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.bench import Array, Bench, Streamed
from layoutbrush.plugin_bridge.conformance.checks import Skipped, check, expect, refusal

UNKNOWN = 255
_SIDE = 96
_BAD = grpc.StatusCode.INVALID_ARGUMENT


class Drawn(Streamed[v1.GenerateDraftsResponse]):
    """The events of GenerateDrafts."""

    @property
    def drafts(self) -> list[v1.Draft]:
        """The drafts as they came."""
        return [event.draft for event in self.events if event.HasField("draft")]

    def pictures(self) -> list[Array]:
        """The pictures, uint8 (h, w, 3)."""
        return [self.pixels(draft.picture) for draft in self.drafts]


def _names(bench: Bench) -> list[str]:
    """What boxes may be named."""
    if not bench.info.capabilities.drafts:
        raise Skipped("The server says that it can't.")
    names = list(bench.info.draft_labels)
    expect(names, "It says that it makes drafts, and names no labels for boxes.")
    return names


def _boxes(bench: Bench) -> list[v1.Box]:
    """One label over the whole extent, and another one in front of it."""
    names = _names(bench)
    front = v1.Box(label=names[-1], x=12, y=24, width=36, height=48, look=5)
    return [v1.Box(label=names[0], width=_SIDE, height=_SIDE, look=3), front]


def _request(boxes: Sequence[v1.Box], **values: Any) -> v1.GenerateDraftsRequest:
    return v1.GenerateDraftsRequest(**{"extent": v1.Extent(width=_SIDE, height=_SIDE), "boxes": boxes, **values})


def _draw(bench: Bench, boxes: Sequence[v1.Box], **values: Any) -> Drawn:
    return Drawn(bench.transport.stream("GenerateDrafts", _request(boxes, **values)))


@check("drafts", "GenerateDrafts brings as many drafts as were ordered, in order, each with the boxes as its label map")
def _drafts(bench: Bench) -> None:
    names = _names(bench)
    expect(all(names) and len(set(names)) == len(names), "Names in draft_labels are empty, or there twice.")
    drawn = _draw(bench, _boxes(bench), count=3)
    expect(drawn.kinds[0] == "queued", f"The first event is {drawn.kinds[0]}, not queued.")
    expect([draft.index for draft in drawn.drafts] == [0, 1, 2], "The drafts aren't numbered 0, 1, 2.")
    done = [event.progress.done for event in drawn.events if event.HasField("progress")]
    expect(all(a <= b for a, b in pairwise(done)), "Progress falls.")
    shapes = {picture.shape for picture in drawn.pictures()}
    expect(len(shapes) == 1 and min(shapes)[2] == 3, f"The pictures have the shapes {sorted(shapes)}, not one RGB.")
    expect(len(_draw(bench, _boxes(bench)).drafts) == 1, "Count 0 isn't one draft.")
    ids = {label.name: label.id for label in bench.info.bundle.labels}
    for draft in drawn.drafts:
        if draft.HasField("label_map"):
            found = set(np.unique(drawn.pixels(draft.label_map)))
            wanted = {ids.get(names[0], UNKNOWN), ids.get(names[-1], UNKNOWN)}
            expect(found == wanted, f"The label map holds {sorted(found)}, should be {sorted(wanted)}.")


@check("draft_seeds", "The same seed and boxes give the same drafts, however many; another seed gives others")
def _seeds(bench: Bench) -> None:
    first = _draw(bench, _boxes(bench), count=2, seed=7).pictures()
    again = _draw(bench, _boxes(bench), count=1, seed=7).pictures()
    expect(np.array_equal(first[0], again[0]), "Draft 0 of one and of two drafts differ.")
    expect(not np.array_equal(first[0], first[1]), "Two drafts of one order are the same.")
    other = _draw(bench, _boxes(bench), count=1, seed=8).pictures()
    expect(not np.array_equal(first[0], other[0]), "Another seed gives the same draft.")


@check(
    "draft_looks", "A box that is told its look keeps it wherever it stands in the list; another look is another one"
)
def _looks(bench: Bench) -> None:
    names = _names(bench)
    plain = [v1.Box(label=name, x=x, y=8, width=24, height=70) for name, x in ((names[0], 4), (names[-1], 60))]
    numbered, others = (
        [v1.Box(look=look, **_fields(box)) for look, box in zip(looks, plain, strict=True)]
        for looks in ((0, 1), (0, 6))
    )
    first, same, other = (_draw(bench, boxes, seed=2).pictures()[0] for boxes in (plain, numbered, others))
    expect(np.array_equal(first, same), "A look that is left out isn't the box's place in the list.")
    expect(not np.array_equal(first, other), "Another look is the same picture.")


def _fields(box: v1.Box) -> dict[str, Any]:
    return {name: getattr(box, name) for name in ("label", "x", "y", "width", "height")}


@check("draft_edits", "A draft that follows another one changes around the boxes that were edited, and nowhere else")
def _edits(bench: Bench) -> None:
    old = _boxes(bench)
    new = [old[0], v1.Box(look=old[1].look, **{**_fields(old[1]), "x": 24})]
    (before,), (after,) = (
        _draw(bench, boxes, seed=2, before=given).pictures()
        for boxes, given in ((old, ()), (new, [v1.BoxList(boxes=old)]))
    )
    side = before.shape[0]
    edited = np.zeros((side, side), bool)
    reach = -(-side // 16)
    edited[max(0, side // 4 - reach) : 3 * side // 4 + reach, max(0, side // 8 - reach) : 5 * side // 8 + reach] = True
    expect(np.array_equal(before[~edited], after[~edited]), "A pixel far from the moved box changed.")
    expect(not np.array_equal(before, after), "Nothing changed.")
    refusal(_order(bench, new, before=[v1.BoxList(boxes=old)] * 17), "17 layouts before", _BAD)
    error = refusal(_order(bench, new, before=[v1.BoxList()]), "A layout before without boxes", _BAD)
    expect(error.field.startswith("before[0]"), f"A layout before without boxes: the field is {error.field!r}.")


@check("draft_label_maps", "Label maps come at the size that is asked for, with the boxes' edges where they belong")
def _label_maps(bench: Bench) -> None:
    drawn = _draw(bench, _boxes(bench), layout_extent=v1.Extent(width=1536, height=1440))
    layer = drawn.drafts[0].label_map
    if not drawn.drafts[0].HasField("label_map"):
        raise Skipped("The server makes no label maps.")
    expect((layer.bounds.width, layer.bounds.height) == (1536, 1440), "The label map has another size.")
    expect(max(event.ByteSize() for event in drawn.events) < 4 << 20, "A message is above 4 MiB.")
    pixels = drawn.pixels(layer)[..., 0]
    names = _names(bench)
    ids = {label.name: label.id for label in bench.info.bundle.labels}
    wanted = np.full(pixels.shape, ids.get(names[0], UNKNOWN), np.uint8)
    wanted[24 * 15 : 72 * 15, 12 * 16 : 48 * 16] = ids.get(names[-1], UNKNOWN)
    expect(np.array_equal(pixels, wanted), "A pixel has another label than its box.")


@check("draft_encodings", "Raw and PNG drafts hold the same pixels")
def _encodings(bench: Bench) -> None:
    raw, png = (_draw(bench, _boxes(bench), encoding=e, seed=4) for e in (v1.ENCODING_RAW, v1.ENCODING_PNG))
    expect(png.drafts[0].picture.encoding == v1.ENCODING_PNG, "The picture is encoded otherwise.")
    expect(np.array_equal(raw.pictures()[0], png.pictures()[0]), "The pictures differ.")


@check("draft_refusals", "Bad boxes are refused by code, field and sentence")
def _refusals(bench: Bench) -> None:
    good = _boxes(bench)[0]
    name = good.label
    for what, box, field_name in (
        ("An unknown label", v1.Box(label=f"no {name} at all", width=8, height=8), "boxes[1]"),
        ("A box without a label", v1.Box(width=8, height=8), "boxes[1]"),
        ("A box beyond the extent", v1.Box(label=name, x=90, width=8, height=8), "boxes[1]"),
        ("An empty box", v1.Box(label=name, x=8, y=8, width=8), "boxes[1]"),
        ("A box of NaN", v1.Box(label=name, x=float("nan"), width=8, height=8), "boxes[1]"),
    ):
        error = refusal(_order(bench, [good, box]), what, _BAD)
        expect(error.field.startswith(field_name), f"{what}: the field is {error.field!r}, not {field_name}.")
    refusal(_order(bench, []), "No boxes", _BAD)
    refusal(_order(bench, [good] * 65), "65 boxes", _BAD)
    refusal(_order(bench, [good], count=65), "65 drafts", _BAD)
    refusal(_order(bench, [good], extent=v1.Extent()), "An empty extent", _BAD)
    refusal(_order(bench, [good], seed=1 << 31), "A seed of 2147483648", _BAD)


def _order(bench: Bench, boxes: Sequence[v1.Box], **values: Any) -> Any:
    return lambda: iter(bench.transport.stream("GenerateDrafts", _request(boxes, **values)))


@check("draft_cancel", "A client that goes away ends its drafts; the next ones come")
def _cancel(bench: Bench) -> None:
    for _ in range(4):
        stream = bench.transport.stream("GenerateDrafts", _request(_boxes(bench), count=64))
        next(iter(stream))
        stream.cancel()
    expect(len(_draw(bench, _boxes(bench)).drafts) == 1, "No draft came afterwards.")

"""What servers with a folder of photos are held against: a search, and a photo handed out by its name."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import grpc
import numpy as np

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.bench import Bench, raw
from layoutbrush.plugin_bridge.conformance.checks import Skipped, check, expect, refusal
from layoutbrush.plugin_bridge.found import Fetched, FoundReferences, fetch_message, read_answer

UNKNOWN = 255
_SIDE = 96
_BAD = grpc.StatusCode.INVALID_ARGUMENT
_FEET = (
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "C:\\Windows\\win.ini",
    "%2e%2e%2fetc%2fpasswd",
    "a\0b",
    "file:///etc/passwd",
)
"""Names that would lead out of a folder if they were paths."""


def _layout(bench: Bench) -> v1.Layer:
    """The bundle's first label above its second."""
    ids = [label.id for label in bench.info.bundle.labels]
    layout = np.full((_SIDE, _SIDE), ids[0], np.uint8)
    layout[_SIDE // 2 :] = ids[min(1, len(ids) - 1)]
    return raw(v1.LAYER_KIND_EDITED_LABEL_MAP, layout)


def _picture() -> v1.Layer:
    grey = np.random.default_rng(3).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    return raw(v1.LAYER_KIND_PHOTO, grey)


def _offered(bench: Bench) -> None:
    if not bench.info.capabilities.found_references:
        raise Skipped("The server says that it can't.")


def _search(bench: Bench, **values: Any) -> FoundReferences:
    return read_answer(bench.transport.call("FindReferences", v1.FindReferencesRequest(**values)))


def _any_name(bench: Bench) -> str:
    found = _search(bench, label_map=_layout(bench), count=1).references
    if not found:
        raise Skipped("The server's folder holds no photos.")
    return found[0].name


@check("found_references", "FindReferences ranks photos by a layout, a picture or both, best first, with thumbnails")
def _found(bench: Bench) -> None:
    _offered(bench)
    queries: list[dict[str, Any]] = [{"label_map": _layout(bench)}, {"picture": _picture()}]
    for query in (*queries, {**queries[0], **queries[1]}):
        answer = _search(bench, count=3, thumbnail_side=32, **query)
        scores = [item.score for item in answer.references]
        expect(len(scores) <= 3, f"{len(scores)} photos came where 3 were asked for.")
        expect(all(0 <= score <= 1 for score in scores), f"The scores are {scores}, not 0 to 1.")
        expect(all(a >= b for a, b in pairwise(scores)), f"The scores {scores} don't fall.")
        names = {item.name for item in answer.references}
        expect(len(names) == len(scores) and all(names), "Names are empty, or there twice.")
        expect(answer.ranked >= len(scores), "Fewer photos were ranked than came.")
        for item in answer.references:
            expect(item.width > 0 and item.height > 0, "A photo has no size.")
            thumbnail = item.thumbnail
            expect(max(thumbnail.width, thumbnail.height) <= 32, "A thumbnail is larger than asked for.")
            expect(len(thumbnail.data) == 3 * thumbnail.width * thumbnail.height, "A thumbnail isn't raw RGB.")
        again = _search(bench, count=3, thumbnail_side=32, **query)
        expect(again.references == answer.references or again.ranked != answer.ranked, "The same search finds others.")
    everything = _search(bench, label_map=_layout(bench), count=64, thumbnail_side=192)
    expect(len(everything.references) == min(64, everything.ranked), "Photos are missing from the answer.")


@check("fetched_reference", "FetchReference hands out a photo and its label map, of one size, in ids of the bundle")
def _fetched(bench: Bench) -> None:
    _offered(bench)
    name = _any_name(bench)
    fetched, kinds, largest = Fetched(name), [], 0
    reference = None
    for response in bench.transport.stream("FetchReference", fetch_message(name, 0)):
        kinds.append(response.WhichOneof("event"))
        largest = max(largest, response.ByteSize())
        reference = fetched.feed(response) or reference
    expect(kinds[0] == "queued", f"The first event is {kinds[0]}, not queued.")
    expect(kinds.count("photo") == kinds.count("label_map") == 1, f"The events are {kinds}.")
    expect(largest < 4 << 20, "A message is above 4 MiB.")
    if reference is None or reference.label_map is None:
        expect(False, "The layers are incomplete.")
        return
    photo, labels = reference.photo, reference.label_map
    expect((photo.width, photo.height) == (labels.width, labels.height), "Photo and label map differ in size.")
    expect(len(photo.data) == 3 * photo.width * photo.height, "The photo isn't raw RGB.")
    known = {label.id for label in bench.info.bundle.labels} | {UNKNOWN}
    expect(set(labels.data) <= known, f"The label map holds {sorted(set(labels.data) - known)}.")
    small = Fetched(name)
    reduced = None
    for response in bench.transport.stream("FetchReference", fetch_message(name, 128)):
        reduced = small.feed(response) or reduced
    smallest = min(photo.width, photo.height)
    side = max(reduced.photo.width, reduced.photo.height) if reduced else 0
    long_enough = smallest * 128 >= bench.info.limits.min_side * max(photo.width, photo.height)
    expect(0 < side <= 128 or not long_enough, f"The longer side is {side}, where 128 were asked for.")


@check("reference_names", "A name that the server hasn't given is NOT_FOUND, whatever it looks like")
def _names(bench: Bench) -> None:
    _offered(bench)
    name = _any_name(bench)
    for wrong in (*_FEET, f"{name}/../{name}", f"./{name}", f"{name}\0", f" {name}"):
        call = _fetching(bench, v1.FetchReferenceRequest(name=wrong))
        refusal(call, f"The name {wrong!r}", grpc.StatusCode.NOT_FOUND, "REFERENCE_NOT_FOUND")
    refusal(_fetching(bench, v1.FetchReferenceRequest()), "No name", _BAD)
    refusal(_fetching(bench, v1.FetchReferenceRequest(name="a" * 1025)), "A name of 1025 characters", _BAD)


@check("found_references_refusals", "Bad searches are refused by code, field and sentence")
def _refusals(bench: Bench) -> None:
    _offered(bench)
    part = _layout(bench)
    part.data_size = len(part.data) + 1
    ids = {label.id for label in bench.info.bundle.labels}
    stranger = min(set(range(255)) - ids)
    unknown = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((8, 8), stranger, np.uint8))
    for what, values, field in (
        ("Nothing to look for", {}, "label_map"),
        ("65 photos", {"label_map": _layout(bench), "count": 65}, "count"),
        ("A thumbnail of 193 pixels", {"label_map": _layout(bench), "thumbnail_side": 193}, "thumbnail_side"),
        ("Thumbnails as JPEG", {"label_map": _layout(bench), "encoding": v1.ENCODING_JPEG}, "encoding"),
        ("A part of a label map", {"label_map": part}, "label_map.data"),
        ("An unknown label", {"label_map": unknown}, "label_map.data"),
        ("A mask as picture", {"picture": raw(v1.LAYER_KIND_MASK, np.zeros((8, 8), np.uint8))}, "picture.kind"),
    ):
        request = v1.FindReferencesRequest(**values)
        error = refusal(_calling(bench, request), what, _BAD)
        expect(error.field == field, f"{what}: the field is {error.field!r}, not {field}.")
    small = v1.FetchReferenceRequest(name=_any_name(bench), max_side=1)
    refusal(_fetching(bench, small), "A longer side of 1 pixel", _BAD)


def _calling(bench: Bench, request: v1.FindReferencesRequest) -> Any:
    return lambda: bench.transport.call("FindReferences", request)


def _fetching(bench: Bench, request: v1.FetchReferenceRequest) -> Any:
    return lambda: iter(bench.transport.stream("FetchReference", request))

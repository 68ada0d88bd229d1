"""A client without a server, for tests of plugins: small, deterministic, and made of a real computation.

    client = MockClient()
    with client.open(photo, labels) as document:
        result = document.edit(edited).result()
    assert [call.name for call in client.calls] == ["open", "edit", "close"]

What changed in the label map becomes the mask; each pixel of it gets the mean colour that its new label has in the
photo, with a little grain by the seed. So a plugin's test sees results at the right place, with the right shape, that
differ where they should. Raw 8-bit pictures only.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc

from layoutbrush import v1
from layoutbrush.plugin_bridge.api import AbstractClient, AbstractDocument, AbstractEdit, DraftOptions, EditOptions
from layoutbrush.plugin_bridge.boxes import Box, DraftRequest
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.events import Event, Preview, Progress, Queued, Result
from layoutbrush.plugin_bridge.found import FoundReferences
from layoutbrush.plugin_bridge.mock_drafting import MockDrafting
from layoutbrush.plugin_bridge.mock_finding import fetched, ranked
from layoutbrush.plugin_bridge.mock_sources import MockReferences, Rgb, colors_of
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import EditRequest, Reference, Source, describe, lacking
from layoutbrush.plugin_bridge.tiles import Tile

if TYPE_CHECKING:
    from typing import Unpack

LABELS: Mapping[int, tuple[str, Rgb]] = {
    0: ("sky", (135, 206, 235)),
    1: ("tree", (46, 125, 50)),
    2: ("road", (97, 97, 97)),
    3: ("grass", (124, 179, 66)),
    4: ("water", (30, 100, 200)),
    5: ("building", (160, 110, 80)),
}
UNKNOWN = 255
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Call:
    """A call that a plugin made. `name`: check, open, put, edit, cancel, segment, find, fetch, draft or close."""

    name: str
    details: Any = None


@dataclass
class MockClient(AbstractClient):
    """`problems`: raised one after the other by the next opens, edits, segmentations, searches and drafts; None lets
    one pass. `photos`: the folder in which references are found. `hold`: where set, edits and drafts wait after their
    first event until it is set, or they are cancelled.
    """

    problems: list[RemoteError | None] = field(default_factory=list)
    hold: threading.Event | None = None
    labels: Mapping[int, tuple[str, Rgb]] = field(default_factory=lambda: dict(LABELS))
    capabilities: Sequence[str] = ("segmentation", "references", "polling", "drafts")
    photos: Sequence[Reference] = ()
    calls: list[Call] = field(default_factory=list)

    def close(self) -> None:
        """See `AbstractClient`."""

    def info(self) -> v1.GetServerInfoResponse:
        """See `AbstractClient`."""
        labels = [
            v1.Label(id=number, name=name, color=v1.Color(red=red, green=green, blue=blue))
            for number, (name, (red, green, blue)) in self.labels.items()
        ]
        return v1.GetServerInfoResponse(
            server_version="0",
            bundle=v1.BundleInfo(name="mock", version="1", labels=labels),
            limits=v1.Limits(max_side=16384, max_layer_pixels=64 << 20, max_layer_bytes=1024 << 20, min_side=1),
            engines=[v1.EngineInfo(name="mock", active=True)],
            capabilities=v1.Capabilities(
                **{**dict.fromkeys(self.capabilities, True), "found_references": bool(self.photos)}
            ),
            draft_labels=[label.name for label in labels] if "drafts" in self.capabilities else (),
        )

    def check(self, needs: Sequence[str] = ()) -> str:
        """See `AbstractClient`."""
        self.met("check")
        if missing := lacking(self.info(), needs):
            raise RemoteError(grpc.StatusCode.UNIMPLEMENTED, f"The mock lacks {', '.join(missing)}.")
        return describe(self.info())

    def open(
        self,
        photo: Picture,
        label_map: Picture | None = None,
        *,
        mask: Picture | None = None,
        exclude: Picture | None = None,
        references: Sequence[Reference] = (),
    ) -> MockDocument:
        """See `AbstractClient`."""
        self.met("open", photo)
        return MockDocument(self, photo, label_map, mask, references)

    def find_references(
        self,
        label_map: Picture | None = None,
        picture: Picture | None = None,
        *,
        count: int = 0,
        thumbnail_side: int = 0,
        png: bool = False,
    ) -> FoundReferences:
        """See `AbstractClient`."""
        self.met("find", label_map or picture)
        return ranked(self.photos, label_map, picture, count)

    def fetch_reference(self, name: str, max_side: int = 0, *, timeout: float | None = None) -> Reference:
        """See `AbstractClient`."""
        self.met("fetch", name)
        return fetched(self.photos, name)

    def draft(
        self,
        boxes: Sequence[Box],
        width: int,
        height: int,
        *,
        timeout: float | None = None,
        **options: Unpack[DraftOptions],
    ) -> MockDrafting:
        """See `AbstractClient`."""
        request = DraftRequest(boxes, width, height, **options)
        self.met("draft", request)
        return MockDrafting(request, self.labels, self.hold)

    def met(self, name: str, details: Any = None) -> None:
        """Record a call, and raise the problem that is next."""
        self.calls.append(Call(name, details))
        if name in ("open", "edit", "segment", "check", "find", "fetch", "draft") and self.problems:
            problem = self.problems.pop(0)
            if problem is not None:
                raise problem


class MockDocument(AbstractDocument):
    """See `AbstractDocument`."""

    _ids = itertools.count(1)

    def __init__(
        self,
        client: MockClient,
        photo: Picture,
        label_map: Picture | None,
        mask: Picture | None,
        references: Sequence[Reference] = (),
    ) -> None:
        self.id = f"mock-{next(self._ids)}"
        self.client = client
        self.photo = photo
        self.colors = colors_of(photo)
        self.labels = (
            _laid_over(bytes([UNKNOWN]) * len(self.colors), label_map, photo)
            if label_map
            else self._nearest(self.colors)
        )
        self.mask = mask
        self.references = MockReferences()
        self.references.add(references, self._nearest)
        self.states: dict[int, bytes] = {0: self.labels}

    def close(self) -> None:
        """See `AbstractDocument`."""
        self.client.met("close", self.id)

    def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """See `AbstractDocument`."""
        self.client.met("put", (kind, picture))
        if kind == v1.LAYER_KIND_LABEL_MAP:
            self.labels = _laid_over(bytes([UNKNOWN]) * len(self.colors), picture, self.photo)
            self.states = {0: self.labels}
        elif kind == v1.LAYER_KIND_MASK:
            self.mask = picture

    def edit(
        self, label_map: Picture | None = None, *, timeout: float | None = None, **options: Unpack[EditOptions]
    ) -> MockEdit:
        """See `AbstractDocument`."""
        return MockEdit(self, EditRequest(label_map, **options))

    def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """See `AbstractDocument`: the label whose colour is nearest, for each pixel."""
        self.client.met("segment", reference_id)
        photo, found = self.photo, self._nearest(self.colors)
        if store:
            self.labels, self.states = found, {0: found}
        return Picture.gray(found, photo.width, photo.height, photo.x, photo.y)

    def _nearest(self, colors: list[Rgb]) -> bytes:
        table = [(number, color) for number, (_, color) in self.client.labels.items()]
        known: dict[Rgb, int] = {}
        for color in set(colors):
            known[color] = min((sum((a - b) ** 2 for a, b in zip(color, own, strict=True)), n) for n, own in table)[1]
        return bytes(known[color] for color in colors)


class MockEdit(AbstractEdit):
    """See `AbstractEdit`."""

    def __init__(self, document: MockDocument, request: EditRequest) -> None:
        self._document = document
        self._request = request
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """See `AbstractEdit`."""
        self._document.client.met("cancel")
        self._cancelled.set()
        if self._document.client.hold is not None:
            self._document.client.hold.set()

    def __iter__(self) -> Iterator[Event]:
        document, request = self._document, self._request
        document.client.met("edit", request)
        edited = self._edited()
        self.revision = max(document.states) + 1
        document.states[self.revision] = edited
        yield Queued(0)
        yield Progress("warp", 0.0, 0.0)
        if document.client.hold is not None:
            document.client.hold.wait(_WAIT_SECONDS)
        if self._cancelled.is_set():
            raise RemoteError(grpc.StatusCode.CANCELLED, "The edit was cancelled.")
        drawn = document.references.colors(request.sources, edited, (document.colors, document.labels), self._laid)
        result = self._result(edited, self._mask(edited, drawn), drawn)
        for kind in request.previews:
            yield Preview(kind, result.picture)
        if request.stream_tiles:
            yield from _tiles(result)
        yield Progress("composite", 1.0, 1.0)
        yield result

    def _edited(self) -> bytes:
        document, request = self._document, self._request
        if request.base_revision not in document.states:
            text = "That revision of the edited label map is gone; send the whole map."
            raise RemoteError(grpc.StatusCode.FAILED_PRECONDITION, text, reason="STALE_REVISION")
        edited = document.states[request.base_revision]
        for picture in [request.label_map] if request.label_map is not None else request.tiles:
            edited = _laid_over(edited, picture, document.photo)
        unknown = sorted(set(edited) - {*document.client.labels, UNKNOWN})
        if unknown:
            text = f"The bundle has no label {unknown[0]}."
            raise RemoteError(grpc.StatusCode.INVALID_ARGUMENT, text, "edit.label_map.data", "UNKNOWN_LABEL")
        return edited

    def _laid(self, source: Source) -> bytes:
        """A source's region over the photo."""
        photo = self._document.photo
        return _laid_over(bytes(photo.width * photo.height), source.region, photo) if source.region else b""

    def _mask(self, edited: bytes, drawn: Mapping[int, Rgb]) -> list[bool]:
        """Where the photo changes; masks of the host replace or bound the difference of the label maps and what sources
        fill.
        """
        document, request = self._document, self._request
        pairs = zip(edited, document.labels, strict=True)
        changed = [new != old or index in drawn for index, (new, old) in enumerate(pairs)]
        given = request.mask or document.mask
        if given is None:
            return changed
        selected = [value >= 128 for value in _laid_over(bytes(len(edited)), given, document.photo)]
        return [a and b for a, b in zip(selected, changed, strict=True)] if request.bound else selected

    def _result(self, edited: bytes, mask: list[bool], drawn: Mapping[int, Rgb]) -> Result:
        photo, colors = self._document.photo, self._document.colors
        inside = [index for index, chosen in enumerate(mask) if chosen]
        if not inside:
            raise RemoteError(grpc.StatusCode.INVALID_ARGUMENT, "Nothing changed in the label map.", "edit")
        columns, rows = [i % photo.width for i in inside], [i // photo.width for i in inside]
        left, top = min(columns), min(rows)
        width, height = max(columns) - left + 1, max(rows) - top + 1
        means = _means(colors, self._document.labels)
        pixels, covered = bytearray(), bytearray()
        for y in range(top, top + height):
            for x in range(left, left + width):
                index = y * photo.width + x
                mean = drawn.get(index) or means.get(edited[index]) or self._painted_with(edited[index])
                wanted = self._grained(mean, x, y) if mask[index] else colors[index]
                pixels += _ordered(wanted, 255 * mask[index], self._request.channels)
                covered.append(255 * mask[index])
        picture = Picture(
            bytes(pixels),
            width,
            height,
            self._request.channels,
            x=photo.x + left,
            y=photo.y + top,
            pixel_width=width,
            pixel_height=height,
        )
        return Result(picture, replace(picture, data=bytes(covered), channels="GRAY"), {"total": 1.0})

    def _painted_with(self, label: int) -> Rgb:
        return self._document.client.labels.get(label, ("", (128, 128, 128)))[1]

    def _grained(self, color: Rgb, x: int, y: int) -> Rgb:
        grain = (7 * x + 13 * y + 31 * self._request.seed) % 9 - 4
        red, green, blue = (min(255, max(0, value + grain)) for value in color)
        return red, green, blue


def _tiles(result: Result) -> Iterator[Tile]:
    """The result's rows in two parts, the lower one first: plugins must not count on an order."""
    middle = result.picture.height // 2
    for top, bottom in ((middle, result.picture.height), (0, middle)):
        if top < bottom:
            yield Tile(_rows(result.picture, top, bottom), _rows(result.mask, top, bottom))


def _rows(picture: Picture, top: int, bottom: int) -> Picture:
    size = len(picture.data) // picture.height
    data, height = picture.data[top * size : bottom * size], bottom - top
    return replace(picture, data=data, y=picture.y + top, height=height, pixel_height=height)


def _laid_over(base: bytes, picture: Picture, photo: Picture) -> bytes:
    """A label map or mask laid over a state of the whole photo."""
    width, height = picture.width or photo.width, picture.height or photo.height
    x, y = (picture.x - photo.x, picture.y - photo.y) if picture.width else (0, 0)
    if picture.channels != "GRAY" or picture.encoding != "RAW" or len(picture.data) != width * height:
        raise ValueError("the mock reads label maps and masks of one byte a pixel")
    if x < 0 or y < 0 or x + width > photo.width or y + height > photo.height:
        raise RemoteError(grpc.StatusCode.INVALID_ARGUMENT, "The label map reaches beyond the photo.", "bounds")
    rows = bytearray(base)
    for row in range(height):
        at = (y + row) * photo.width + x
        rows[at : at + width] = picture.data[row * width : (row + 1) * width]
    return bytes(rows)


def _means(colors: Sequence[Rgb], labels: bytes) -> dict[int, Rgb]:
    """Mean colour of each label in the photo."""
    sums: dict[int, list[int]] = {}
    for (red, green, blue), label in zip(colors, labels, strict=True):
        total = sums.setdefault(label, [0, 0, 0, 0])
        for channel, value in enumerate((red, green, blue, 1)):
            total[channel] += value
    return {label: (r // n, g // n, b // n) for label, (r, g, b, n) in sums.items()}


def _ordered(color: Rgb, alpha: int, channels: str) -> bytes:
    ordered = color[::-1] if channels.startswith("BGR") else color
    return bytes((*ordered, alpha) if channels.endswith("A") else ordered)

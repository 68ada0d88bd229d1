"""What an edit tells while it runs, with large layers put together again from their chunks and tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from layoutbrush import v1
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.tiles import Tile, joined


@dataclass(frozen=True)
class Queued:
    """The edit was accepted. `position`: place in the queue, 0 = the work begins."""

    position: int


@dataclass(frozen=True)
class Progress:
    """`stage`: what is being done, for people. `done`: share of the whole, 0 to 1. `elapsed_ms`: since it began."""

    stage: str
    done: float
    elapsed_ms: float


@dataclass(frozen=True)
class Preview:
    """A picture on the way to the result. `kind`: "warped" or "coarse"; further kinds may come."""

    kind: str
    picture: Picture


@dataclass(frozen=True)
class Result:
    """The new layer: paste `picture` at its place through `mask` (GRAY, 255 = changed). `timings`: ms by stage."""

    picture: Picture
    mask: Picture
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelMap:
    """The label map that Segment found (GRAY, ids of the bundle)."""

    picture: Picture


@dataclass(frozen=True)
class Draft:
    """A picture made from boxes. `index`: which of those ordered, from 0. `picture`: square, to be stretched over the
    size that the boxes refer to. `label_map`: the boxes as ids of the bundle (GRAY); None where the server makes none.
    """

    index: int
    picture: Picture
    label_map: Picture | None = None


Event = Queued | Progress | Preview | Tile | Result
DraftEvent = Queued | Progress | Draft
Response = v1.RenderResponse | v1.SegmentResponse | v1.GenerateDraftsResponse
_Whole = Preview | Tile | Result | LabelMap | Draft


class Incoming:
    """A layer that was announced and isn't all there yet."""

    def __init__(self, layer: v1.Layer) -> None:
        self._layer = layer
        self._data = bytearray(layer.data)

    @property
    def complete(self) -> bool:
        """True once every byte is there."""
        return len(self._data) >= self._layer.data_size

    def take(self, chunk: v1.LayerChunk) -> None:
        """Add a chunk, if it is one of this layer's."""
        if self._layer.transfer_id == chunk.transfer_id:
            self._data += chunk.data

    def picture(self) -> Picture:
        """The layer's pixels."""
        return Picture.received(self._layer, bytes(self._data))


class _Waiting:
    """An event whose layers aren't all there yet."""

    def __init__(self, layers: list[v1.Layer], finish: Callable[[list[Picture]], _Whole]) -> None:
        self.layers = [Incoming(layer) for layer in layers]
        self._finish = finish

    @property
    def complete(self) -> bool:
        return all(layer.complete for layer in self.layers)

    def finish(self) -> _Whole:
        return self._finish([layer.picture() for layer in self.layers])


class Assembler:
    """Turns the messages of one stream into events, in their order."""

    def __init__(self) -> None:
        self.revision = 0
        self.started = False
        self._waiting: list[_Waiting] = []
        self._tiles: list[Tile] = []

    def feed(self, response: Response) -> Iterator[Event | LabelMap | Draft]:
        """Yield what this message completes. Events that this client doesn't know are passed over."""
        self.started = True
        if isinstance(response, v1.RenderResponse):
            self.revision = response.revision
            self._open_render(response)
        elif isinstance(response, v1.GenerateDraftsResponse):
            self._open_draft(response)
        elif response.HasField("label_map"):
            self._waiting.append(_Waiting([response.label_map], lambda pictures: LabelMap(pictures[0])))
        if response.HasField("queued"):
            yield Queued(response.queued.position)
        elif response.HasField("progress"):
            progress = response.progress
            yield Progress(progress.stage, progress.done, progress.elapsed_ms)
        elif response.HasField("chunk"):
            for waiting in self._waiting:
                for layer in waiting.layers:
                    layer.take(response.chunk)
        while self._waiting and self._waiting[0].complete:
            whole = self._waiting.pop(0).finish()
            if isinstance(whole, Tile):
                self._tiles.append(whole)
            yield whole

    def _open_render(self, response: v1.RenderResponse) -> None:
        if response.HasField("preview"):
            kind = v1.PreviewKind.Name(response.preview.kind).removeprefix("PREVIEW_KIND_").lower()
            self._waiting.append(_Waiting([response.preview.layer], lambda pictures: Preview(kind, pictures[0])))
        elif response.HasField("tile"):
            layers = [response.tile.layer, response.tile.mask]
            self._waiting.append(_Waiting(layers, lambda pictures: Tile(pictures[0], pictures[1])))
        elif response.HasField("result"):
            self._waiting.append(
                _Waiting(
                    [response.result.layer, response.result.mask],
                    lambda pictures: self._result(response.result, pictures),
                )
            )

    def _open_draft(self, response: v1.GenerateDraftsResponse) -> None:
        if response.HasField("draft"):
            draft = response.draft
            layers = [draft.picture, *([draft.label_map] if draft.HasField("label_map") else [])]
            self._waiting.append(_Waiting(layers, lambda pictures: Draft(draft.index, *pictures)))

    def _result(self, result: v1.Result, pictures: list[Picture]) -> Result:
        timings = {timing.stage: timing.milliseconds for timing in result.timings}
        if result.layer.data_size or not self._tiles:
            return Result(pictures[0], pictures[1], timings)
        tiles, self._tiles = self._tiles, []
        whole = joined(result.layer, [tile.picture for tile in tiles])
        return Result(whole, joined(result.mask, [tile.mask for tile in tiles]), timings)

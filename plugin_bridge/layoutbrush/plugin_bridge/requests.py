"""Arguments to messages, and the order of calls that a large document takes; shared by both clients, free of I/O."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from layoutbrush import v1
from layoutbrush.plugin_bridge.picture import Picture

PART_BYTES = 2 << 20
"""Bytes of a layer in one UploadLayer message."""
INLINE_BYTES = 8 << 20
"""Layers up to this size in all travel inside OpenDocument."""
_PREVIEWS = {"warped": "warped_preview", "coarse": "coarse_preview"}
R = TypeVar("R")


@dataclass(frozen=True)
class Reference:
    """A second photo to draw from. `name`: 1 to 64 of a-z A-Z 0-9 . _ -; without a label map it is segmented."""

    name: str
    photo: Picture
    label_map: Picture | None = None


@dataclass(frozen=True)
class Source:
    """Where the texture of one label, or of a region (a mask), comes from; what it fills always changes.

    `reference`: the name of a reference; empty = the photo itself. `source_label`: what is drawn from there; None = the
    label that is filled. `source_region`: a mask of the reference, where it may be drawn from. `place`: x, y, width and
    height of the whole reference as it lies over the photo; what is drawn then keeps its place and scale.
    """

    label: int | None = None
    region: Picture | None = None
    reference: str = ""
    source_label: int | None = None
    source_region: Picture | None = None
    place: tuple[int, int, int, int] | None = None

    def message(self) -> v1.Source:
        """The source as a message."""
        message = v1.Source(reference_id=self.reference, source_label_id=self.source_label)
        if self.region is not None:
            message.region.CopyFrom(self.region.packed().layer(v1.LAYER_KIND_MASK))
        elif self.label is not None:
            message.label_id = self.label
        if self.source_region is not None:
            message.source_region.CopyFrom(self.source_region.packed().layer(v1.LAYER_KIND_MASK))
        if self.place is not None:
            x, y, width, height = self.place
            message.place.MergeFrom(v1.Bounds(x=x, y=y, width=width, height=height))
        return message


class Step(NamedTuple):
    """One unary call to make: name of the method and its request."""

    method: str
    request: Any


Steps = Generator[Step, Any, R]


def document_layers(
    photo: Picture,
    label_map: Picture | None,
    mask: Picture | None,
    exclude: Picture | None,
    references: Iterable[Reference],
) -> list[v1.Layer]:
    """The layers of a document."""
    named = (
        (photo, v1.LAYER_KIND_PHOTO),
        (label_map, v1.LAYER_KIND_LABEL_MAP),
        (mask, v1.LAYER_KIND_MASK),
        (exclude, v1.LAYER_KIND_EXCLUDE),
    )
    layers = [picture.packed().layer(kind) for picture, kind in named if picture is not None]
    for reference in references:
        layers.append(reference.photo.layer(v1.LAYER_KIND_REFERENCE_PHOTO, reference.name))
        if reference.label_map is not None:
            layers.append(reference.label_map.packed().layer(v1.LAYER_KIND_REFERENCE_LABEL_MAP, reference.name))
    return layers


def open_steps(layers: Sequence[v1.Layer]) -> Steps[tuple[str, v1.Bounds | None]]:
    """The calls that open a document with these layers; returns its id and where its photo lies."""
    small = sum(len(layer.data) for layer in layers) <= INLINE_BYTES
    opened = yield Step("OpenDocument", v1.OpenDocumentRequest(layers=layers if small else ()))
    document_id: str = opened.document_id
    states: list[v1.LayerState] = list(opened.layers)
    if not small:
        for layer in layers:
            states.append((yield from upload_steps(document_id, layer)))  # noqa: PERF401  # it yields
    photo = [state.bounds for state in states if state.kind == v1.LAYER_KIND_PHOTO and state.HasField("bounds")]
    return document_id, photo[0] if photo else None


def upload_steps(document_id: str, layer: v1.Layer) -> Steps[v1.LayerState]:
    """The calls that put one layer into a document, part by part; returns what the server holds then."""
    data = layer.data
    state = v1.LayerState()
    for offset in range(0, max(1, len(data)), PART_BYTES):
        part = v1.Layer()
        part.CopyFrom(_without_data(layer))
        part.data, part.data_size = data[offset : offset + PART_BYTES], len(data)
        answer = yield Step("UploadLayer", v1.UploadLayerRequest(document_id=document_id, layer=part, offset=offset))
        state = answer.layer
    return state


def _without_data(layer: v1.Layer) -> v1.Layer:
    head = v1.Layer(kind=layer.kind, encoding=layer.encoding, reference_id=layer.reference_id)
    if layer.HasField("bounds"):
        head.bounds.CopyFrom(layer.bounds)
    if layer.HasField("format"):
        head.format.CopyFrom(layer.format)
    return head


@dataclass(frozen=True)
class EditRequest:
    """An edit as its caller wants it."""

    label_map: Picture | None = None
    """The painted label map, whole; or else `tiles`."""
    tiles: Sequence[Picture] = ()
    """What was painted over the state `base_revision`."""
    base_revision: int = 0
    """`revision` of an earlier edit; 0 = the document's label map."""
    mask: Picture | None = None
    """What may change, instead of where the label maps differ."""
    bound: bool = False
    """`mask` only bounds what the label maps change."""
    exclude: Picture | None = None
    """What must not be copied from."""
    sources: Sequence[Source] = ()
    """Where the texture of labels or regions comes from."""
    seed: int = 0
    """0 to 2147483647; the same seed and edit give the same pixels."""
    grow: float | None = None
    """Share by which the difference of the label maps is grown; None = 0.10."""
    previews: Sequence[str] = ()
    """"warped", "coarse"."""
    preview_side: int = 0
    """Longer side of previews, pixels; 0 = the server's choice."""
    png: bool = False
    """Layers come as PNG."""
    channels: str = "RGB"
    """RGB, RGBA, BGR or BGRA; the alpha of the result is its mask."""
    supersede: bool = False
    """End earlier edits of this document."""
    stream_tiles: bool = False
    """Hand out parts of the result as they are done (`events.Tile`), for large pictures. Raw pixels only."""

    def message(self, document_id: str) -> v1.RenderRequest:
        """The edit as a message."""
        edit = v1.Edit(sources=[source.message() for source in self.sources])
        for picture, kind, place in (
            (self.label_map, v1.LAYER_KIND_EDITED_LABEL_MAP, edit.label_map),
            (self.mask, v1.LAYER_KIND_MASK, edit.mask),
            (self.exclude, v1.LAYER_KIND_EXCLUDE, edit.exclude),
        ):
            if picture is not None:
                place.CopyFrom(picture.packed().layer(kind))
        if self.tiles:
            tiles = [tile.layer(v1.LAYER_KIND_EDITED_LABEL_MAP) for tile in self.tiles]
            edit.tiles.CopyFrom(v1.TileEdit(base_revision=self.base_revision, tiles=tiles))
        if self.mask is not None:
            edit.mask_use = v1.MASK_USE_BOUND if self.bound else v1.MASK_USE_REPLACE
        return v1.RenderRequest(document_id=document_id, edit=edit, options=self._options())

    def _options(self) -> v1.RenderOptions:
        unknown = set(self.previews) - set(_PREVIEWS)
        if unknown:
            raise ValueError(f"previews are {', '.join(_PREVIEWS)}, not {', '.join(sorted(unknown))}")
        if self.stream_tiles and self.png:
            raise ValueError("tiles are put together from raw pixels: ask for tiles or for PNG")
        return v1.RenderOptions(
            seed=self.seed,
            grow=self.grow,
            warped_preview="warped" in self.previews,
            coarse_preview="coarse" in self.previews,
            preview_side=self.preview_side,
            encoding=v1.ENCODING_PNG if self.png else v1.ENCODING_RAW,
            channel_order=f"CHANNEL_ORDER_{self.channels}",
            supersede=self.supersede,
            tiles=self.stream_tiles,
        )


def objection(limits: v1.Limits, width: int, height: int) -> str:
    """Why a server with these limits wouldn't take a photo of that size, for people; empty where it would."""
    if max(width, height) > limits.max_side:
        return f"The picture is {width} x {height}; this server takes at most {limits.max_side} pixels a side."
    if width * height > limits.max_layer_pixels:
        return f"The picture has {width * height} pixels; this server takes at most {limits.max_layer_pixels}."
    if min(width, height) < limits.min_side:
        return f"The picture is {width} x {height}; this server wants at least {limits.min_side} pixels a side."
    return ""


def lacking(info: v1.GetServerInfoResponse, needs: Sequence[str]) -> list[str]:
    """Those of the capabilities that a server doesn't have, or has never heard of."""
    return [need for need in needs if not getattr(info.capabilities, need, False)]


def describe(info: v1.GetServerInfoResponse) -> str:
    """One sentence about a server, for people."""
    engine = next((engine.name for engine in info.engines if engine.active), "no engine")
    return (
        f"Layoutbrush {info.server_version} with the bundle {info.bundle.name} {info.bundle.version} "
        f"({len(info.bundle.labels)} labels) on {engine}."
    )

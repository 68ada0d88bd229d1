"""Layers, options and numbers of the wire contract, checked and as the rest works with them."""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass
from typing import TypeVar

from layoutbrush import v1
from layoutbrush.runtime.errors import InvalidArgument, OutOfRange, UnknownLabel
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers import (
    ChannelOrder,
    DataType,
    Encoding,
    LayerHeader,
    LayerKey,
    LayerKind,
    PixelFormat,
    PlaneOrder,
)
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.backend import Backend

MAX_SEED = (1 << 31) - 1
_REFERENCE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PREVIEW_SIDE = 1024
_SMALLEST_PREVIEW = 16
_GROW = 0.10
E = TypeVar("E", bound=enum.IntEnum)


@dataclass(frozen=True)
class Options:
    """RenderOptions, checked, with its defaults filled in."""

    seed: int
    grow: float
    previews: tuple[str, ...]
    preview_side: int
    encoding: Encoding
    channel_order: ChannelOrder
    supersede: bool
    tiles: bool = False


def choice(kind: type[E], value: int, field: str, default: E | None = None) -> E:
    """Return an enumeration's member; 0 stands for `default`.

    Raises:
        InvalidArgument: the value is missing or unknown.
    """
    if value == 0 and default is not None:
        return default
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(member.name for member in kind)
        said = "isn't set" if value == 0 else f"has the unknown value {value}"
        raise InvalidArgument(f"The field {said}; it is one of {names}.", field) from None


def layer_header(layer: v1.Layer, fields: str, expected: LayerKind | None = None) -> LayerHeader:
    """Return what a layer says about itself. `expected`: the kind that this place takes, and assumes where none is set.

    Raises:
        InvalidArgument: a value is missing or unknown, or the kind is another.
    """
    kind = choice(LayerKind, layer.kind, f"{fields}.kind", expected)
    if expected is not None and kind is not expected:
        raise InvalidArgument(f"A layer of kind {expected.name} belongs here, not {kind.name}.", f"{fields}.kind")
    if kind.is_reference and not _REFERENCE_ID.fullmatch(layer.reference_id):
        raise InvalidArgument(
            "A reference needs an id of 1 to 64 characters out of a-z A-Z 0-9 . _ -", f"{fields}.reference_id"
        )
    if not kind.is_reference and layer.reference_id:
        raise InvalidArgument(f"A {kind.words} has no reference_id.", f"{fields}.reference_id")
    encoding = choice(Encoding, layer.encoding, f"{fields}.encoding")
    return LayerHeader(
        key=LayerKey(kind, layer.reference_id),
        encoding=encoding,
        data_size=layer.data_size or len(layer.data),
        bounds=_bounds(layer.bounds) if layer.HasField("bounds") else None,
        format=_format(layer.format, f"{fields}.format")
        if encoding is Encoding.RAW and layer.HasField("format")
        else None,
        fields=fields,
    )


def whole_header(
    layer: v1.Layer, fields: str, expected: LayerKind, else_do: str = "Larger ones go up by UploadLayer."
) -> LayerHeader:
    """The same for a layer that must travel in one message. `else_do`: advice for one that is too large for that.

    Raises:
        InvalidArgument: as above, or only a part of it is here.
    """
    header = layer_header(layer, fields, expected)
    if header.data_size != len(layer.data):
        raise InvalidArgument(
            f"This layer travels whole: {header.data_size} bytes are announced, {len(layer.data)} are here. {else_do}",
            f"{fields}.data",
        )
    return header


def _bounds(bounds: v1.Bounds) -> Bounds:
    return Bounds(bounds.x, bounds.y, bounds.width, bounds.height)


def _format(form: v1.PixelFormat, fields: str) -> PixelFormat:
    return PixelFormat(
        choice(ChannelOrder, form.channel_order, f"{fields}.channel_order"),
        choice(DataType, form.data_type, f"{fields}.data_type"),
        choice(PlaneOrder, form.plane_order, f"{fields}.plane_order", PlaneOrder.INTERLEAVED),
        form.row_stride,
    )


def outgoing_encoding(value: int, field: str) -> Encoding:
    """Return the encoding that a client wants back.

    Raises:
        InvalidArgument: it is unknown, or JPEG.
    """
    encoding = choice(Encoding, value, field, Encoding.RAW)
    if encoding is Encoding.JPEG:
        raise InvalidArgument("Layers come back raw or as PNG, not as JPEG.", field)
    return encoding


def options(message: v1.RenderOptions, limits: Limits) -> Options:
    """Return checked options.

    Raises:
        InvalidArgument: an option is unknown or out of its range.
    """
    if message.seed > MAX_SEED:
        raise OutOfRange(f"A seed is 0 to {MAX_SEED}.", "options.seed")
    grow = message.grow if message.HasField("grow") else _GROW
    if not (math.isfinite(grow) and 0.0 <= grow <= 1.0):
        raise OutOfRange("grow is 0 to 1.", "options.grow")
    side = message.preview_side or _PREVIEW_SIDE
    if not _SMALLEST_PREVIEW <= side <= limits.max_side:
        raise OutOfRange(f"preview_side is {_SMALLEST_PREVIEW} to {limits.max_side}.", "options.preview_side")
    encoding = outgoing_encoding(message.encoding, "options.encoding")
    order = choice(ChannelOrder, message.channel_order, "options.channel_order", ChannelOrder.RGB)
    if order.channels < 3:
        raise InvalidArgument("Results come as RGB, RGBA, BGR or BGRA.", "options.channel_order")
    if encoding is Encoding.PNG and order.is_reversed:
        raise InvalidArgument("A PNG has the order RGB or RGBA.", "options.channel_order")
    wanted = {"warped": message.warped_preview, "coarse": message.coarse_preview}
    previews = tuple(kind for kind, asked in wanted.items() if asked)
    return Options(message.seed, grow, previews, side, encoding, order, message.supersede, message.tiles)


def label_id(value: int, backend: Backend, field: str) -> int:
    """Return a label id of the bundle.

    Raises:
        UnknownLabel: it has no such label.
    """
    if value not in backend.label_ids:
        raise UnknownLabel(f"The bundle has no label {value}.", field)
    return value

"""From a GenerateDrafts message to boxes as the drafter wants them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from layoutbrush import v1
from layoutbrush.runtime.drafts import Box, DraftRequest
from layoutbrush.runtime.errors import InvalidArgument, LimitExceeded, OutOfRange, UnknownLabel
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.layers import Encoding
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.read import MAX_SEED, outgoing_encoding

MAX_BEFORE = 16
_ROUNDING = 1e-6
"""Share of the extent by which a box may reach beyond it: left edge and width are rounded apart, to float32."""


@dataclass(frozen=True)
class DraftOrder:
    """What a client ordered. `layout`: size of the label maps; None = that of the drafts."""

    request: DraftRequest
    layout: Extent | None
    encoding: Encoding


def draft_order(message: v1.GenerateDraftsRequest, limits: Limits, labels: Collection[str]) -> DraftOrder:
    """Return a checked request. `labels`: names that boxes may have; empty = any.

    Raises:
        InvalidArgument: a value is missing or out of its range.
        LimitExceeded: the label maps that are asked for are too large.
    """
    extent = Extent(message.extent.width, message.extent.height)
    if not (extent.shorter >= 1 and extent.longer <= limits.max_side):
        raise OutOfRange(f"The extent is 1 to {limits.max_side} pixels a side.", "extent")
    if message.count > limits.max_boxes:
        raise OutOfRange(f"At most {limits.max_boxes} drafts are made at once.", "count")
    if message.seed > MAX_SEED:
        raise OutOfRange(f"A seed is 0 to {MAX_SEED}.", "seed")
    encoding = outgoing_encoding(message.encoding, "encoding")
    count = max(1, message.count)
    if len(message.before) > MAX_BEFORE:
        raise OutOfRange(f"At most {MAX_BEFORE} layouts come before.", "before")
    before = [
        _boxes(layout.boxes, extent, f"before[{index}].boxes", limits, labels)
        for index, layout in enumerate(message.before)
    ]
    boxes = _boxes(message.boxes, extent, "boxes", limits, labels)
    request = DraftRequest(boxes, count, message.seed, tuple(before))
    return DraftOrder(request, _layout(message, limits, count), encoding)


def _boxes(
    boxes: Sequence[v1.Box], extent: Extent, field: str, limits: Limits, labels: Collection[str]
) -> tuple[Box, ...]:
    if not 1 <= len(boxes) <= limits.max_boxes:
        raise OutOfRange(f"There are 1 to {limits.max_boxes} boxes.", field)
    return tuple(_box(box, extent, index, f"{field}[{index}]", labels) for index, box in enumerate(boxes))


def _layout(message: v1.GenerateDraftsRequest, limits: Limits, count: int) -> Extent | None:
    if not message.HasField("layout_extent"):
        return None
    layout = Extent(message.layout_extent.width, message.layout_extent.height)
    if not (layout.shorter >= 1 and layout.longer <= limits.max_side):
        raise OutOfRange(f"A label map is 1 to {limits.max_side} pixels a side.", "layout_extent")
    if count * layout.area > limits.max_layer_pixels:
        text = (
            f"{count} label maps of {layout} are more than the {limits.max_layer_pixels} pixels that are sent at once."
        )
        raise LimitExceeded(f"{text} Ask for fewer drafts, or smaller label maps.", "layout_extent")
    return layout


def _box(box: v1.Box, extent: Extent, index: int, field: str, labels: Collection[str]) -> Box:
    if not box.label:
        raise InvalidArgument("The box has no label.", f"{field}.label")
    if labels and box.label not in labels:
        raise UnknownLabel(f"The label is none of {', '.join(labels)}.", f"{field}.label")
    for name in ("x", "y", "width", "height"):
        if not math.isfinite(getattr(box, name)):
            raise OutOfRange("It isn't a number.", f"{field}.{name}")
    left, right = _edges(box.x, box.width, extent.width, field, ("x", "width"))
    top, bottom = _edges(box.y, box.height, extent.height, field, ("y", "height"))
    return Box(box.label, left, top, right, bottom, box.look if box.HasField("look") else index)


def _edges(start: float, length: float, size: int, field: str, names: tuple[str, str]) -> tuple[float, float]:
    """Both edges of a box in one direction, as shares."""
    if length <= 0:
        raise OutOfRange("The box is empty: it must be above 0.", f"{field}.{names[1]}")
    if not 0 <= start < size:
        raise OutOfRange(f"The box begins outside the extent, which is {size} pixels there.", f"{field}.{names[0]}")
    if start + length > size * (1 + _ROUNDING):
        raise OutOfRange(f"The box reaches beyond the extent, which is {size} pixels there.", f"{field}.{names[1]}")
    return start / size, min(1.0, (start + length) / size)

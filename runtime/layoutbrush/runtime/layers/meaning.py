"""From bytes to meaning: photos as RGB, label maps as ids of the bundle, masks as booleans."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import InvalidArgument, OutOfRange, UnknownLabel
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.label_ids import first_strange
from layoutbrush.runtime.layers import files, raw
from layoutbrush.runtime.layers.header import DataType, Encoding, LayerHeader, PixelFormat
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.manifest import UNKNOWN_LABEL


@dataclass(frozen=True)
class Decoded:
    """A layer as the pipeline wants it.

    `pixels`: a photo's colours uint8 (H, W, 3), label ids uint8 (H, W), or a mask bool (H, W). `bounds`: where it lies,
    in the client's coordinates. `opaque`: of photos, bool (H, W), False where nothing may be copied from; None = all
    may.
    """

    bounds: Bounds
    pixels: NDArray[Any]
    opaque: NDArray[np.bool_] | None = None

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self.pixels.nbytes + (0 if self.opaque is None else self.opaque.nbytes)


def decode(
    header: LayerHeader, data: bytes | bytearray, limits: Limits, labels: Collection[int], default: Bounds | None
) -> Decoded:
    """Decode one whole layer. `header.check` has passed; `labels` are the bundle's ids.

    `default`: the photo's bounds, for layers that have none of their own.

    Raises:
        InvalidArgument: the data is truncated, damaged, of another size, of an unsupported kind, or holds unknown label
            ids or values that are no numbers; the field is named.
        LimitExceeded: the file is larger than the limits; nothing was decoded.
    """
    bounds = header.bounds or (None if header.kind.is_photo else default)
    field = header.at("data")
    if header.encoding is Encoding.RAW:
        if bounds is None or header.format is None:
            raise InvalidArgument("Raw pixels need bounds and a format.", header.at("bounds"))
        return _raw(header, header.format, data, bounds, labels, limits)
    image = files.load(data, header.encoding, limits, field, bounds.extent if bounds else None)
    bounds = bounds or Bounds.of(Extent(image.width, image.height))
    if header.kind.is_photo:
        _check_smallest(bounds.extent, limits, field)
        return Decoded(bounds, *files.photo_pixels(image))
    if header.kind.is_labels:
        return Decoded(bounds, known_labels(files.label_pixels(image, field), labels, field))
    return Decoded(bounds, files.mask_pixels(image, field))


def _raw(
    header: LayerHeader,
    form: PixelFormat,
    data: bytes | bytearray,
    bounds: Bounds,
    labels: Collection[int],
    limits: Limits,
) -> Decoded:
    values = raw.view(data, bounds.extent, form)
    order, numbers, field = form.channel_order, form.data_type, header.at("data")
    if header.kind.is_labels:
        return Decoded(bounds, known_labels(values[:, :, 0], labels, field))
    if not header.kind.is_photo:
        return Decoded(bounds, _half(values[:, :, 0], numbers, field))
    _check_smallest(bounds.extent, limits, header.at("bounds"))
    opaque = None
    if order.has_alpha:
        opaque = _half(values[:, :, -1], numbers, field)
        opaque = None if opaque.all() else opaque
        values = values[:, :, :-1]
    colors = raw.to_uint8(values[:, :, ::-1] if order.is_reversed else values, numbers, field)
    return Decoded(bounds, colors if colors.shape[2] == 3 else np.repeat(colors, 3, axis=2), opaque)


def _half(values: NDArray[np.generic], numbers: DataType, field: str) -> NDArray[np.bool_]:
    if numbers is DataType.UINT8:
        return np.asarray(values >= np.uint8(128))
    return np.asarray(raw.unit(values, numbers, field) >= 0.5)


def _check_smallest(extent: Extent, limits: Limits, field: str) -> None:
    if extent.shorter < limits.min_side:
        raise OutOfRange(f"The photo is {extent}; this server needs at least {limits.min_side} a side.", field)


def known_labels(pixels: NDArray[np.generic], labels: Collection[int], field: str) -> NDArray[np.uint8]:
    """Return ids (H, W), uint8 or uint16, as uint8, each one of the bundle's or 255.

    Raises:
        UnknownLabel: another id; the message gives its first place.
    """
    if pixels.dtype == np.uint8:
        found = first_strange(np.asarray(pixels, np.uint8), labels)
    else:
        allowed = np.zeros(65536, np.bool_)
        allowed[[*labels, UNKNOWN_LABEL]] = True
        wrong = ~allowed[pixels]
        row, column = (int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape))
        found = (row, column) if wrong.any() else None
    if found is not None:
        known = ", ".join(str(label) for label in sorted(labels))
        raise UnknownLabel(
            f"Label {pixels[found]}, first at column {found[1]}, row {found[0]}, isn't one of the bundle's: {known}; "
            f"{UNKNOWN_LABEL} = unknown.",
            field,
        )
    return np.ascontiguousarray(pixels, np.uint8)

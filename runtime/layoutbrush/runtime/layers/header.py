"""What a layer says about itself, free of protobuf. Values of the enumerations are those of the wire contract."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from layoutbrush.runtime.errors import InvalidArgument, OutOfRange, SizeMismatch
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.limits import Limits

FARTHEST = 1 << 20
"""Largest absolute x and y of a layer, pixels."""


class LayerKind(enum.IntEnum):
    """What a layer is for."""

    PHOTO = 1
    LABEL_MAP = 2
    EDITED_LABEL_MAP = 3
    MASK = 4
    EXCLUDE = 5
    REFERENCE_PHOTO = 6
    REFERENCE_LABEL_MAP = 7

    @property
    def is_photo(self) -> bool:
        """True for colours."""
        return self in (LayerKind.PHOTO, LayerKind.REFERENCE_PHOTO)

    @property
    def is_labels(self) -> bool:
        """True for label ids."""
        return self in (LayerKind.LABEL_MAP, LayerKind.EDITED_LABEL_MAP, LayerKind.REFERENCE_LABEL_MAP)

    @property
    def is_reference(self) -> bool:
        """True for layers with a reference_id."""
        return self in (LayerKind.REFERENCE_PHOTO, LayerKind.REFERENCE_LABEL_MAP)

    @property
    def words(self) -> str:
        """Its name for people, e.g. "label map"."""
        return self.name.lower().replace("_", " ")


class LayerKey(NamedTuple):
    """Which layer of a document: there is at most one of each."""

    kind: LayerKind
    reference_id: str = ""


class ChannelOrder(enum.IntEnum):
    """Channels of a pixel in memory order."""

    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGBA = 4
    BGR = 5
    BGRA = 6

    @property
    def channels(self) -> int:
        """Number of channels, alpha included."""
        return {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 4}[self.value]

    @property
    def has_alpha(self) -> bool:
        """True where the last channel is alpha."""
        return self.channels in (2, 4)

    @property
    def is_reversed(self) -> bool:
        """True where blue comes first."""
        return self in (ChannelOrder.BGR, ChannelOrder.BGRA)


class DataType(enum.IntEnum):
    """Number type of a channel; more than 8 bits are little-endian."""

    UINT8 = 1
    UINT16 = 2
    UINT16_TO_32768 = 3
    FLOAT16 = 4
    FLOAT32 = 5

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy type, little-endian."""
        kinds: dict[int, DTypeLike] = {1: "u1", 2: "<u2", 3: "<u2", 4: "<f2", 5: "<f4"}
        return np.dtype(kinds[self.value])

    @property
    def maximum(self) -> float:
        """The value that stands for 1."""
        return {1: 255.0, 2: 65535.0, 3: 32768.0, 4: 1.0, 5: 1.0}[self.value]


class PlaneOrder(enum.IntEnum):
    """How channels of raw pixels are arranged."""

    INTERLEAVED = 1
    PLANAR = 2


class Encoding(enum.IntEnum):
    """How a layer's bytes are to be read."""

    RAW = 1
    PNG = 2
    JPEG = 3


@dataclass(frozen=True)
class PixelFormat:
    """The layout of raw pixels; `row_stride` in bytes, 0 = rows without a gap."""

    channel_order: ChannelOrder
    data_type: DataType
    plane_order: PlaneOrder = PlaneOrder.INTERLEAVED
    row_stride: int = 0

    @property
    def planes(self) -> int:
        """Number of separate planes: 1 where interleaved."""
        return self.channel_order.channels if self.plane_order is PlaneOrder.PLANAR else 1

    def row_bytes(self, width: int) -> int:
        """Bytes of one row of one plane, without a gap."""
        channels = 1 if self.plane_order is PlaneOrder.PLANAR else self.channel_order.channels
        return width * channels * self.data_type.dtype.itemsize

    def stride(self, width: int) -> int:
        """Bytes from one row to the next."""
        return self.row_stride or self.row_bytes(width)

    def size(self, extent: Extent) -> int:
        """Bytes of all rows of all planes, the gap after the last row included."""
        return self.stride(extent.width) * extent.height * self.planes


@dataclass(frozen=True)
class LayerHeader:
    """Everything about a layer but its bytes. `data_size`: bytes of the whole layer as sent."""

    key: LayerKey
    encoding: Encoding
    data_size: int
    bounds: Bounds | None = None
    format: PixelFormat | None = None
    fields: str = field(default="", compare=False)
    """Path of the layer in the client's message, for errors."""

    @property
    def kind(self) -> LayerKind:
        """What the layer is for."""
        return self.key.kind

    def at(self, name: str) -> str:
        """Path of one of the layer's fields."""
        return f"{self.fields}.{name}" if self.fields else name

    def check(self, limits: Limits, default: Bounds | None) -> None:
        """Check all that can be known before the data is there.

        `default`: the photo's bounds, which layers without bounds cover.

        Raises:
            InvalidArgument: a value is missing, out of range, or in contradiction to another; its field is named.
            LimitExceeded: the layer is larger than the server takes.
        """
        limits.check_bytes(self.data_size, self.at("data"))
        if self.bounds is not None:
            if max(abs(self.bounds.x), abs(self.bounds.y)) > FARTHEST:
                raise OutOfRange(f"x and y lie within {FARTHEST} pixels of the origin.", self.at("bounds"))
            limits.check_extent(self.bounds.extent, self.at("bounds"))
            if default is not None and not self.kind.is_photo and not default.contains(self.bounds):
                raise SizeMismatch(
                    f"The {self.kind.words} covers {self.bounds}, which reaches beyond the photo ({default}).",
                    self.at("bounds"),
                )
        if self.encoding is Encoding.JPEG and not self.kind.is_photo:
            raise InvalidArgument(
                f"A {self.kind.words} can't be a JPEG: it would blur the ids. Send PNG or raw pixels.",
                self.at("encoding"),
            )
        if self.encoding is Encoding.RAW:
            self._check_raw(default)

    def _check_raw(self, default: Bounds | None) -> None:
        if self.format is None:
            raise InvalidArgument("Raw pixels need a format.", self.at("format"))
        bounds = self.bounds or (None if self.kind is LayerKind.PHOTO else default)
        if bounds is None:
            raise InvalidArgument("Raw pixels need bounds, at least for a photo.", self.at("bounds"))
        row = self.format.row_bytes(bounds.width)
        if self.format.row_stride and self.format.row_stride < row:
            raise OutOfRange(
                f"A row has {row} bytes, so row_stride can't be {self.format.row_stride}.", self.at("format.row_stride")
            )
        expected = self.format.size(bounds.extent)
        if self.data_size != expected:
            raise SizeMismatch(
                f"{bounds.extent} pixels in this format are {expected} bytes, not {self.data_size}.", self.at("data")
            )
        order, numbers = self.format.channel_order, self.format.data_type
        if not self.kind.is_photo and order is not ChannelOrder.GRAY:
            raise InvalidArgument(f"A {self.kind.words} has one channel: GRAY.", self.at("format.channel_order"))
        if self.kind.is_labels and numbers not in (DataType.UINT8, DataType.UINT16):
            raise InvalidArgument("Label ids are UINT8 or UINT16.", self.at("format.data_type"))

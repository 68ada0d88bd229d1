"""What a server takes. Everything here is checked on a header, before any pixel is decoded or copied."""

from __future__ import annotations

from dataclasses import dataclass

from layoutbrush.runtime.errors import LimitExceeded, OutOfRange
from layoutbrush.runtime.geometry import Extent

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits of a server; GetServerInfo tells them to clients."""

    max_side: int = 16384
    """Longest side of a layer, pixels."""
    max_layer_pixels: int = 64 * MIB
    """Largest layer, pixels (8192 x 8192, or 9504 x 6336 as cameras have it)."""
    max_layer_bytes: int = 1024 * MIB
    """Largest layer as sent, bytes (64 megapixels of RGBA in float32)."""
    max_layers: int = 64
    """Layers in a document."""
    max_message_bytes: int = 64 * MIB
    """Largest message from a client, bytes."""
    max_documents: int = 64
    """Documents of all clients."""
    max_total_bytes: int = 4096 * MIB
    """All documents together, bytes."""
    max_waiting: int = 16
    """Renders, segmentations, drafts, searches and fetches that may wait for a worker."""
    min_side: int = 64
    """Shorter side of the smallest photo, pixels."""
    max_polled_renders: int = 32
    """Renders without a stream that are kept at a time."""
    max_tiles: int = 4096
    """Tiles of one edit."""
    max_sources: int = 64
    """Sources of one edit."""
    max_references: int = 16
    """Reference photos of a document."""
    max_boxes: int = 64
    """Boxes, and drafts, of one GenerateDrafts."""
    max_seconds: float = 600.0
    """Longest a request may work, seconds, whatever its deadline."""

    def check_extent(self, extent: Extent, field: str) -> None:
        """Refuse an empty or too large picture.

        Raises:
            OutOfRange: a side is 0.
            LimitExceeded: a side or the number of pixels is above the limit.
        """
        if extent.area == 0:
            raise OutOfRange(f"The layer is empty ({extent}).", field)
        if extent.longer > self.max_side:
            raise LimitExceeded(f"The layer is {extent}; this server takes at most {self.max_side} a side.", field)
        if extent.area > self.max_layer_pixels:
            most = f"{self.max_layer_pixels / 1e6:.0f} megapixels"
            raise LimitExceeded(f"The layer is {extent}; this server takes at most {most} a layer.", field)

    def check_bytes(self, size: int, field: str) -> None:
        """Refuse a layer with no or too many bytes.

        Raises:
            OutOfRange: there are no bytes.
            LimitExceeded: there are more than the limit.
        """
        if size <= 0:
            raise OutOfRange("The layer has no data.", field)
        if size > self.max_layer_bytes:
            raise LimitExceeded(
                f"The layer has {size} bytes; this server takes at most {self.max_layer_bytes} a layer.", field
            )

"""A layer on its way up: parts that arrive in order, bounded by what the first one announced."""

from __future__ import annotations

from layoutbrush.runtime.errors import InvalidArgument, SizeMismatch
from layoutbrush.runtime.layers import LayerHeader


class Upload:
    """The bytes received so far of one layer. Memory grows with what arrives, not with what is announced."""

    def __init__(self, header: LayerHeader) -> None:
        self.header = header
        self.data = bytearray()

    @property
    def complete(self) -> bool:
        """True once every announced byte is there."""
        return len(self.data) == self.header.data_size

    def add(self, part: bytes, offset: int, header: LayerHeader, field: str) -> None:
        """Append a part that begins at `offset`; `header` is what the part's own message says of the layer.

        Raises:
            InvalidArgument: the part doesn't follow the last one.
            SizeMismatch: the announced size changed, or there is more than was announced.
        """
        if offset != len(self.data):
            raise InvalidArgument(
                f"{len(self.data)} bytes of this layer were received, so the next part begins there, not at {offset}.",
                "offset",
            )
        if header.data_size != self.header.data_size:
            raise SizeMismatch(
                f"The first part announced {self.header.data_size} bytes, this one {header.data_size}.",
                f"{field}.data_size",
            )
        if not part:
            raise InvalidArgument("The part has no data.", f"{field}.data")
        if offset + len(part) > self.header.data_size:
            raise SizeMismatch(
                f"{self.header.data_size} bytes were announced and at least {offset + len(part)} sent.", f"{field}.data"
            )
        self.data += part

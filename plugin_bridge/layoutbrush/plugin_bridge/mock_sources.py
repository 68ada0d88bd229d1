"""What the mock draws from other photos: the mean colour that a label has there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import grpc

from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import Reference, Source

Rgb = tuple[int, int, int]
_ORDERS = {"GRAY": (0, 0, 0), "GRAY_ALPHA": (0, 0, 0), "RGB": (0, 1, 2), "RGBA": (0, 1, 2), "BGR": (2, 1, 0)}
_ORDERS["BGRA"] = _ORDERS["BGR"]


class MockReferences:
    """The references of a document by name: of each the colours of its pixels, and their labels."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[list[Rgb], bytes]] = {}

    def add(self, references: Iterable[Reference], nearest: Callable[[list[Rgb]], bytes]) -> None:
        """Remember references. `nearest`: finds the labels of pixels, where none were given."""
        for reference in references:
            colors = colors_of(reference.photo)
            found = reference.label_map.data if reference.label_map is not None else nearest(colors)
            if len(found) != len(colors):
                raise RemoteError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f'The label map of the reference "{reference.name}" is of another size.',
                    "layers",
                    "SIZE_MISMATCH",
                )
            self.known[reference.name] = colors, found

    def colors(
        self, sources: Sequence[Source], edited: bytes, own: tuple[list[Rgb], bytes], laid: Callable[[Source], bytes]
    ) -> dict[int, Rgb]:
        """The colour of each pixel that a source fills, by its index; later sources win. `own`: colours and labels of
        the photo itself. `laid`: a source's region over the whole photo, one byte a pixel.
        """
        found: dict[int, Rgb] = {}
        means: dict[tuple[str, int], Rgb | None] = {}
        for number, source in enumerate(sources):
            field = f"edit.sources[{number}]"
            if source.reference and source.reference not in self.known:
                raise _refused(f'The document has no reference "{source.reference}".', f"{field}.reference_id")
            colors, labels = self.known[source.reference] if source.reference else own
            region = laid(source) if source.region is not None else None
            inside = [i for i, label in enumerate(edited) if (region[i] >= 128 if region else label == source.label)]
            if region is not None and not inside:
                raise _refused("The region is empty.", f"{field}.region")
            for index in inside:
                wanted = edited[index] if source.source_label is None else source.source_label
                if (source.reference, wanted) not in means:
                    means[source.reference, wanted] = _mean(colors, labels, wanted)
                mean = means[source.reference, wanted]
                if mean is None:
                    text = f'The reference "{source.reference}" has no pixel of label {wanted}.'
                    raise _refused(text, f"{field}.reference_id")
                found[index] = mean
        return found


def colors_of(photo: Picture) -> list[Rgb]:
    """The photo's pixels, row by row."""
    rows, columns, channels = photo.shape
    if photo.encoding != "RAW" or photo.numbers != "UINT8" or photo.planar or photo.row_stride:
        raise ValueError("the mock reads raw, interleaved 8-bit pictures only")
    if len(photo.data) != rows * columns * channels:
        raise ValueError(f"the photo has {len(photo.data)} bytes, not {rows * columns * channels}")
    red, green, blue = _ORDERS[photo.channels]
    data = photo.data
    return [(data[i + red], data[i + green], data[i + blue]) for i in range(0, len(data), channels)]


def _mean(colors: list[Rgb], labels: bytes, wanted: int) -> Rgb | None:
    chosen = [color for color, label in zip(colors, labels, strict=True) if label == wanted]
    if not chosen:
        return None
    red, green, blue = (sum(color[c] for color in chosen) // len(chosen) for c in range(3))
    return red, green, blue


def _refused(text: str, field: str) -> RemoteError:
    return RemoteError(grpc.StatusCode.INVALID_ARGUMENT, text, field, "INVALID_ARGUMENT")

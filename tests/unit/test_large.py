"""Photos of 64 megapixels: taken, edited in bands, with memory that follows the region; larger ones refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from layoutbrush.runtime.errors import Cancelled, LimitExceeded
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers.header import (
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
from layoutbrush.runtime.pipeline import Editor, EditRequest, Event, Result, Tile, open_editor
from layoutbrush.runtime.pipeline.scene import Prepared

SIDE = 8192
MASKED = Bounds(3000, 5000, 900, 700)


def header(width: int, height: int) -> LayerHeader:
    form = PixelFormat(ChannelOrder.RGB, DataType.UINT8, PlaneOrder.INTERLEAVED, 0)
    bounds = Bounds(0, 0, width, height)
    return LayerHeader(LayerKey(LayerKind.PHOTO), Encoding.RAW, 3 * width * height, bounds, form, "layer")


@pytest.mark.parametrize(("width", "height"), [(8192, 8192), (9504, 6336), (9248, 6944), (16384, 4096)])
def test_camera_sizes_are_taken(width: int, height: int) -> None:
    header(width, height).check(Limits(), None)


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [(8192, 8193, "67 megapixels"), (11648, 8736, "67 megapixels"), (16385, 64, "16384 a side")],
)
def test_larger_ones_are_refused_in_words(width: int, height: int, said: str) -> None:
    with pytest.raises(LimitExceeded, match=said) as refused:
        header(width, height).check(Limits(), None)
    assert refused.value.field == "layer.bounds"


def sea(side: int, shore: int) -> tuple[Editor, Prepared]:
    """A photo with detail, sky above water; water begins at that row."""
    tile = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    photo = np.tile(tile, (side // 256, side // 256, 1))
    layout = np.zeros((side, side), np.uint8)
    layout[shore:] = 4
    editor = open_editor("stand-in")
    return editor, editor.open(photo, layout)


@pytest.fixture(scope="module")
def large() -> tuple[Editor, Prepared]:
    return sea(SIDE, MASKED.y - 60)


def peak_of(editor: Editor, prepared: Prepared, masked: Bounds) -> int:
    """Bytes that an edit takes at most, beside the photo and its maps."""
    edited = prepared.layout.copy()
    edited[masked.slices] = 0
    tracemalloc.start()
    result = next(event for event in editor.edit(prepared, EditRequest(edited, grow=0.0)) if isinstance(event, Result))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.layer.bounds == masked
    return peak


def test_memory_follows_the_region(large: tuple[Editor, Prepared]) -> None:
    """The same square in a photo of a quarter of the pixels takes as much."""
    quarter = peak_of(*sea(SIDE // 2, 1940), Bounds(1504, 2000, 900, 700))
    assert peak_of(*large, MASKED) < 1.1 * quarter


def test_tiles_come_while_later_ones_are_not_done(large: tuple[Editor, Prepared]) -> None:
    editor, prepared = large
    edited = prepared.layout.copy()
    edited[MASKED.slices] = 0
    seen: list[Tile] = []
    asked_after_first = 0

    def cancelled() -> bool:
        nonlocal asked_after_first
        asked_after_first += bool(seen)
        return False

    events = list(_noted(editor, prepared, EditRequest(edited, grow=0.0, tiles=True), cancelled, seen))
    (result,) = [event for event in events if isinstance(event, Result)]
    assert asked_after_first >= 2  # the work went on, band by band, after the first tile was handed out
    found = np.zeros_like(result.layer.pixels)
    for tile in seen:
        place = tile.layer.bounds.moved(-MASKED.x, -MASKED.y).slices
        found[place] = tile.layer.pixels
        np.testing.assert_array_equal(tile.mask, result.mask[place])
    np.testing.assert_array_equal(found, result.layer.pixels)
    assert sum(tile.layer.bounds.area for tile in seen) == MASKED.area


def _noted(
    editor: Editor, prepared: Prepared, request: EditRequest, cancelled: Callable[[], bool], seen: list[Tile]
) -> Iterator[Event]:
    """Passes events on, and notes the tiles."""
    for event in editor.edit(prepared, request, cancelled):
        if isinstance(event, Tile):
            seen.append(event)
        yield event


def test_cancelling_ends_between_bands(large: tuple[Editor, Prepared]) -> None:
    editor, prepared = large
    edited = prepared.layout.copy()
    edited[MASKED.slices] = 0
    seen: list[Tile] = []
    with pytest.raises(Cancelled):
        list(_noted(editor, prepared, EditRequest(edited, grow=0.0, tiles=True), lambda: bool(seen), seen))
    assert {tile.layer.bounds.y for tile in seen} == {MASKED.y}


def test_what_is_filled_is_as_sharp_as_its_source(large: tuple[Editor, Prepared]) -> None:
    """Noise of one pixel keeps its contrast: nothing is faded, resampled or smoothed on the way."""
    editor, prepared = large
    edited = prepared.layout.copy()
    edited[MASKED.slices] = 0
    result = next(event for event in editor.edit(prepared, EditRequest(edited, grow=0.0)) if isinstance(event, Result))
    inner = result.layer.pixels[8:-8, 8:-8].astype(np.float32)
    jumps = np.abs(np.diff(inner, axis=1)).mean()
    own = np.abs(np.diff(prepared.photo[:512, :512].astype(np.float32), axis=1)).mean()
    assert abs(jumps / own - 1) < 0.1

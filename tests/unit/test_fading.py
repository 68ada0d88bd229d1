"""A grown mask's ring fades into the photo; what changed, and what the host masks itself, is new throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from layoutbrush.runtime.engines import Array, Arrays
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import Editor, EditorOptions, EditRequest, Preview, Result
from layoutbrush.runtime.pipeline.fading import fresh_shares
from layoutbrush.runtime.pipeline.mask import Mask, edit_mask

SIDE, LOW, HIGH = 300, 100, 200
REACH = 10
"""A tenth of the square root of what changes."""


class Whitening(StandInEngine):
    """Networks that paint everything white."""

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        found = super().run(graph, inputs, outputs)
        pictures = {"estimate", "warped", "coarse", "refined"}
        return {name: np.ones_like(value) if name in pictures else value for name, value in found.items()}


def maps(times: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A black photo, a layout of grass, and an edit that puts a square of water on it."""
    layout = np.full((SIDE * times, SIDE * times), 3, np.uint8)
    edited = layout.copy()
    edited[LOW * times : HIGH * times, LOW * times : HIGH * times] = 4
    return np.zeros((*layout.shape, 3), np.uint8), layout, edited


def ring_of(mask: Mask) -> np.ndarray:
    """The shares from the square's edge outwards, half way down."""
    shares = fresh_shares(mask, mask.bounds.extent)
    assert shares is not None
    return shares[mask.bounds.height // 2, REACH + HIGH - LOW :]


def test_shares_fall_from_what_changed_to_the_edge() -> None:
    _, layout, edited = maps()
    mask = edit_mask(layout, EditRequest(edited))
    assert (mask.reach, mask.bounds) == (REACH, Bounds(90, 90, 120, 120))
    shares = fresh_shares(mask, mask.bounds.extent)
    assert shares is not None and mask.changed is not None
    assert (shares[mask.changed] == 255).all()
    ring = ring_of(mask).astype(int)
    assert list(ring[:3]) == [255, 255, 255]
    assert (np.diff(ring) <= 0).all() and (np.diff(ring[3:]) < 0).all() and 0 < ring[-1] < 64
    small = fresh_shares(mask, Extent(60, 60))
    assert small is not None
    assert np.abs(small[30, ::2].astype(int) - shares[61, ::4]).max() <= 255 // 4


def test_masks_of_the_host_are_taken_as_they_are() -> None:
    _, layout, edited = maps()
    own = np.zeros(layout.shape, np.bool_)
    own[80:220, 80:150] = True
    replaced = edit_mask(layout, EditRequest(edited, mask=own))
    assert fresh_shares(replaced, replaced.bounds.extent) is None
    bounded = edit_mask(layout, EditRequest(edited, mask=own, mask_use="bound"))
    shares = fresh_shares(bounded, bounded.bounds.extent)
    whole = edit_mask(layout, EditRequest(edited))
    assert shares is not None
    assert (shares[:, -1][10:110] == 255).all(), "where the host's mask cuts, there is no ring"
    assert shares[0].max() < 64
    np.testing.assert_array_equal(shares[60, :10], ring_of(whole)[::-1])


@pytest.mark.parametrize("times", [1, 5], ids=["at the networks' scale", "carried up"])
def test_results_and_previews_fade(times: int) -> None:
    photo, layout, edited = maps(times)
    work = Editor(Whitening(), STAND_IN_MANIFEST, EditorOptions(harmony=0.0, keep=0.0, calm=0.0))
    events = list(work.edit(work.open(photo, layout), EditRequest(edited, previews=("coarse",), preview_side=4096)))
    result, preview = events[-1], next(event for event in events if isinstance(event, Preview))
    assert isinstance(result, Result)
    pixels, middle = result.layer.pixels[..., 0].astype(int), result.mask.shape[0] // 2
    inside = slice(REACH * times, -REACH * times)
    shown = preview.layer.pixels[..., 0].astype(int)
    line = shown[shown.shape[0] // 2]
    assert line[len(line) // 2] == 255 and line[0] < 80
    assert (np.diff(line[: len(line) // 2]) >= 0).all()
    assert pixels[middle, 0] < 80 < 200 < pixels[inside, inside].min()
    assert (np.diff(pixels[middle, : REACH * times]) >= 0).all()


def test_what_is_excluded_never_shines_through() -> None:
    photo, layout, edited = maps()
    thrown = np.zeros(layout.shape, np.bool_)
    thrown[LOW - REACH : HIGH + REACH, LOW - REACH : 150] = True
    work = Editor(Whitening(), STAND_IN_MANIFEST, EditorOptions(harmony=0.0, keep=0.0, calm=0.0))
    prepared = work.open(photo, layout)
    events = list(work.edit(prepared, EditRequest(edited, exclude=thrown, previews=())))
    result = events[-1]
    assert isinstance(result, Result)
    left, right = result.layer.pixels[60, 0, 0], result.layer.pixels[60, -1, 0]
    assert left == 255 and right < 64
    sharp = Editor(Whitening(), STAND_IN_MANIFEST, EditorOptions(harmony=0.0, keep=0.0, calm=0.0, feather=0))
    result = list(sharp.edit(prepared, EditRequest(edited, previews=())))[-1]
    assert isinstance(result, Result)
    assert (result.layer.pixels[result.mask] == 255).all()

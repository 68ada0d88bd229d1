"""Labels that nobody gave: what is segmented, what is completed, what stays unknown, and what a bundle may lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array, Arrays
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, GraphSpec
from layoutbrush.runtime.pipeline import Editor, EditRequest, Result
from layoutbrush.runtime.pipeline.gaps import SIDE, completed, filled_outside, gap_of, mostly_unknown
from layoutbrush.runtime.pipeline.mask import Mask

GRAPHS = STAND_IN_MANIFEST.graphs | {"complete": GraphSpec("complete.onnx", "", (), ())}
COMPLETING = replace(STAND_IN_MANIFEST, graphs=GRAPHS)


class Completing(StandInEngine):
    """The stand-in with a graph `complete` that answers tree (1), and the layouts that each graph was given."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, Array]]] = {}

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        self.seen.setdefault(graph, []).append(dict(inputs))
        if graph != "complete":
            return super().run(graph, inputs, outputs)
        edited = inputs["edited"]
        return {"labels": np.where(edited == UNKNOWN_LABEL, 1, edited).astype(np.int32)}


def scene(height: int = 120, width: int = 160) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """A random photo, sky over grass, and a mask in the middle."""
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    layout = np.full((height, width), 3, np.uint8)
    layout[: height // 2] = 0
    mask = np.zeros((height, width), np.bool_)
    mask[height // 3 : 2 * height // 3, width // 3 : width // 2] = True
    return photo, layout, mask


def edit(engine: Completing, editor: Editor, layout: NDArray[np.uint8], request: EditRequest) -> Result:
    photo, _, _ = scene(*layout.shape)
    *_, result = editor.edit(editor.open(photo, layout), request)
    assert isinstance(result, Result)
    return result


def warped_layouts(engine: Completing) -> tuple[Array, Array]:
    """The layout that was encoded and the edited layout that the warp got, of as much as it changes."""
    return engine.seen["encode_image"][-1]["layout"][0], engine.seen["warp_coarse"][-1]["edited"][0]


VIEW = (slice(8, 120), slice(16, 112))
"""What the warp changes, of the mask of `scene` with its context, within the photo."""


def test_labels_unknown_everywhere_are_segmented_outside_and_completed_inside_the_mask() -> None:
    _, layout, mask = scene()
    nothing = np.full_like(layout, UNKNOWN_LABEL)
    engine = Completing()
    result = edit(engine, Editor(engine, COMPLETING), nothing, EditRequest(nothing, mask=mask))
    assert result.layer.bounds.extent.shape == result.mask.shape
    encoded, edited = warped_layouts(engine)
    np.testing.assert_array_equal(encoded[:120, :160], layout)  # the stand-in finds sky over grass
    np.testing.assert_array_equal(edited, np.where(mask, 1, layout)[VIEW])
    given = engine.seen["complete"][0]
    assert given["mask"].any()
    assert set(np.unique(given["edited"])) == {0, 3, UNKNOWN_LABEL}


def test_a_photo_without_labels_is_segmented_again_without_what_the_mask_hides() -> None:
    _, layout, mask = scene()
    nothing = np.full_like(layout, UNKNOWN_LABEL)
    engine = Completing()
    photo, _, _ = scene()
    editor = Editor(engine, COMPLETING)
    prepared = editor.open(photo, nothing)
    looks = len(engine.seen["segment"])
    *_, result = editor.edit(prepared, EditRequest(nothing, mask=mask))
    assert isinstance(result, Result)
    again = engine.seen["segment"][looks:]
    assert len(again) == looks
    other = np.where(mask[..., None], 255 - photo, photo)
    engine.seen["segment"] = []
    list(editor.edit(editor.open(other, nothing), EditRequest(nothing, mask=mask)))
    for one, two in zip(again, engine.seen["segment"][looks:], strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
    engine.seen.clear()
    list(editor.edit(prepared, EditRequest(nothing, mask=mask, seed=1)))
    assert not {"segment", "encode_image"} & set(engine.seen)  # the mask is the same: so are labels and features
    list(editor.edit(prepared, EditRequest(nothing, mask=np.roll(mask, 4, 1))))
    assert len(engine.seen["segment"]) == looks
    engine.seen.clear()
    list(editor.edit(editor.open(photo, layout), EditRequest(layout, mask=mask)))
    assert "segment" not in engine.seen  # labels that were given cost no look


def test_keys_and_queries_have_the_labels_of_the_photo_without_what_is_hidden() -> None:
    """Under the mask the layout stays what the photo shows there: it may be copied."""
    photo, layout, mask = scene()
    nothing = np.full_like(layout, UNKNOWN_LABEL)
    found = np.where(mask, np.uint8(4), layout)

    class Finding(Completing):
        """Sees a road, 4, wherever the photo is black."""

        def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
            results = super().run(graph, inputs, outputs)
            if graph == "segment":
                dark = inputs["image"].max(1) == 0
                results = {**results, "labels": np.where(dark, 4, results["labels"]).astype(np.int32)}
            return results

    black = np.where(mask[..., None], np.uint8(0), np.maximum(photo, 1))
    engine = Finding()
    editor = Editor(engine, COMPLETING)
    list(editor.edit(editor.open(black, nothing), EditRequest(nothing, mask=mask)))
    encoded, edited = warped_layouts(engine)
    wrong = (encoded[:120, :160] != found) & (encoded[:120, :160] != layout)
    assert not wrong.any()
    assert (encoded[:120, :160] == found).mean() > 0.98  # but for the rim, where a look is enlarged
    np.testing.assert_array_equal(edited, np.where(mask, 1, layout)[VIEW])


def test_labels_unknown_under_the_mask_are_completed_and_nothing_is_segmented() -> None:
    _, layout, mask = scene()
    engine = Completing()
    edited = np.where(mask, np.uint8(UNKNOWN_LABEL), layout)
    edited[mask & (np.arange(160) < 60)] = 4  # what the painter said stays
    edit(engine, Editor(engine, COMPLETING), layout, EditRequest(edited, mask=mask))
    assert "segment" not in engine.seen
    found = warped_layouts(engine)[1]
    np.testing.assert_array_equal(found, np.where(edited == UNKNOWN_LABEL, 1, edited)[VIEW])


def test_the_difference_of_maps_is_what_the_painter_drew_not_what_was_found() -> None:
    _, layout, _ = scene()
    nothing = np.full_like(layout, UNKNOWN_LABEL)
    painted = nothing.copy()
    painted[20:40, 30:60] = 4
    engine = Completing()
    result = edit(engine, Editor(engine, COMPLETING), nothing, EditRequest(painted, grow=0))
    assert result.layer.bounds == Bounds(30, 20, 30, 20)
    assert "complete" not in engine.seen  # every masked pixel has a label
    assert (warped_layouts(engine)[1][20:40, 30:60] == 4).all()


def test_bundles_without_the_graph_leave_unknown_what_is_unknown() -> None:
    _, layout, mask = scene()
    engine = Completing()
    edited = np.where(mask, np.uint8(UNKNOWN_LABEL), layout)
    edit(engine, Editor(engine, STAND_IN_MANIFEST), layout, EditRequest(edited, mask=mask))
    assert "complete" not in engine.seen
    assert (warped_layouts(engine)[1][mask[VIEW]] == UNKNOWN_LABEL).all()


def test_what_has_no_label_anywhere_stays_unknown_unless_it_is_thrown_away() -> None:
    _, layout, mask = scene()
    bounded = Mask(Bounds.of(Editor(StandInEngine(), STAND_IN_MANIFEST).open(*scene()[:2]).extent), mask)
    edited = np.where(mask, np.uint8(UNKNOWN_LABEL), layout)
    assert gap_of(layout, layout, bounded, None) is None
    gap = gap_of(layout, edited, bounded, None)
    assert gap is not None
    np.testing.assert_array_equal(gap, mask)
    carts = layout.copy()
    carts[90:118, 100:150] = UNKNOWN_LABEL
    assert gap_of(carts, edited, bounded, None) is None
    assert gap_of(carts, edited, bounded, carts == UNKNOWN_LABEL) is not None


def test_labels_outside_the_mask_are_filled_and_those_inside_kept() -> None:
    _, layout, mask = scene()
    bounds = Bounds(50, 30, 40, 60)
    part = Mask(bounds, mask[bounds.slices])
    nothing = np.full_like(layout, UNKNOWN_LABEL)
    filled = filled_outside(nothing, layout, part)
    inside = np.zeros_like(mask)
    inside[bounds.slices] = mask[bounds.slices]
    np.testing.assert_array_equal(filled, np.where(inside, UNKNOWN_LABEL, layout))
    assert mostly_unknown(nothing)
    assert not mostly_unknown(layout)


def test_large_photos_are_completed_at_a_small_size_and_near_the_gap() -> None:
    photo, layout, _ = scene(1200, 2000)
    mask = Mask(Bounds(900, 500, 100, 200), np.ones((200, 100), np.bool_))
    edited = layout.copy()
    edited[mask.bounds.slices] = UNKNOWN_LABEL
    shapes: list[tuple[int, ...]] = []

    def run(image: Array, labels: Array, hidden: Array) -> Array:
        shapes.append(image.shape)
        assert image.shape[2:] == labels.shape[1:] == hidden.shape[1:]
        assert image.shape[2] % 16 == image.shape[3] % 16 == 0
        assert 0 < hidden.mean() < 0.2
        return np.where(labels == UNKNOWN_LABEL, 0, labels)

    found = completed(photo, edited, mask, mask.pixels, run, 16, 64)
    assert max(shapes[0]) <= SIDE
    assert (found[mask.bounds.slices] == 0).all()
    outside = np.ones_like(layout, np.bool_)
    outside[mask.bounds.slices] = False
    np.testing.assert_array_equal(found[outside], edited[outside])

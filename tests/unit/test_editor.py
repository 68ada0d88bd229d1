"""The editor with the stand-in engine: what holds for every edit, whatever the networks paint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layoutbrush.runtime.engines import Array, Arrays
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled, InvalidArgument, SizeMismatch, UnknownLabel
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.pipeline import (
    Editor,
    EditorOptions,
    EditRequest,
    Event,
    Prepared,
    Preview,
    Progress,
    Result,
)
from layoutbrush.runtime.pipeline.scene import Scene
from layoutbrush.runtime.pipeline.task import view_window


class Recorder(StandInEngine):
    """The stand-in, with a list of what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, tuple[int, ...]]]] = []

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        self.calls.append((graph, {name: value.shape for name, value in inputs.items()}))
        return super().run(graph, inputs, outputs)

    @property
    def graphs(self) -> list[str]:
        return [graph for graph, _ in self.calls]


def editor(**options: Any) -> Editor:
    return Editor(Recorder(), STAND_IN_MANIFEST, EditorOptions(**options))


STEPS = ["warp_coarse", "warp_fine", "refine"]


def scene(width: int, height: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random photo, a layout of sky over grass, and an edit that pulls some sky down."""
    photo = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    layout = np.full((height, width), 3, np.uint8)
    layout[: height // 2] = 0
    edited = layout.copy()
    edited[: height // 2 + height // 6 + 1, width // 3 : width // 3 + width // 4 + 1] = 0
    return photo, layout, edited


def result_of(events: Any) -> Result:
    *_, last = events
    assert isinstance(last, Result)
    return last


def applied(prepared: Prepared, result: Result) -> np.ndarray:
    """The photo with the layer on it, as a host pastes it: all of the layer's pixels, no mask needed."""
    picture = prepared.photo.copy()
    picture[result.layer.bounds.slices] = result.layer.pixels
    return picture


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(64, 800), st.integers(64, 800), st.integers(0, 2**31 - 1), st.booleans())
def test_outside_the_mask_nothing_changes(width: int, height: int, seed: int, own_mask: bool) -> None:
    photo, layout, edited = scene(width, height, seed)
    mask = None
    if own_mask:
        mask = np.random.default_rng(seed).random((height, width)) < 0.01
        mask[height // 2, width // 2] = True
    work = editor(scale=128)
    prepared = work.open(photo, layout)
    result = result_of(work.edit(prepared, EditRequest(edited, mask=mask, seed=seed)))
    assert result.layer.pixels.shape == (*result.layer.bounds.extent.shape, 3)
    changed = (applied(prepared, result) != photo).any(axis=2)
    allowed = np.zeros((height, width), np.bool_)
    allowed[result.layer.bounds.slices] = result.mask
    assert not (changed & ~allowed).any()
    if mask is not None:
        np.testing.assert_array_equal(allowed, mask)
    else:
        assert allowed[layout != edited].all()
    assert changed.any()


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 1000), (4000, 64), (3000, 2000)])
def test_extreme_sizes(width: int, height: int) -> None:
    photo, layout, edited = scene(width, height)
    work = editor()
    prepared = work.open(photo, layout)
    result = result_of(work.edit(prepared, EditRequest(edited)))
    inside = photo[result.layer.bounds.slices]
    np.testing.assert_array_equal(result.layer.pixels[~result.mask], inside[~result.mask])


def test_events_come_in_order_and_progress_never_falls() -> None:
    photo, layout, edited = scene(320, 240)
    work = editor()
    events: list[Event] = list(work.edit(work.open(photo, layout), EditRequest(edited)))
    kinds = [event.kind for event in events if isinstance(event, Preview)]
    assert kinds == ["warped", "coarse"]
    shares = [event.done for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    result = result_of(events)
    assert set(result.timings) == {"mask", "encode", "warp", "refine", "composite", "total"}
    assert all(value >= 0 for value in result.timings.values())


def test_previews_only_as_asked() -> None:
    photo, layout, edited = scene(320, 240)
    work = editor()
    prepared = work.open(photo, layout)
    events = list(work.edit(prepared, EditRequest(edited, previews=())))
    assert not [event for event in events if isinstance(event, Preview)]
    small = list(work.edit(prepared, EditRequest(edited, previews=("warped",), preview_side=32)))
    (preview,) = [event for event in small if isinstance(event, Preview)]
    assert max(preview.layer.pixels.shape[:2]) == 32
    assert preview.layer.bounds == result_of(small).layer.bounds


def test_previews_keep_the_photo_outside_the_mask() -> None:
    photo, layout, edited = scene(320, 240)
    work = editor()
    events = list(work.edit(work.open(photo, layout), EditRequest(edited)))
    result = result_of(events)
    for event in events:
        if isinstance(event, Preview):
            own = photo[event.layer.bounds.slices][~result.mask]
            np.testing.assert_array_equal(event.layer.pixels[~result.mask], own)


def test_features_are_made_once_a_document() -> None:
    photo, layout, edited = scene(320, 240)
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    prepared = work.open(photo, layout)
    assert engine.graphs == ["encode_image"]
    for seed in range(3):
        result_of(work.edit(prepared, EditRequest(edited, seed=seed)))
    assert engine.graphs == ["encode_image"] + 3 * STEPS
    assert prepared.nbytes > photo.nbytes


def test_features_are_kept_within_bounds_and_the_latest_used_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, layout, _ = scene(128, 96)
    nothing = np.zeros((1, 3, 1, 1), np.float32)
    places = [Bounds(x, 0, 64, 64) for x in (0, 16, 32, 48)]
    scenes = [
        Scene(place, place.extent, place.extent, nothing, np.zeros((1, 1, 1), np.int32), {"keys_1": np.zeros(1000)})
        for place in places
    ]
    monkeypatch.setattr("layoutbrush.runtime.pipeline.scene.MAX_BYTES", 2 * scenes[0].nbytes)
    prepared = Prepared(photo, layout, given=layout)
    for found in scenes[:2]:
        prepared.keep(found)
    assert prepared.find(places[0], places[0].extent) is scenes[0]
    prepared.keep(scenes[2])
    kept = [prepared.find(place, place.extent) is not None for place in places]
    assert kept == [True, False, True, False]
    assert prepared.nbytes == photo.nbytes + 2 * layout.nbytes + 2 * scenes[0].nbytes
    other = Prepared(photo, layout.copy(), given=prepared.given)
    other.keep(scenes[1])
    for key in (b"one", b"another"):
        prepared.keep_variant(key, other)
    assert prepared.variant(b"one") is None and prepared.variant(b"another") is other
    assert prepared.nbytes == photo.nbytes + 3 * layout.nbytes + 3 * scenes[0].nbytes
    monkeypatch.setattr("layoutbrush.runtime.pipeline.scene.MAX_BYTES", 0)
    prepared.keep(scenes[3])
    assert prepared.find(places[3], places[3].extent) is scenes[3]


def test_large_photos_are_encoded_as_a_whole_for_a_glance_and_by_region() -> None:
    photo, layout, edited = scene(2000, 1500)
    edited[:] = layout
    edited[800:900, 900:1000] = 0
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    prepared = work.open(photo, layout)
    assert engine.graphs == ["encode_image"]
    events = list(work.edit(prepared, EditRequest(edited)))
    assert engine.graphs == ["encode_image", "warp_coarse", "encode_image", *STEPS]
    glance, first = [event for event in events if isinstance(event, Preview)][:2]
    assert glance.kind == first.kind == "warped"
    assert glance.layer.bounds == first.layer.bounds
    assert glance.layer.pixels.size < first.layer.pixels.size
    engine.calls.clear()
    result_of(work.edit(prepared, EditRequest(edited)))  # now the region's features are there
    result_of(work.edit(prepared, EditRequest(edited, previews=())))
    assert engine.graphs == [*STEPS, *STEPS]


def test_a_long_panorama_is_encoded_by_region_alone() -> None:
    photo, layout, edited = scene(12000, 80)
    edited[:] = layout
    edited[20:60, 3000:3040] = 0
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    prepared = work.open(photo, layout)
    assert engine.graphs == []
    result_of(work.edit(prepared, EditRequest(edited)))
    assert engine.graphs == ["encode_image", *STEPS]
    assert np.prod(engine.calls[0][1]["image"][2:]) < 640 * 640


def test_nobody_glances_where_no_preview_is_wanted() -> None:
    photo, layout, edited = scene(2000, 1500)
    edited[:] = layout
    edited[800:900, 900:1000] = 0
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    result_of(work.edit(work.open(photo, layout), EditRequest(edited, previews=())))
    assert engine.graphs == ["encode_image", "encode_image", *STEPS]
    assert all(max(shapes["image"][2:]) <= 640 for graph, shapes in engine.calls if graph == "encode_image")


def test_graphs_get_aligned_sizes_and_whole_shapes() -> None:
    photo, layout, edited = scene(333, 217)
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    result_of(work.edit(work.open(photo, layout), EditRequest(edited)))
    for graph in STEPS:
        shapes = dict(engine.calls)[graph]
        height, width = shapes["picture"][2:]
        assert height % 16 == width % 16 == 0
        assert shapes["mask"] == (1, height, width)
        if graph == "refine":
            assert shapes["warped"] == shapes["picture"] and shapes["confidence"] == (1, 1, height, width)
            continue
        high, wide = shapes["image"][2:]
        assert high % 16 == wide % 16 == 0
        assert shapes["source"] == shapes["layout"] == (1, high, wide)
        for name in (f"{kind}_{step}" for kind in ("keys", "labels") for step in (8, 4, 2, 1)):
            if name in shapes:
                step = int(name[-1])
                assert shapes[name][1:3] == (high // step, wide // step)


def test_a_small_edit_is_a_small_view_of_the_whole_photo() -> None:
    photo, layout, edited = scene(512, 512)
    edited[:] = layout
    edited[250:280, 250:280] = 0
    engine = Recorder()
    work = Editor(engine, STAND_IN_MANIFEST)
    prepared = work.open(photo, layout)
    for column in (250, 252, 400):  # wherever a stroke is, the photo's features are there
        edited[250:280, column : column + 30] = 0
        result_of(work.edit(prepared, EditRequest(edited)))
    assert engine.graphs == ["encode_image"] + 3 * STEPS
    first = engine.calls[1][1]
    assert first["image"][2:] == (512, 512) and np.prod(first["picture"][2:]) < 0.1 * 512 * 512


@pytest.mark.parametrize(
    ("mask", "window"),
    [
        (Bounds(200, 100, 40, 30), Bounds(168, 64, 112, 112)),
        (Bounds(0, 0, 512, 384), Bounds(0, 0, 512, 384)),
        (Bounds(500, 380, 12, 4), Bounds(448, 320, 64, 64)),
        (Bounds(0, 0, 1, 1), Bounds(0, 0, 64, 64)),
    ],
)
def test_view_is_the_mask_with_context_on_the_grid(mask: Bounds, window: Bounds) -> None:
    assert view_window(mask, Extent(512, 384)) == window


@pytest.mark.parametrize("size", [(320, 240), (1500, 1000)])
def test_same_seed_same_picture(size: tuple[int, int]) -> None:
    photo, layout, edited = scene(*size)
    work = editor()
    prepared = work.open(photo, layout)
    first, again, other = (
        result_of(work.edit(prepared, EditRequest(edited, seed=seed))).layer.pixels for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("times", [1, 5], ids=["at the networks' scale", "carried up"])
def test_excluded_pixels_are_never_copied(times: int) -> None:
    photo, layout, edited = scene(320 * times, 240 * times)
    thrown = Bounds(100 * times, 60 * times, 100 * times, 60 * times).slices
    photo[:] = 10
    photo[thrown] = 250
    exclude = np.zeros(layout.shape, np.bool_)
    exclude[thrown] = True
    work = editor()
    prepared = work.open(photo, layout)
    free = result_of(work.edit(prepared, EditRequest(edited))).layer.pixels
    kept = result_of(work.edit(prepared, EditRequest(edited, exclude=exclude, mask=exclude))).layer.pixels
    assert free.max() > 200
    assert kept.max() < 50


def test_large_photos_keep_their_own_pixels() -> None:
    """With a correction of nothing, what is carried up is made of the photo's own colours."""
    photo, layout, edited = scene(1600, 1200)
    photo[:] = np.where(layout[..., None] == 0, [200, 210, 220], [30, 90, 20]).astype(np.uint8)
    work = editor(feather=0)
    prepared = work.open(photo, layout)
    result = result_of(work.edit(prepared, EditRequest(edited)))
    filled = result.layer.pixels[result.mask & (edited[result.layer.bounds.slices] == 0)]
    assert np.abs(filled.astype(int) - [200, 210, 220]).mean() < 30


def test_photo_without_a_layout_is_segmented() -> None:
    photo, _, _ = scene(1000, 700)
    work = editor()
    prepared = work.open(photo)
    assert prepared.segmented
    assert set(np.unique(prepared.layout)) == {0, 3}
    assert prepared.layout.shape == (700, 1000)


def test_unknown_pixels_are_filled_from_anywhere() -> None:
    photo, layout, edited = scene(320, 240)
    edited[edited != layout] = 255
    work = editor()
    assert result_of(work.edit(work.open(photo, layout), EditRequest(edited))).mask.any()


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        (lambda m: {"edited": m[:-1]}, SizeMismatch, "edited"),
        (lambda m: {"edited": np.full_like(m, 77)}, UnknownLabel, "edited"),
        (lambda m: {"edited": m, "mask": np.ones((3, 3), np.bool_)}, SizeMismatch, "mask"),
        (lambda m: {"edited": m, "mask": np.zeros(m.shape, np.bool_)}, InvalidArgument, "mask"),
        (lambda m: {"edited": m, "exclude": np.ones((3, 3), np.bool_)}, SizeMismatch, "exclude"),
        (lambda m: {"edited": m, "exclude": np.ones(m.shape, np.bool_)}, InvalidArgument, "exclude"),
        (lambda m: {"edited": m, "seed": -1}, InvalidArgument, "seed"),
        (lambda m: {"edited": m, "grow": float("nan")}, InvalidArgument, "grow"),
    ],
)
def test_bad_requests_name_their_field(
    change: Callable[[np.ndarray], dict[str, Any]], error: type[InvalidArgument], field: str
) -> None:
    photo, layout, edited = scene(128, 96)
    work = editor()
    prepared = work.open(photo, layout)
    with pytest.raises(error) as caught:
        list(work.edit(prepared, EditRequest(**change(edited))))
    assert caught.value.field == field
    result_of(work.edit(prepared, EditRequest(edited)))


def test_bad_layouts_are_refused_on_opening() -> None:
    photo, layout, _ = scene(128, 96)
    with pytest.raises(SizeMismatch):
        editor().open(photo, layout[1:])
    with pytest.raises(UnknownLabel):
        editor().open(photo, np.full_like(layout, 200))


@pytest.mark.parametrize("size", [(320, 240), (1500, 1000)])
def test_cancelled_work_stops_between_steps(size: tuple[int, int]) -> None:
    photo, layout, edited = scene(*size)
    for steps in range(40):
        engine = Recorder()
        work = Editor(engine, STAND_IN_MANIFEST)
        prepared = work.open(photo, layout)
        left = iter([False] * steps)
        events = work.edit(prepared, EditRequest(edited), partial(next, left, True))
        try:
            found = list(events)
        except Cancelled:
            continue
        assert isinstance(found[-1], Result)
        assert steps > 5
        break
    else:
        pytest.fail("the edit never ended")


def test_result_bounds_are_the_masks() -> None:
    photo, layout, edited = scene(320, 240)
    mask = np.zeros(layout.shape, np.bool_)
    mask[100:140, 60:160] = True
    work = editor()
    result = result_of(work.edit(work.open(photo, layout), EditRequest(edited, mask=mask)))
    assert result.layer.bounds == Bounds(60, 100, 100, 40)
    assert result.mask.all()


class Guessing(StandInEngine):
    """A warp that is sure of nothing; a refiner whose coarse picture is dark and whose refined one is bright."""

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        if graph == "refine":
            inside = inputs["mask"][:, None]
            shades = {"coarse": 0.2, "refined": 0.8}
            return {name: np.where(inside, np.float32(shades[name]), inputs["picture"]) for name in outputs}
        found = super().run(graph, inputs, outputs)
        return {name: 0 * value if name == "confidence" else value for name, value in found.items()}


def test_guessed_labels_are_trusted_less_and_nothing_is_calmed() -> None:
    options = EditorOptions(keep=0.4, calm=0.2, keep_guessed=0.1)
    assert options.for_guesses(0.0) == options
    half, whole = options.for_guesses(0.5), options.for_guesses(1.0)
    assert (half.keep, half.calm) == pytest.approx((0.25, 0.1))
    assert (whole.keep, whole.calm) == pytest.approx((0.1, 0.0))
    assert EditorOptions(keep=0.05).for_guesses(1.0).keep == pytest.approx(0.05)  # never more than for labels given


def test_where_the_warp_guesses_the_result_is_calmer() -> None:
    photo, layout, edited = scene(320, 240)
    for calm, shade in ((0.0, 0.8), (0.25, 0.65)):
        options = EditorOptions(calm=calm, harmony=0.0, feather=0, detail=0.0)
        work = Editor(Guessing(), STAND_IN_MANIFEST, options)
        result = result_of(work.edit(work.open(photo, layout), EditRequest(edited, previews=())))
        assert set(np.unique(result.layer.pixels[result.mask])) == {round(255 * shade)}


def test_where_the_refiner_is_lost_the_warp_brings_the_detail() -> None:
    photo, layout, edited = scene(320, 240)
    own = {}
    for detail in (0.0, 0.5, 1.0):
        options = EditorOptions(calm=0.0, harmony=0.0, feather=0, detail=detail)
        work = Editor(Guessing(), STAND_IN_MANIFEST, options)
        result = result_of(work.edit(work.open(photo, layout), EditRequest(edited, previews=())))
        own[detail] = result.layer.pixels[result.mask].astype(int)
    assert own[0.0].std() == 0 < own[0.5].std() < own[1.0].std()
    # Light is the refiner's, but for what the noise loses at white.
    assert own[0.0].mean() - 25 < own[1.0].mean() < own[0.0].mean() + 5

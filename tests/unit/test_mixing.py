"""Mixing with the stand-in engine: what holds for every edit with sources, whatever the networks paint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.engines import Array, Arrays
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled, InvalidArgument, SizeMismatch
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.pipeline import Editor, EditorOptions, EditRequest, Prepared, Result, Source

SKY, GRASS, WATER = 0, 3, 4
HEIGHT, WIDTH = 128, 160
COLOURS = {SKY: 200, GRASS: 90, WATER: 30}


class Copying(StandInEngine):
    """The stand-in whose refiner leaves the warp as it is; counts what it was asked for."""

    def __init__(self) -> None:
        self.graphs: list[str] = []

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        self.graphs.append(graph)
        if graph == "refine":
            return dict.fromkeys(("coarse", "refined"), inputs["warped"])
        return super().run(graph, inputs, outputs)


def editor(**options: Any) -> Editor:
    return Editor(Copying(), STAND_IN_MANIFEST, EditorOptions(harmony=0.0, feather=0, **options))


def layout(*rectangles: tuple[int, int, int, int, int], height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Sky over grass; then (label, x, y, width, height)."""
    labels = np.full((height, width), GRASS, np.uint8)
    labels[: height // 2] = SKY
    for label, x, y, wide, high in rectangles:
        labels[y : y + high, x : x + wide] = label
    return labels


def photo(labels: np.ndarray, shift: int = 0) -> np.ndarray:
    """Each label in its own grey, brighter by `shift`, and every pixel a little different."""
    grey = np.array([COLOURS.get(label, 128) for label in range(256)])[labels] + shift
    grain = np.random.default_rng(shift).integers(0, 8, (*labels.shape, 3))
    pixels: np.ndarray = (grey[..., None] + grain).astype(np.uint8)
    return pixels


def edited(
    chosen: Editor, request: EditRequest, labels: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The photo, the photo with the edit, and the mask over it."""
    before = photo(labels) if own is None else own
    prepared = chosen.open(before, labels)
    after, mask = before.copy(), np.zeros(labels.shape, np.bool_)
    for event in chosen.edit(prepared, request):
        if isinstance(event, Result):
            after[event.layer.bounds.slices] = event.layer.pixels
            mask[event.layer.bounds.slices] = event.mask
    return before, after, mask


def reference(chosen: Editor, *rectangles: tuple[int, int, int, int, int]) -> Prepared:
    """A photo 45 brighter than the edited one, all water but for its lower half and the rectangles."""
    labels = np.where(layout() == SKY, np.uint8(WATER), layout())
    for label, x, y, wide, high in rectangles:
        labels[y : y + high, x : x + wide] = label
    return chosen.open(photo(labels, 45), labels)


@pytest.mark.parametrize("scale", [0, 64])
def test_a_label_is_drawn_from_the_reference_and_nothing_else_changes(scale: int) -> None:
    chosen = editor(scale=scale)
    request = EditRequest(layout(), sources=(Source(GRASS, reference="r"),), references={"r": reference(chosen)})
    before, after, mask = edited(chosen, request, layout())
    assert np.array_equal(before[~mask], after[~mask])
    grass = layout() == GRASS
    assert mask[grass].all()
    assert not mask[: HEIGHT // 2 - 4].any(), "no more than a rim around what is drawn"
    inside = after[HEIGHT // 2 + 4 :].astype(int)
    assert ((inside >= COLOURS[GRASS] + 44) & (inside <= COLOURS[GRASS] + 54)).all()


def test_a_region_draws_from_another_label_of_the_photo_itself() -> None:
    labels = layout((WATER, 0, 0, 60, 40))
    region = np.zeros(labels.shape, np.bool_)
    region[90:110, 40:90] = True
    request = EditRequest(labels, sources=(Source(region=region, source_label=WATER),))
    before, after, mask = edited(editor(), request, labels)
    assert np.array_equal(before[~mask], after[~mask])
    assert (np.abs(after[region].astype(int) - COLOURS[WATER]) < 10).all()


def test_several_references_in_one_edit_and_the_later_source_wins() -> None:
    chosen = editor()
    darker = chosen.open(photo(layout(), 20), layout())
    bright = chosen.open(photo(layout(), 40), layout())
    region = np.zeros(layout().shape, np.bool_)
    region[100:120, 20:60] = True
    sources = (Source(GRASS, reference="a"), Source(region=region, reference="b"), Source(SKY, reference="b"))
    request = EditRequest(layout(), sources=sources, references={"a": darker, "b": bright})
    _, after, mask = edited(chosen, request, layout())
    assert mask.all()
    middle = after[104:116, 24:56].astype(int)
    assert (np.abs(middle - (COLOURS[GRASS] + 43)) < 5).all()
    assert (np.abs(after[100:120, 70:].astype(int) - (COLOURS[GRASS] + 23)) < 5).all()
    assert (np.abs(after[: HEIGHT // 2 - 4].astype(int) - (COLOURS[SKY] + 40)) < 10).all()


def test_what_no_source_names_is_made_from_the_photo_as_ever() -> None:
    chosen = editor()
    painted = layout((SKY, 60, HEIGHT // 2, 40, 20), (WATER, 20, 100, 40, 20))
    sources = (Source(WATER, reference="r"),)
    _, after, mask = edited(
        chosen, EditRequest(painted, sources=sources, references={"r": reference(chosen)}), layout()
    )
    assert mask[painted != layout()].all()
    assert (np.abs(after[70:80, 65:95].astype(int) - COLOURS[SKY]) < 10).all()
    assert (np.abs(after[104:116, 24:56].astype(int) - (COLOURS[WATER] + 45)) < 10).all()


def test_a_thing_is_put_in_whole_at_its_place() -> None:
    chosen = editor()
    thing = reference(chosen, (7, 60, 30, 40, 24))
    region = np.zeros(layout().shape, np.bool_)
    region[80:104, 30:70] = True
    place = Bounds(-30, 50, WIDTH, HEIGHT)
    sources = (Source(region=region, reference="r", source_label=7, place=place),)
    _, after, _ = edited(chosen, EditRequest(layout(), sources=sources, references={"r": thing}), layout())
    inner = np.s_[83:101, 33:67]
    wanted = thing.photo[30 + 3 : 30 + 21, 60 + 3 : 60 + 37]
    assert np.abs(after[inner].astype(int) - wanted).max() <= 1
    assert "warp_coarse" in chosen.engine.graphs, "its rim is searched for"  # type: ignore[attr-defined]


def test_a_thing_that_stands_free_in_both_is_brought_to_size() -> None:
    chosen = editor()
    thing = reference(chosen, (7, 60, 30, 40, 24))
    thing.photo[30:42, 60:100] = 250  # its upper half
    painted = layout((7, 30, 70, 60, 36))
    sources = (Source(7, reference="r"),)
    _, after, _ = edited(chosen, EditRequest(painted, sources=sources, references={"r": thing}), layout())
    assert (after[76:84, 38:82] > 240).all()
    assert (after[94:100, 38:82] < 200).all()


def test_within_a_label_colour_gives_way_at_the_seam_and_stays_in_the_midst() -> None:
    chosen = editor()
    region = np.zeros(layout().shape, np.bool_)
    region[72:124, 30:130] = True
    sources = (Source(region=region, reference="r"),)
    request = EditRequest(layout(), sources=sources, references={"r": reference(chosen)})
    plain = edited(chosen, request, layout())[1].astype(int).mean(axis=2)
    joining = Editor(Copying(), STAND_IN_MANIFEST, EditorOptions(feather=0))
    joined = edited(joining, request, layout())[1].astype(int).mean(axis=2)
    rim, midst = np.s_[74:122, 32:35], np.s_[96:100, 70:90]
    assert abs(plain[rim].mean() - COLOURS[GRASS] - 48) < 3
    assert abs(joined[rim].mean() - COLOURS[GRASS] - 4) < 12
    assert abs(joined[midst].mean() - plain[midst].mean()) < 3


def test_the_edge_of_the_photo_is_no_seam() -> None:
    labels = layout(height=123, width=149)
    chosen = Editor(Copying(), STAND_IN_MANIFEST, EditorOptions(feather=0))
    other = chosen.open(photo(labels, 45), labels)
    request = EditRequest(labels, sources=(Source(GRASS, reference="r"),), references={"r": other})
    _, after, _ = edited(chosen, request, labels)
    assert np.abs(after[-6:].astype(int) - (COLOURS[GRASS] + 48)).max() < 8


@pytest.mark.parametrize("seed", [0, 5])
def test_same_seed_same_picture(seed: int) -> None:
    chosen = editor()
    sources = (Source(GRASS, reference="r"),)
    request = EditRequest(layout(), seed=seed, sources=sources, references={"r": reference(chosen)})
    first, second = (edited(chosen, request, layout())[1] for _ in range(2))
    assert np.array_equal(first, second)


def test_references_are_encoded_once() -> None:
    chosen = editor()
    request = EditRequest(
        layout(), sources=(Source(GRASS, reference="r"),), references={"r": reference(chosen)}, previews=()
    )
    prepared = chosen.open(photo(layout()), layout())
    list(chosen.edit(prepared, request))
    graphs = chosen.engine.graphs  # type: ignore[attr-defined]
    encoded = graphs.count("encode_image")
    list(chosen.edit(prepared, request))
    assert graphs.count("encode_image") == encoded
    assert request.references["r"].nbytes > request.references["r"].photo.nbytes


def test_masks_bound_what_sources_fill() -> None:
    chosen = editor()
    mask = np.zeros(layout().shape, np.bool_)
    mask[90:100, 10:30] = True
    for use in ("bound", "replace"):
        request = EditRequest(
            layout(),
            mask=mask,
            mask_use=use,
            sources=(Source(GRASS, reference="r"),),
            references={"r": reference(chosen)},
        )
        assert np.array_equal(edited(chosen, request, layout())[2], mask)


def test_a_region_of_unknown_label_takes_anything_from_the_reference() -> None:
    chosen = editor()
    painted = layout((255, 40, 80, 60, 30))
    region = painted == 255
    request = EditRequest(painted, sources=(Source(region=region, reference="r"),), references={"r": reference(chosen)})
    before, after, mask = edited(chosen, request, layout())
    assert mask[region].all()
    assert np.array_equal(before[~mask], after[~mask])
    found = after[region].astype(int).mean(axis=1)
    wanted = [COLOURS[label] + 48 for label in (WATER, GRASS)]
    assert (np.min([np.abs(found - colour) for colour in wanted], axis=0) < 8).all()


def test_excluded_pixels_of_the_photo_are_no_source() -> None:
    labels = layout((WATER, 0, 0, 60, 40))
    exclude = np.zeros(labels.shape, np.bool_)
    exclude[:40, :30] = True
    own = photo(labels)
    own[exclude] = 255
    region = np.zeros(labels.shape, np.bool_)
    region[90:110, 40:90] = True
    request = EditRequest(labels, exclude=exclude, sources=(Source(region=region, source_label=WATER),))
    _, after, _ = edited(editor(), request, labels, own)
    assert after[region].max() < 60


BAD: dict[str, tuple[dict[str, Any], str, type[Exception]]] = {
    "no such reference": ({"label": GRASS, "reference": "x"}, "sources[0].reference", InvalidArgument),
    "label that the reference lacks": ({"label": SKY, "reference": "r"}, "sources[0].reference", InvalidArgument),
    "label that the photo lacks": ({"label": SKY, "source_label": 9}, "sources[0].source_label", InvalidArgument),
    "label that is painted nowhere": ({"label": 9, "reference": "r"}, "sources[0].label", InvalidArgument),
    "nothing to fill": ({"reference": "r"}, "sources[0].label", InvalidArgument),
    "empty region": ({"region": np.zeros((HEIGHT, WIDTH), np.bool_)}, "sources[0].region", InvalidArgument),
    "region of another size": ({"region": np.ones((HEIGHT, 9), np.bool_)}, "sources[0].region", SizeMismatch),
    "part of another size": (
        {"label": GRASS, "reference": "r", "source_region": np.ones((9, 9), np.bool_)},
        "sources[0].source_region",
        SizeMismatch,
    ),
    "part without the label": (
        {"label": GRASS, "reference": "r", "source_region": np.arange(HEIGHT)[:, None] < np.full(WIDTH, 40)},
        "sources[0].reference",
        InvalidArgument,
    ),
    "place of the photo itself": (
        {"label": GRASS, "source_label": SKY, "place": Bounds(0, 0, 9, 9)},
        "sources[0].place",
        InvalidArgument,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sources_name_their_field(name: str) -> None:
    values, field, kind = BAD[name]
    chosen = editor()
    request = EditRequest(layout(), sources=(Source(**values),), references={"r": reference(chosen)})
    with pytest.raises(kind) as refused:
        edited(chosen, request, layout())
    assert getattr(refused.value, "field", "") == field


def test_a_label_that_is_not_there_is_said_by_its_name() -> None:
    chosen = editor()
    for source, said in (
        (Source(9, reference="r"), "The edited label map has no pixel of label 9 (pedestrian)"),
        (Source(SKY, reference="r"), 'The reference "r" has no pixel of label 0 (sky) to draw from'),
    ):
        request = EditRequest(layout(), sources=(source,), references={"r": reference(chosen)})
        with pytest.raises(InvalidArgument) as refused:
            edited(chosen, request, layout())
        assert said in refused.value.message


def test_cancelled_between_parts() -> None:
    chosen = editor()
    other = chosen.open(photo(layout(), 40), layout())
    request = EditRequest(layout(), sources=(Source(GRASS, reference="r"),), references={"r": other})
    prepared = chosen.open(photo(layout()), layout())
    graphs = chosen.engine.graphs  # type: ignore[attr-defined]
    graphs.clear()
    with pytest.raises(Cancelled):
        list(chosen.edit(prepared, request, lambda: "warp_coarse" in graphs))
    assert "refine" not in graphs

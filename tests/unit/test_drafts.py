"""Boxes to label maps at any size, looks, and bundles that make drafts or don't."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.bundle import Bundle, write
from layoutbrush.runtime.drafts import Box, Drafter, DraftRequest, find_drafter, label_map, open_drafter
from layoutbrush.runtime.drafts.boxes import in_sight
from layoutbrush.runtime.drafts.changes import change_weights, edited_boxes
from layoutbrush.runtime.drafts.looks import latent_codes
from layoutbrush.runtime.engines.stand_in import STAND_IN_DRAFTS, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled, DamagedBundle, NotFound, UnknownLabel
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.manifest import GraphSpec, TensorSpec
from layoutbrush.runtime.pipeline import open_editor

IDS = {"sky": 0, "tree": 1, "road": 2}


def box(label: str, left: float, top: float, right: float, bottom: float, look: int = 0) -> Box:
    return Box(label, left, top, right, bottom, look)


# Label maps


@pytest.mark.parametrize("extent", [Extent(64, 64), Extent(1, 1), Extent(7, 1000), Extent(1013, 3), Extent(513, 384)])
def test_boxes_that_tile_the_picture_leave_no_gap_at_any_size(extent: Extent) -> None:
    edges = [0.0, 0.13, 1 / 3, 0.5, 0.777, 1.0]
    boxes = [box("sky", left, top, right, bottom) for left, right in pairwise(edges) for top, bottom in pairwise(edges)]
    np.testing.assert_array_equal(label_map(boxes, IDS, extent), np.zeros(extent.shape, np.uint8))


def test_later_boxes_lie_in_front_and_uncovered_pixels_are_unknown() -> None:
    boxes = [box("sky", 0, 0, 1, 0.5), box("tree", 0.25, 0.25, 0.5, 1)]
    wanted = np.full((8, 8), 255, np.uint8)
    wanted[:4], wanted[2:, 2:4] = 0, 1
    np.testing.assert_array_equal(label_map(boxes, IDS, Extent(8, 8)), wanted)
    wanted[:4] = 0
    np.testing.assert_array_equal(label_map(boxes[::-1], IDS, Extent(8, 8)), wanted)


def test_the_thinnest_box_keeps_a_pixel_and_an_unknown_name_hides_what_is_behind() -> None:
    labels = label_map([box("sky", 0, 0, 1, 1), box("tree", 1 - 1e-9, 0.4999, 1, 0.5)], IDS, Extent(10, 10))
    assert np.argwhere(labels == 1).tolist() == [[5, 9]]
    labels = label_map([box("sky", 0, 0, 1, 1), box("unicorn", 0.5, 0, 1, 1)], IDS, Extent(4, 2))
    assert labels.tolist() == [[0, 0, 255, 255]] * 2


def test_what_is_hidden_altogether_is_left_out() -> None:
    behind, wall = box("tree", 0.3, 0.3, 0.6, 0.6), box("sky", 0.25, 0.3, 0.6, 0.75)
    assert in_sight((behind, wall)) == (wall,)
    assert in_sight((wall, behind)) == (wall, behind)
    halves = (box("sky", 0.2, 0, 0.45, 1), box("road", 0.45, 0, 0.7, 1))
    assert in_sight((behind, *halves)) == halves
    gap = (halves[0], dataclasses.replace(halves[1], left=0.45 + 1e-9))
    assert in_sight((behind, *gap)) == (behind, *gap)
    assert in_sight((behind, behind)) == (behind,)
    thin = dataclasses.replace(behind, left=0.6)
    assert in_sight((thin, wall)) == (thin, wall)
    assert in_sight((thin,)) == (thin,)


def test_a_hidden_box_makes_no_difference_to_a_draft() -> None:
    drafter = Drafter(Global(), STAND_IN_DRAFTS)
    tree, wall = box("tree", 0.3, 0.3, 0.6, 0.6, 1), box("sky", 0.25, 0.3, 0.6, 0.75, 2)
    (with_it,), (without,), (in_front,) = (
        drafter.draft(DraftRequest(b)) for b in ((tree, wall), (wall,), (wall, tree))
    )
    np.testing.assert_array_equal(with_it, without)
    assert (in_front != without).any()


# Looks


def test_codes_are_standard_normal_and_belong_to_seed_draft_and_look_alone() -> None:
    codes = latent_codes(3, 5, range(400), 63)
    assert codes.shape == (1, 400, 63)
    assert codes.dtype == np.float32
    assert abs(codes.mean()) < 0.02
    assert abs(codes.std() - 1) < 0.02
    assert abs(np.corrcoef(codes[0, :-1].ravel(), codes[0, 1:].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(latent_codes(3, 5, [17, 399, 17], 63)[0], codes[0, [17, 399, 17]])
    np.testing.assert_array_equal(latent_codes(3, 5, [17], 8)[0, 0].shape, (8,))
    for other in (latent_codes(4, 5, [17], 63), latent_codes(3, 6, [17], 63), latent_codes(3, 5, [18], 63)):
        assert (other[0, 0] != codes[0, 17]).all()


def test_codes_stay_what_they_are() -> None:
    """Drafts that somebody has kept by their seed come back the same in every version."""
    np.testing.assert_allclose(latent_codes(7, 1, [2], 4)[0, 0], KEPT, rtol=1e-6)
    largest = (1 << 32) - 1
    assert np.isfinite(latent_codes((1 << 31) - 1, 63, [largest], 64)).all()


KEPT = [-0.5352967, 0.9364169, 2.080652, -0.6424876]


# Edits

A, B, C = box("sky", 0, 0, 1, 0.5, 1), box("tree", 0.25, 0.25, 0.5, 1, 2), box("road", 0, 0.5, 1, 1, 3)
MOVED = dataclasses.replace(B, left=0.5, right=0.75)


@pytest.mark.parametrize(
    ("old", "new", "edited"),
    [
        ((A, B, C), (A, B, C), set()),
        ((A, B), (A, MOVED), {B, MOVED}),
        ((A, B), (A, C, B), {C}),
        ((A, B, C), (A, C), {B}),
        ((A, B, C), (B, C, A), {A}),  # it lies in front now
        ((A, A), (A,), {A}),
        ((A,), (dataclasses.replace(A, look=9),), {A, dataclasses.replace(A, look=9)}),
        ((A,), (dataclasses.replace(A, label="tree"),), {A, dataclasses.replace(A, label="tree")}),
    ],
)
def test_which_boxes_were_edited(old: tuple[Box, ...], new: tuple[Box, ...], edited: set[Box]) -> None:
    assert set(edited_boxes(old, new)) == edited
    assert set(edited_boxes(new, old)) == edited or old[0] != new[0]


def test_weights_are_whole_inside_and_nothing_beyond_the_margin() -> None:
    weights = change_weights((A, B), (A, MOVED), 64)
    assert (weights.shape, str(weights.dtype)) == ((64, 64, 1), "float32")
    assert (weights[16:, 16:48] == 1).all()
    assert weights[:12].max() == weights[:, :12].max() == weights[:, 52:].max() == 0
    between = weights[40, 11:17, 0]
    assert (np.diff(between) > 0).sum() >= 4  # a ramp, not a step
    assert not change_weights((A, B), (A, B), 64).any()


class Global:
    """An engine that does what networks do at their worst: everything depends on all boxes and on all looks."""

    name = note = "global"

    def run(self, graph: str, inputs: Any, outputs: Any = ()) -> Any:
        key = b"".join(np.ascontiguousarray(inputs[name]).tobytes() for name in ("labels", "boxes", "latents"))
        noise = np.random.default_rng(list(key)).random((1, 3, 64, 64), np.float32)
        return {"drafts": noise}


def test_a_draft_that_follows_changes_only_where_it_was_edited() -> None:
    drafter = Drafter(Global(), STAND_IN_DRAFTS)
    (old,) = drafter.draft(DraftRequest((A, B)))
    (anew,) = drafter.draft(DraftRequest((A, MOVED)))
    (new,) = drafter.draft(DraftRequest((A, MOVED), before=((A, B),)))
    assert (old != anew).all(axis=2).mean() > 0.9
    np.testing.assert_array_equal(new[:12], old[:12])
    np.testing.assert_array_equal(new[:, :12], old[:, :12])
    np.testing.assert_array_equal(new[16:, 16:48], anew[16:, 16:48])
    again = dataclasses.replace(A, look=5)  # the sky, too: the trees stay what they have become
    (last,) = drafter.draft(DraftRequest((again, MOVED), before=((A, B), (A, B), (A, MOVED))))
    np.testing.assert_array_equal(last[36:], new[36:])
    assert (last[:32] != new[:32]).any(axis=2).mean() > 0.9
    (same,) = drafter.draft(DraftRequest((A, B), before=((A, B),)))
    np.testing.assert_array_equal(same, old)


def test_unknown_names_before() -> None:
    with pytest.raises(UnknownLabel) as refused:
        next(open_drafter("stand-in").draft(DraftRequest((A,), before=((A,), (box("unicorn", 0, 0, 1, 1),)))))
    assert refused.value.field == "before[1].boxes[0].label"


# Drafters


def test_a_draft_does_not_depend_on_how_many_there_are() -> None:
    drafter = open_drafter("stand-in")
    boxes = (box("sky", 0, 0, 1, 0.5, 9), box("tree", 0.25, 0.25, 0.5, 1, 4))
    eight = list(drafter.draft(DraftRequest(boxes, 8, 3)))
    assert {(picture.shape, str(picture.dtype)) for picture in eight} == {((64, 64, 3), "uint8")}
    for one, another in zip(drafter.draft(DraftRequest(boxes, 5, 3)), eight, strict=False):
        np.testing.assert_array_equal(one, another)
    assert len({picture.tobytes() for picture in eight}) == 8


def test_unknown_names_and_cancelling() -> None:
    drafter = open_drafter("stand-in")
    with pytest.raises(UnknownLabel) as refused:
        next(drafter.draft(DraftRequest((box("sky", 0, 0, 1, 1), box("unicorn", 0, 0, 1, 1)))))
    assert refused.value.field == "boxes[1].label"
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 3

    made: list[Any] = []
    with pytest.raises(Cancelled):
        made.extend(drafter.draft(DraftRequest((box("sky", 0, 0, 1, 1),), 64), cancelled))
    assert len(asked) == 4


def test_bundles_that_make_no_drafts_are_refused_by_name() -> None:
    with pytest.raises(DamagedBundle, match="makes no drafts"):
        Drafter(StandInEngine(), STAND_IN_MANIFEST)
    good = STAND_IN_DRAFTS.graphs["draft"]
    latents = TensorSpec("latents", "float32", ("B", "O", "Z"))
    for spoilt in (
        dataclasses.replace(good, inputs=good.inputs[:2]),
        dataclasses.replace(good, inputs=(*good.inputs[:2], latents)),
        dataclasses.replace(good, inputs=(TensorSpec("labels", "float32", ("O",)), *good.inputs[1:])),
        dataclasses.replace(good, outputs=()),
    ):
        with pytest.raises(DamagedBundle, match="not those of drafts"):
            Drafter(StandInEngine(), dataclasses.replace(STAND_IN_DRAFTS, graphs={"draft": spoilt}))


def test_which_bundle_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from layoutbrush.runtime import bundle as bundles

    monkeypatch.setattr(bundles, "SHIPPED", tmp_path)
    drafter, said = find_drafter("drafts", "stand-in")
    assert (drafter is not None, said) == (True, "")
    assert find_drafter("none", "stand-in") == (None, "")
    drafter, said = find_drafter("drafts", "scenes")
    assert drafter is None
    assert "'drafts'" in said
    assert str(tmp_path) not in said
    with pytest.raises(NotFound) as missing:
        find_drafter("portraits", "scenes")
    assert missing.value.field == "--drafts"


def test_a_bundle_of_drafts_edits_no_photos(bundle: Bundle) -> None:
    with pytest.raises(DamagedBundle, match=r"tiny 0 can't edit photos: it has no graph 'encode_image'"):
        open_editor(str(bundle.path))


# Through ONNX Runtime


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A graph with the right inputs and outputs: a grey for each draft, from its codes, labels and boxes."""
    onnx = pytest.importorskip("onnx", reason="onnx isn't installed")
    helper = onnx.helper
    float32, int32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32

    def constant(name: str, values: Any) -> Any:
        return onnx.numpy_helper.from_array(np.array(values), name)

    nodes = [
        helper.make_node("ReduceSum", ["latents", "axes"], ["codes"], keepdims=1),  # (B, 1, 1)
        helper.make_node("Cast", ["labels"], ["names"], to=float32),
        helper.make_node("ReduceSum", ["names"], ["name"], keepdims=0),
        helper.make_node("ReduceSum", ["boxes"], ["place"], keepdims=0),
        helper.make_node("Add", ["name", "place"], ["fixed"]),
        helper.make_node("Add", ["codes", "fixed"], ["sums"]),
        helper.make_node("Unsqueeze", ["sums", "last"], ["planes"]),
        helper.make_node("Sigmoid", ["planes"], ["shades"]),
        helper.make_node("Shape", ["latents"], ["sizes"]),
        helper.make_node("Slice", ["sizes", "zero", "one"], ["count"]),
        helper.make_node("Concat", ["count", "rest"], ["target"], axis=0),
        helper.make_node("Expand", ["shades", "target"], ["drafts"]),
    ]
    initializers = [
        constant("axes", np.array([1, 2], np.int64)),
        constant("last", np.array([3], np.int64)),
        constant("zero", np.array([0], np.int64)),
        constant("one", np.array([1], np.int64)),
        constant("rest", np.array([3, 32, 32], np.int64)),
    ]
    graph = helper.make_graph(
        nodes,
        "draft",
        [
            helper.make_tensor_value_info("labels", int32, ["O"]),
            helper.make_tensor_value_info("boxes", float32, ["O", 4]),
            helper.make_tensor_value_info("latents", float32, ["B", "O", 6]),
        ],
        [helper.make_tensor_value_info("drafts", float32, ["B", 3, 32, 32])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    spec = GraphSpec(
        "draft.onnx",
        "",
        (
            TensorSpec("labels", "int32", ("O",)),
            TensorSpec("boxes", "float32", ("O", 4)),
            TensorSpec("latents", "float32", ("B", "O", 6)),
        ),
        (TensorSpec("drafts", "float32", ("B", 3, 32, 32)),),
    )
    manifest = dataclasses.replace(STAND_IN_DRAFTS, name="tiny", graphs={"draft": spec}, alignment=1, smallest=1)
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return write(folder, manifest, {"draft.onnx": model.SerializeToString()})


@pytest.mark.parametrize("objects", [1, 2, 30, 64])
def test_a_bundle_runs_with_any_number_of_objects(bundle: Bundle, objects: int) -> None:
    drafter = open_drafter(str(bundle.path), threads=1)
    boxes = tuple(box("tree", 0, 0, 0.5, 1 - look / 64, look) for look in range(objects))
    (picture,) = drafter.draft(DraftRequest(boxes, seed=4))
    assert picture.shape == (32, 32, 3)
    places = sum(box.right + box.bottom for box in boxes)
    value = latent_codes(4, 0, range(objects), 6).sum(dtype=np.float64) + objects + places
    assert abs(int(picture[0, 0, 0]) - round(255 / (1 + np.exp(-value)))) <= 1


def test_a_damaged_default_is_said_and_a_named_one_is_an_error(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layoutbrush.runtime import bundle as bundles

    folder = tmp_path / "drafts"
    folder.mkdir()
    for file in bundle.path.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    torn = bytearray((folder / "draft.onnx").read_bytes())
    torn[len(torn) // 2] ^= 1
    (folder / "draft.onnx").write_bytes(torn)
    monkeypatch.setattr(bundles, "SHIPPED", tmp_path)
    drafter, said = find_drafter("drafts", "scenes")
    assert drafter is None
    assert "SHA-256" in said
    with pytest.raises(DamagedBundle):
        find_drafter(str(folder), "scenes")
    manifest = dataclasses.replace(bundle.manifest, graphs={"warp": bundle.manifest.graphs["draft"]})
    other = write(tmp_path / "other", manifest, {"draft.onnx": bundle.read("draft.onnx")})
    with pytest.raises(DamagedBundle, match="makes no drafts"):
        find_drafter(str(other.path), "scenes")

"""Label layers of plug-ins: ids to colours and back, blends of brush strokes, colours of no label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from layoutbrush import v1
from layoutbrush.plugin_bridge.host import HostProblem, Label, Palette, label_layer
from layoutbrush.plugin_bridge.host.hull import hull_distance, nearest_pair
from layoutbrush.plugin_bridge.host.runs import Run, components, runs

SKY, TREE, WATER = 0, 1, 4
PALETTE = Palette(
    (
        Label(SKY, "sky", (126, 190, 238)),
        Label(TREE, "tree", (46, 110, 48)),
        Label(2, "road", (120, 116, 124)),
        Label(3, "grass", (132, 190, 84)),
        Label(WATER, "water", (52, 110, 190)),
        Label(7, "object", (222, 160, 52)),
    )
)


def painted(ids: NDArray[np.uint8]) -> Image.Image:
    """A label layer as RGBA."""
    height, width = ids.shape
    return Image.frombytes("RGBA", (width, height), label_layer.paint(ids.tobytes(), PALETTE, "RGBA"))


def reading(
    image: Image.Image, before: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], label_layer.Reading]:
    """Ids read back, (H, W)."""
    found = label_layer.read(
        image.tobytes(), image.width, image.height, PALETTE, None if before is None else before.tobytes(), "RGBA"
    )
    return np.frombuffer(found.ids, np.uint8).reshape(image.height, image.width), found


@given(st.lists(st.sampled_from([*(label.id for label in PALETTE.paints)]), min_size=1, max_size=60), st.booleans())
def test_exact_colours_are_their_labels(ids: list[int], swapped: bool) -> None:
    order = "BGRA" if swapped else "RGBA"
    pixels = label_layer.paint(bytes(ids), PALETTE, order)
    found = label_layer.read(pixels, len(ids), 1, PALETTE, order=order)
    assert found == label_layer.Reading(bytes(ids))


def test_byte_order_is_the_editors() -> None:
    assert label_layer.paint(bytes([WATER]), PALETTE, "BGRA") == bytes([190, 110, 52, 255])
    assert label_layer.paint(bytes([WATER]), PALETTE, "RGBA") == bytes([52, 110, 190, 255])


def test_clear_pixels_have_what_the_photo_had() -> None:
    before = np.full((4, 6), TREE, np.uint8)
    image = painted(np.full((4, 6), WATER, np.uint8))
    pixels = np.array(image)
    pixels[1:3, 2:5, 3] = 127  # an eraser with a soft rim: less than half is left
    pixels[0, 0, 3] = 128
    ids, found = reading(Image.fromarray(pixels), before)
    assert (ids[1:3, 2:5] == TREE).all() and (ids == TREE).sum() == 6 and ids[0, 0] == WATER
    assert not found.strays
    assert (reading(Image.fromarray(pixels))[0] == 255).sum() == 6, "without a map from before: unknown"


@pytest.mark.parametrize("radius", [0.7, 3.0, 12.0])
def test_soft_strokes_end_where_they_are_half(radius: float) -> None:
    """Sky over water, a tree stroke across both: blends are one of the labels on their sides, never a third one."""
    ids = np.zeros((120, 160), np.uint8)
    ids[60:] = WATER
    stroke = Image.new("L", (160, 120), 0)
    ImageDraw.Draw(stroke).ellipse((40, 25, 120, 95), fill=255)
    soft = stroke.filter(ImageFilter.GaussianBlur(radius))
    image = Image.composite(Image.new("RGBA", (160, 120), (*PALETTE.colors[TREE], 255)), painted(ids), soft)
    found, told = reading(image)
    assert not told.strays and told.blended > 100
    assert set(np.unique(found)) == {SKY, TREE, WATER}
    share = np.asarray(soft, np.int32)
    clear = np.abs(share - 128) > 24
    wanted = np.where(share >= 128, TREE, ids)
    rows = np.abs(np.arange(120) - 60) > radius + 2  # where sky and water meet, three colours blend
    assert (found == wanted)[clear & rows[:, None]].all()


def test_thin_line_that_covers_no_pixel_wholly() -> None:
    ids = np.zeros((20, 20), np.uint8)
    pixels = np.array(painted(ids))
    sky, tree = (np.array(PALETTE.colors[i], float) for i in (SKY, TREE))
    pixels[:, 9, :3] = np.round(0.9 * tree + 0.1 * sky)
    pixels[:, 10, :3] = np.round(0.1 * tree + 0.9 * sky)
    found, told = reading(Image.fromarray(pixels))
    assert not told.strays
    assert (found[:, 9] == TREE).all() and (found[:, 10] == SKY).all()


def test_strange_colours_are_told_and_never_guessed() -> None:
    ids = np.zeros((30, 40), np.uint8)
    image = painted(ids)
    draw = ImageDraw.Draw(image)
    draw.rectangle((5, 7, 14, 9), fill=(255, 0, 10, 255))
    draw.rectangle((20, 20, 21, 21), fill=(90, 0, 0, 255))
    found, told = reading(image)
    assert [(s.color, s.count, s.x, s.y) for s in told.strays] == [((255, 0, 10), 30, 5, 7), ((90, 0, 0), 4, 20, 20)]
    assert (found == 255).sum() == 34
    with pytest.raises(HostProblem, match=r"#ff000a \(30 pixels, first at 5, 7; nearest label: \w+\)"):
        told.check(PALETTE)
    label_layer.Reading(b"").check(PALETTE)


def test_runs_and_components() -> None:
    values = bytes(
        [
            9, 9, 0, 9,
            0, 0, 9, 9,
            9, 0, 0, 0,
            9, 0, 9, 0,
        ]
    )  # fmt: skip
    assert list(runs(values, 4, 9)) == [
        Run(0, 0, 2), Run(0, 3, 4), Run(1, 2, 4), Run(2, 0, 1), Run(3, 0, 1), Run(3, 2, 3)
    ]  # fmt: skip
    pieces = sorted(sorted(piece) for piece in components(values, 4, 9))
    assert pieces == [[Run(0, 0, 2), Run(0, 3, 4), Run(1, 2, 4)], [Run(2, 0, 1), Run(3, 0, 1)], [Run(3, 2, 3)]]


@given(st.binary(min_size=1, max_size=80).map(lambda data: bytes(b & 1 for b in data)), st.integers(1, 9))
def test_components_are_connected_pieces(values: bytes, width: int) -> None:
    """Against SciPy-free flood fill: two runs share a piece exactly if a path of touching pixels joins them."""
    values = values[: len(values) // width * width]
    marked = {divmod(i, width) for i, value in enumerate(values) if value}
    seen: list[set[tuple[int, int]]] = []
    left = set(marked)
    while left:
        piece, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            piece.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge += near
        seen.append(piece)
    found = [
        {(run.row, x) for run in piece for x in range(run.start, run.end)} for piece in components(values, width, 1)
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, seen))


@given(
    st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=7, unique=True),
    st.lists(st.floats(0.01, 1), min_size=7, max_size=7),
)
@example([(0, 0, 0), (0, 0, 249), (0, 88, 0)], [0.015625, 1.0, 1.0] + [1.0] * 4)  # a face between two long edges
def test_blends_lie_in_the_hull(corners: list[tuple[int, int, int]], weights: list[float]) -> None:
    total = sum(weights[: len(corners)])
    blend = [sum(w * c[i] for w, c in zip(weights, corners, strict=False)) / total for i in range(3)]
    color = (round(blend[0]), round(blend[1]), round(blend[2]))
    assert hull_distance(color, tuple(sorted(corners))) < 2  # half a level a channel is rounding


def test_blend_of_two_is_never_a_third() -> None:
    """Half way from sky to tree lies water's colour."""
    corners = tuple(sorted(PALETTE.colors[i] for i in (SKY, TREE, WATER)))
    away, end = nearest_pair((99, 163, 173), corners)
    assert away < 2 and end == PALETTE.colors[SKY]


def test_distance_from_the_hull() -> None:
    assert hull_distance((10, 30, 0), ((0, 0, 0), (100, 0, 0))) == pytest.approx(30)
    assert hull_distance((0, 0, 50), ((0, 0, 0),)) == pytest.approx(50)
    assert hull_distance((130, 40, 0), ((0, 0, 0), (100, 0, 0))) == pytest.approx(50)
    corners = ((0, 0, 0), (60, 0, 0), (0, 60, 0), (60, 60, 0), (30, 30, 0), (30, 30, 90))
    assert hull_distance((30, 30, 40), corners) == pytest.approx(0, abs=1)
    assert hull_distance((20, 30, 250), corners) == pytest.approx((10**2 + 160**2) ** 0.5)
    assert hull_distance((20, 30, -70), corners) == pytest.approx(70)


def test_palette_has_a_colour_for_each_label() -> None:
    same = [v1.Label(id=i, name=f"n{i}", color=v1.Color(red=255, green=255, blue=255)) for i in range(3)]
    palette = Palette.of(same)
    assert len({label.color for label in palette.paints}) == 4
    assert Palette.load(palette.dump()) == palette
    assert Palette.load("nonsense") == Palette.load("[[1]]") == Palette()
    assert palette.name(1) == "n1" and palette.name(255) == "unknown" and palette.name(9) == "9"


def test_too_many_labels_for_a_layer() -> None:
    many = Palette(tuple(Label(i, str(i), (i, 0, 0)) for i in range(254)))
    with pytest.raises(HostProblem, match="too many labels"):
        label_layer.read(bytes(4), 1, 1, many)

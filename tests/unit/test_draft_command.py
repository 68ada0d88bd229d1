"""`layoutbrush draft` end to end: pictures and label maps, sizes, seeds, moved boxes, refusals that name the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.commands import draft
from layoutbrush.plugin_bridge.commands.box_file import place_in_file
from layoutbrush.runtime.server import ServerOptions, open_backend
from layoutbrush.runtime.testing import ServerThread

OBJECTS: list[dict[str, Any]] = [
    {"label": "sky", "bbox": [0, 0, 64, 32]},
    {"label": "grass", "bbox": [0, 32, 64, 32], "colour": "green"},
    {"label": "tree", "bbox": [8, 8, 16, 40], "look": 9},
    {"label": "car", "bbox": [40, 40, 16, 8.0]},
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    options = ServerOptions(port=0, bundle="stand-in")
    with ServerThread(open_backend(options), options) as running:
        yield running.address


def boxes(folder: Path, objects: Any = OBJECTS, **values: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps({"width": 64, "height": 64, "objects": objects, **values}))
    return path


def run(path: Path, out: Path, server: str, **flags: Any) -> int:
    return draft.run(draft.Config(path, out, server=server, **flags))


def pictures(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: read(path) for path in sorted(folder.glob("*.png"))}


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_pictures_and_label_maps(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "drafts"
    assert run(boxes(tmp_path), out, server, count=11, seed=3, sheet=tmp_path / "sheet.png") == 0
    made, layouts = pictures(out), pictures(out / "layouts")
    assert list(made) == list(layouts) == [f"draft-{number:02d}.png" for number in range(11)]
    assert {(picture.shape, str(picture.dtype)) for picture in made.values()} == {((64, 64, 3), "uint8")}
    assert len({picture.tobytes() for picture in made.values()}) == 11
    wanted = np.zeros((64, 64), np.uint8)
    wanted[32:], wanted[8:48, 8:24], wanted[40:48, 40:56] = 3, 1, 8
    assert all(np.array_equal(layout, wanted) for layout in layouts.values())
    with Image.open(out / "layouts" / "draft-00.png") as layout, Image.open(tmp_path / "sheet.png") as sheet:
        assert layout.mode == "P"  # shown in the bundle's colours
        assert sheet.width > 4 * 192
        assert sheet.height > 3 * 192
    assert "11 drafts of 64 x 64 with 4 boxes, seed 3" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_files(server: str, tmp_path: Path) -> None:
    path = boxes(tmp_path)
    for name, flags in (("a", {"count": 4}), ("b", {"count": 2}), ("c", {"count": 2, "seed": 1})):
        assert run(path, tmp_path / name, server, **flags) == 0
    first, same, other = ((tmp_path / name / "draft-1.png").read_bytes() for name in "abc")
    assert first == same != other


def test_sizes(server: str, tmp_path: Path) -> None:
    path = boxes(tmp_path, width=128)
    assert run(path, tmp_path / "own", server) == 0
    assert run(path, tmp_path / "large", server, size="1000x75") == 0
    for folder, shape in (("own", (64, 128)), ("large", (75, 1000))):
        (picture,), (layout,) = (list(pictures(tmp_path / name).values()) for name in (folder, f"{folder}/layouts"))
        assert (picture.shape, layout.shape) == ((*shape, 3), shape)
    labels = layout
    assert set(np.unique(labels)) == {0, 1, 3, 8, 255}  # no colours in between
    np.testing.assert_array_equal(np.unique(np.argwhere(labels == 1)[:, 1])[[0, -1]], [62, 187])  # 8 and 24 of 128


def test_moving_a_box_in_the_file_keeps_all_looks(server: str, tmp_path: Path) -> None:
    assert run(boxes(tmp_path), tmp_path / "before", server) == 0
    moved = [*OBJECTS[:3], {"label": "car", "bbox": [44, 52, 16, 8]}]
    assert run(boxes(tmp_path, moved), tmp_path / "after", server) == 0
    before, after = (pictures(tmp_path / name)["draft-0.png"] for name in ("before", "after"))
    np.testing.assert_array_equal(after[52:60, 44:60], before[40:48, 40:56])
    np.testing.assert_array_equal(after[:40], before[:40])
    reordered = [OBJECTS[0], OBJECTS[1], OBJECTS[3], OBJECTS[2]]  # the car has no look of its own, the tree has
    assert run(boxes(tmp_path, reordered), tmp_path / "again", server) == 0
    again = pictures(tmp_path / "again")["draft-0.png"]
    np.testing.assert_array_equal(again[8:48, 8:24], before[8:48, 8:24])
    assert (again[40:48, 40:56] != before[40:48, 40:56]).any()


def test_what_came_before(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the stand-in nothing else changes anyway: that the files are read, sent, and named where they are wrong."""
    (tmp_path / "old").mkdir()
    old, new = boxes(tmp_path / "old"), boxes(tmp_path, [*OBJECTS[:3], {"label": "car", "bbox": [44, 52, 16, 8]}])
    assert run(old, tmp_path / "before", server) == 0
    assert run(new, tmp_path / "after", server, before=(old, old)) == 0
    before, after = (pictures(tmp_path / name)["draft-0.png"] for name in ("before", "after"))
    np.testing.assert_array_equal(after[:36], before[:36])
    assert (after[52:60, 44:60] != before[52:60, 44:60]).any()
    capsys.readouterr()
    assert run(new, tmp_path / "x", server, before=(boxes(tmp_path / "old", width=65),)) == 1
    assert capsys.readouterr().err.startswith("layoutbrush: --before: a file says another width")
    assert (
        run(new, tmp_path / "x", server, before=(boxes(tmp_path / "old", [{"label": "x", "bbox": [0, 0, 1, 1]}]),)) == 1
    )
    assert capsys.readouterr().err.startswith("layoutbrush: --before: objects[0].label: The label is none of")


@pytest.mark.parametrize(
    ("objects", "values", "said"),
    [
        (OBJECTS, {"width": 0}, "boxes.json: width: "),
        (OBJECTS, {"width": 64.5}, "boxes.json: width: "),
        (OBJECTS, {"height": "64"}, "boxes.json: height: "),
        (OBJECTS, {"height": 17000}, "boxes.json: width and height: "),
        ([], {}, "boxes.json: objects: "),
        ({}, {}, "boxes.json: objects: "),
        ([*OBJECTS, 7], {}, "boxes.json: objects[4]: "),
        ([{"bbox": [0, 0, 1, 1]}], {}, "boxes.json: objects[0].label: "),
        ([{"label": "unicorn", "bbox": [0, 0, 1, 1]}], {}, "boxes.json: objects[0].label: The label is none of sky"),
        ([{"label": "sky", "bbox": [0, 0, 1]}], {}, "boxes.json: objects[0].bbox: "),
        ([{"label": "sky", "bbox": [0, 0, 1, True]}], {}, "boxes.json: objects[0].bbox: "),
        ([{"label": "sky", "bbox": [0, 0, 1, float("nan")]}], {}, "boxes.json: objects[0].bbox: "),
        ([{"label": "sky", "bbox": [0, 0, 1, 1e300]}], {}, "boxes.json: objects[0].bbox: "),
        ([*OBJECTS, {"label": "sky", "bbox": [60, 0, 5, 1]}], {}, "boxes.json: objects[4].bbox: The box reaches"),
        ([{"label": "sky", "bbox": [0, 0, 1, 1], "look": -1}], {}, "boxes.json: objects[0].look: "),
        (OBJECTS * 17, {}, "boxes.json: objects: There are 1 to 64 boxes."),
    ],
)
def test_refusals_name_the_place_in_the_file(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], objects: Any, values: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    assert run(boxes(tmp_path, objects, **values), out, server) == 1
    assert capsys.readouterr().err.startswith(f"layoutbrush: {said}")
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"count": 65}, "--count is 1 to 64."),
        ({"count": 0}, "--count is 1 to 64."),
        ({"seed": -1}, "--seed is 0 to 2147483647."),
        ({"size": "64"}, "--size is WIDTHxHEIGHT"),
        ({"size": "0x64"}, "--size is WIDTHxHEIGHT"),
        ({"size": "8192x8193"}, "--size: "),
        ({"size": "8192x8192", "count": 2}, "--size: 2 label maps"),
        ({"sheet": Path("sheet.jpg")}, "sheet.jpg: results are PNG files"),
    ],
)
def test_refusals_name_the_flag(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: dict[str, Any], said: str
) -> None:
    assert run(boxes(tmp_path), tmp_path / "out", server, **flags) == 1
    assert capsys.readouterr().err.startswith(f"layoutbrush: {said}")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"width": 1e999}', " " * (2 << 20)])
def test_files_that_are_no_boxes(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(text)
    assert run(path, tmp_path / "out", server) == 1
    assert capsys.readouterr().err.startswith("layoutbrush: boxes.json")
    assert run(tmp_path / "none.json", tmp_path / "out", server) == 1
    assert "There is no file" in capsys.readouterr().err


def test_places() -> None:
    assert place_in_file("boxes[3].width") == "objects[3].bbox"
    assert place_in_file("boxes[3].label") == "objects[3].label"
    assert place_in_file("boxes[3]") == "objects[3]"
    assert place_in_file("boxes") == "objects"


def test_a_private_server(tmp_path: Path) -> None:
    flags = {"bundle": "stand-in", "threads": 1}
    assert draft.run(draft.Config(boxes(tmp_path), tmp_path / "out", count=2, **flags)) == 0  # type: ignore[arg-type]
    assert len(pictures(tmp_path / "out")) == 2

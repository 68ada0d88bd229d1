"""`layoutbrush edit` and `edit-folder` with references: flags to sources, and refusals in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.commands.files import Problem
from layoutbrush.plugin_bridge.commands.mixing import Take, parse_takes
from layoutbrush.runtime import cli
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.pipeline import Editor
from layoutbrush.runtime.service.backend import Backend
from layoutbrush.runtime.testing import ServerThread

HEIGHT, WIDTH = 80, 96
GRASS, WATER = 3, 4


@pytest.fixture(scope="module")
def server() -> Iterator[list[str]]:
    backend = Backend(Editor(StandInEngine(), STAND_IN_MANIFEST), "stand-in", "1", STAND_IN_LABELS, references=True)
    with ServerThread(backend) as running:
        yield ["--server", running.address]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def task(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Dark photo of sky and grass with a painted pond; a bright reference of water and grass. Photo, edited map."""
    layout = np.zeros((HEIGHT, WIDTH), np.uint8)
    layout[40:] = GRASS
    edited = layout.copy()
    edited[50:70, 20:60] = WATER
    photo = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH, 3), np.uint8)
    other = np.full((70, 90), GRASS, np.uint8)
    other[:40] = WATER
    save(folder / "image.png", photo)
    save(folder / "layout.png", layout)
    save(folder / "edited.png", edited)
    save(folder / "reference.png", np.where(other == WATER, 230, 180).astype(np.uint8)[..., None].repeat(3, axis=2))
    save(folder / "reference_layout.png", other)
    return photo, edited


def words(folder: Path, *more: str, edited: str = "edited.png") -> list[str]:
    files = ["--edited-layout", str(folder / edited), "--layout", str(folder / "layout.png")]
    other = ["--reference", str(folder / "reference.png"), "--reference-layout", str(folder / "reference_layout.png")]
    return ["edit", str(folder / "image.png"), *files, *other, "--out", str(folder / "out.png"), *more]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_what_is_painted_is_drawn_from_the_one_reference(tmp_path: Path, server: list[str]) -> None:
    photo, edited = task(tmp_path)
    assert cli.main(words(tmp_path, *server)) == 0
    out = read(tmp_path / "out.png")
    assert (out[54:66, 24:56] > 200).all()
    assert (out[:40] == photo[:40]).all()
    assert (out[edited == GRASS] < 100).mean() > 0.9, "grass that was there stays the photo's"


def test_take_says_which_label_and_needs_no_painting(tmp_path: Path, server: list[str]) -> None:
    photo, _ = task(tmp_path)
    assert cli.main(words(tmp_path, "--take", "grass", *server, edited="layout.png")) == 0
    out = read(tmp_path / "out.png")
    assert (out[46:] > 150).all()
    assert (out[:36] == photo[:36]).all()
    assert cli.main(words(tmp_path, "--take", "0:1:water", *server, edited="layout.png")) == 0
    assert (read(tmp_path / "out.png")[:36] > 200).all()


def test_several_references(tmp_path: Path, server: list[str]) -> None:
    task(tmp_path)
    save(tmp_path / "dark.png", np.full((70, 90, 3), 5, np.uint8))
    save(tmp_path / "dark_layout.png", np.full((70, 90), GRASS, np.uint8))
    second = ["--reference", str(tmp_path / "dark.png"), "--reference-layout", str(tmp_path / "dark_layout.png")]
    assert cli.main(words(tmp_path, *second, "--take", "grass:2", "--take", "4:1", *server)) == 0
    out = read(tmp_path / "out.png")
    assert (out[74:] < 40).all()
    assert (out[54:66, 24:56] > 200).all()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--take", "lava"], "--take: the bundle has no label 'lava'"),
        (["--take", "grass:2"], "--take: 'grass:2' asks for reference 2, there is one"),
        (["--take", "grass:one"], "LABEL:REF"),
        (["--take", "sky"], "--reference: The reference"),
        (["--take", "car:1:water"], "--take: The edited label map has no pixel of label 8 (car)"),
        (["--place", "1,2,3"], "--place: '1,2,3' isn't X,Y,WIDTH,HEIGHT"),
        (["--place", "0,0,1,1"], "--place: A reference lies at"),
    ],
)
def test_faults_are_one_sentence(
    tmp_path: Path, server: list[str], more: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task(tmp_path)
    assert cli.main(words(tmp_path, *more, *server)) == 1
    found = capsys.readouterr().err
    assert text in found
    assert len(found.strip().splitlines()) == 1


def test_sizes_and_labels_of_a_reference_are_checked(
    tmp_path: Path, server: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    task(tmp_path)
    save(tmp_path / "reference_layout.png", np.full((70, 89), GRASS, np.uint8))
    assert cli.main(words(tmp_path, *server)) == 1
    assert "--reference-layout: reference_layout.png is 89 x 70 pixels" in capsys.readouterr().err
    save(tmp_path / "reference_layout.png", np.full((70, 90), GRASS, np.uint8))
    assert cli.main(words(tmp_path, *server)) == 1
    assert "--reference: it has none of the labels that the edit paints" in capsys.readouterr().err


def test_folders_of_tasks_with_references(tmp_path: Path, server: list[str]) -> None:
    task(tmp_path / "tasks" / "a")
    photo, _ = task(tmp_path / "tasks" / "b")
    (tmp_path / "tasks" / "b" / "reference.png").unlink()
    assert cli.main(["edit-folder", str(tmp_path / "tasks"), "--out", str(tmp_path / "out"), *server]) == 0
    drawn, own = (read(tmp_path / "out" / f"{name}.png")[54:66, 24:56] for name in "ab")
    assert (drawn > 200).all()
    assert own.max() <= photo.max()


def test_takes_are_read() -> None:
    assert parse_takes(["sky"], 1) == [Take("sky")]
    assert parse_takes(["sky:2:tree", "3:1"], 2) == [Take("sky", 2, "tree"), Take("3", 1)]
    with pytest.raises(Problem, match="which of the 2 references"):
        parse_takes(["sky"], 2)
    with pytest.raises(Problem, match="which label comes from which"):
        parse_takes([], 2)
    with pytest.raises(Problem, match="there is none"):
        parse_takes(["sky"], 0)

"""Found references: likeness of layouts and looks, the index and its damage, the folder, the command."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layoutbrush.runtime import cli
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled, FailedPrecondition, NotFound, ReferenceNotFound
from layoutbrush.runtime.finding import Changes, Describer, Library, Query
from layoutbrush.runtime.finding.index import MAGIC, read_index
from layoutbrush.runtime.finding.layouts import GRID, layout_likeness, layout_shares
from layoutbrush.runtime.finding.looks import Looks, look_of
from layoutbrush.runtime.manifest import GraphSpec, TensorSpec
from layoutbrush.runtime.testing import small_library

LABELS = tuple(range(15))


def halves(share: float, height: int = 64, width: int = 96, above: int = 0, below: int = 4) -> np.ndarray:
    layout = np.full((height, width), below, np.uint8)
    layout[: round(share * height)] = above
    return layout


def likeness(query: np.ndarray, *layouts: np.ndarray) -> np.ndarray:
    return layout_likeness(layout_shares(query, LABELS), np.stack([layout_shares(item, LABELS) for item in layouts]))


def describer() -> Describer:
    return Describer(StandInEngine(), STAND_IN_MANIFEST)


def updated(library: Library) -> int:
    return sum(1 for _ in library.update())


def colored(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (90, 70)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


# Layouts


def test_a_layout_is_most_like_itself_and_the_more_like_another_the_more_they_overlap() -> None:
    query = halves(0.5)
    scores = likeness(query, query, halves(0.55), halves(0.7), halves(0.9), halves(0.5, above=4, below=0))
    assert scores[0] == pytest.approx(1.0, abs=0.01)
    assert list(scores) == sorted(scores, reverse=True)
    assert scores[-1] < 0.3


def test_size_and_a_small_displacement_matter_little() -> None:
    layout = np.full((128, 128), 1, np.uint8)
    layout[40:72, 40:72] = 5
    moved = np.roll(layout, 8, axis=1)
    far = np.roll(layout, 56, axis=1)
    larger = layout.repeat(3, 0).repeat(2, 1)
    same, near, away = likeness(layout, larger, moved, far)
    assert same == pytest.approx(1.0, abs=0.01)
    assert same > near > 0.9 > away


def test_what_is_unknown_asks_for_nothing() -> None:
    query = halves(0.5)
    query[32:] = 255
    assert likeness(query, halves(0.5), halves(0.5, below=7))[1] == pytest.approx(1.0, abs=0.01)
    assert likeness(np.full((9, 9), 255, np.uint8), halves(0.5))[0] == 0
    assert layout_likeness(layout_shares(query, LABELS), np.zeros((0, GRID, GRID, 15), np.uint8)).shape == (0,)


def test_a_small_thing_that_is_asked_for_counts() -> None:
    query = halves(0.5)
    query[40:48, 40:56] = 8
    with_car = query.copy()
    assert likeness(query, with_car)[0] > likeness(query, halves(0.5))[0] + 0.1


# Looks


def textured(rng: np.random.Generator, mean: np.ndarray, spread: float) -> np.ndarray:
    return np.asarray(np.abs(mean[:, None, None] + spread * rng.normal(size=(len(mean), 12, 16))), np.float32)


def test_looks_are_compared_label_by_label_wherever_they_lie() -> None:
    rng = np.random.default_rng(4)
    layout = halves(0.5, 12, 16)
    kinds = [textured(rng, rng.uniform(1, 3, 24), spread) for spread in (0.1, 0.5, 1.0, 2.0)]
    photos = [np.where(layout == 0, a, b) for a in kinds for b in kinds]
    table = Looks.of([look_of(photo, layout, LABELS) for photo in photos])
    for index in (1, 6, 11):
        turned = look_of(photos[index][:, ::-1, ::-1].copy(), layout[::-1, ::-1].copy(), LABELS)
        scores = table.likeness(turned)
        assert int(scores.argmax()) == index
        assert scores[index] == pytest.approx(1.0, abs=0.01)
    assert table.likeness(look_of(photos[0], np.full((12, 16), 9, np.uint8), LABELS)).max() == 0


def test_looks_of_nothing_and_of_few() -> None:
    features = np.ones((6, 4, 4), np.float32)
    nothing = look_of(features, np.full((32, 32), 255, np.uint8), LABELS)
    assert nothing.vectors.shape == (0, 12)
    assert Looks.of([]).likeness(nothing).shape == (0,)
    one = look_of(features, np.zeros((33, 47), np.uint8), LABELS)
    assert list(one.labels) == [0]
    assert float(one.shares[0]) == pytest.approx(1.0, abs=0.01)
    assert Looks.of([one, nothing]).likeness(one).shape == (2,)


def test_a_layout_that_was_asked_for_weighs_more_than_one_that_was_seen(tmp_path: Path) -> None:
    library = small_library(tmp_path)
    blue = library.photo("blue.jpg")
    seen = library.describer.query(None, blue)
    asked = library.describer.query(halves(0.5, above=3, below=0), blue)
    assert (seen.asked, asked.asked) == (False, True)
    best, other = (library.find(query, 1)[0] for query in (seen, asked))
    assert best.name == other.name == "blue.jpg"
    assert best.score > 0.9 > 0.7 > other.score
    mirrored = library.describer.query(None, blue[:, ::-1].copy())
    assert library.find(mirrored, 1)[0].score > 0.9


# The library and its index


def test_an_index_is_built_once_and_updated(tmp_path: Path) -> None:
    folder, index = tmp_path / "photos", tmp_path / "index"
    for name, color in (("a.png", (250, 0, 0)), ("b.jpg", (0, 250, 0)), ("sub/c.JPEG", (0, 0, 250))):
        colored(folder / name, color)
    (folder / "notes.txt").write_text("no picture")
    colored(folder / ".hidden" / "d.png", (1, 2, 3))
    first = Library(folder, describer(), index)
    assert updated(first) == 3
    assert (first.ranked, first.pending, first.skipped) == (3, 0, ())
    assert index.stat().st_mode & 0o077 == 0

    class Blind(StandInEngine):
        def run(self, *_: object, **__: object) -> dict[str, np.ndarray]:
            raise AssertionError("nothing is looked at twice")

    again = Library(folder, Describer(Blind(), STAND_IN_MANIFEST), index)
    assert again.refresh() == Changes(kept=3)
    (folder / "a.png").rename(folder / "renamed.png")  # the same content under another name
    os.utime(folder / "b.jpg", ns=(1, 1))
    assert again.refresh() == Changes(added=1, changed=1, removed=1, kept=1)
    assert updated(again) == 2
    assert again.ranked == 3

    colored(folder / "sub/c.JPEG", (120, 120, 0), (100, 80))
    assert updated(first) == 3  # this one has yet to hear of the other two
    assert {found.name: (found.extent.width, found.extent.height) for found in first.find(Query(), 9)} == {
        "renamed.png": (90, 70),
        "b.jpg": (90, 70),
        "sub/c.JPEG": (100, 80),
    }


def test_photos_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    colored(folder / "good.png", (9, 9, 9))
    data = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "text.jpg").write_text("this is no picture")
    (folder / "empty.png").touch()
    colored(folder / "tiny.png", (9, 9, 9), (20, 20))
    colored(folder / "old.webp", (9, 9, 9))
    Image.new("CMYK", (80, 80)).save(folder / "print.jpg")
    (tmp_path / "outside.png").write_bytes(data)
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "inside.png").symlink_to(folder / "good.png")
    library = Library(folder, describer(), tmp_path / "index")
    updated(library)
    assert {found.name for found in library.find(Query(), 99)} == {"good.png", "inside.png"}
    reasons = {item.name: item.why for item in library.skipped}
    assert set(reasons) == {
        "cut.png",
        "text.jpg",
        "empty.png",
        "tiny.png",
        "old.webp",
        "print.jpg",
        "link.png",
        "gone.png",
    }
    assert "CMYK" in reasons["print.jpg"]
    assert "out of the folder" in reasons["link.png"]
    assert updated(library) == 0  # they are not tried again until they change
    colored(folder / "cut.png", (9, 9, 9))
    assert updated(library) == 1
    assert "cut.png" not in {item.name for item in library.skipped}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"garbage",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: MAGIC + bytes(32) + data[len(MAGIC) + 32 :],
        lambda data: data[: len(MAGIC) + 32] + b"\xff" * (len(data) - len(MAGIC) - 32),
        lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:],
    ],
    ids=["empty", "garbage", "half", "cut", "foreign", "overwritten", "flipped"],
)
def test_a_damaged_index_costs_only_what_it_lost(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    library = small_library(tmp_path)
    index = tmp_path / "photos.index"
    whole = index.read_bytes()
    index.write_bytes(damage(whole))
    kept = read_index(index, library.describer.key)
    assert len(kept) < 4
    again = Library(library.folder, library.describer, index)
    assert updated(again) == 4 - len(kept)
    assert again.ranked == 4
    assert index.read_bytes() != b""
    assert len(read_index(index, library.describer.key)) == 4


def test_random_bytes_in_an_index_never_get_further_than_the_index(tmp_path: Path) -> None:
    library = small_library(tmp_path)
    index = tmp_path / "photos.index"
    whole = bytearray(index.read_bytes())
    rng = np.random.default_rng(2)
    for _ in range(40):
        changed = bytearray(whole)
        for place in rng.integers(len(MAGIC), len(whole), 12):
            changed[place] = int(rng.integers(256))
        index.write_bytes(changed)
        again = Library(library.folder, library.describer, index)
        again.refresh()
        assert again.ranked + again.pending == 4


def test_an_interrupted_update_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for number in range(4):
        colored(folder / f"{number}.png", (50 * number, 0, 0))
    library = Library(folder, describer(), tmp_path / "index")
    library.refresh()
    assert library.look_at_next() == "0.png"
    with pytest.raises(Cancelled):
        library.look_at_next(lambda: True)
    assert (library.ranked, library.pending) == (1, 3)
    while library.look_at_next():
        pass
    assert (library.ranked, library.pending) == (4, 0)


def test_a_photo_is_handed_out_by_its_name_only(tmp_path: Path) -> None:
    library = small_library(tmp_path)
    (tmp_path / "secret.png").write_bytes((library.folder / "red.png").read_bytes())
    np.testing.assert_array_equal(library.photo("red.png"), np.asarray(Image.open(library.folder / "red.png")))
    for wrong in (
        "../secret.png",
        str(library.folder / "red.png"),
        "./red.png",
        "more/../red.png",
        "red.png/",
        "",
        "RED.PNG",
    ):
        with pytest.raises(ReferenceNotFound):
            library.photo(wrong)
    (library.folder / "red.png").unlink()
    (library.folder / "red.png").symlink_to(tmp_path / "secret.png")  # after it was looked at
    with pytest.raises(ReferenceNotFound):
        library.photo("red.png")


def test_a_folder_that_is_not_there_and_a_bundle_without_features(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Library(tmp_path / "nowhere", describer(), tmp_path / "index")
    outputs = (TensorSpec("labels", "int32", ("B", "H", "W")),)
    old = dataclasses.replace(STAND_IN_MANIFEST, graphs={"segment": GraphSpec("segment.onnx", "", (), outputs)})
    with pytest.raises(FailedPrecondition, match="features"):
        Describer(StandInEngine(), old)


def test_the_shipped_bundle_can_compare_photos() -> None:
    outputs = {tensor.name for tensor in Bundle.load("scenes").manifest.graphs["segment"].outputs}
    assert "features" in outputs


# The command


@pytest.mark.skipif(
    not metadata.entry_points(group=cli.GROUP), reason="layoutbrush is not installed here: no commands are registered"
)
class TestCommand:
    def words(self, folder: Path, *more: str) -> list[str]:
        return ["find-references", str(folder / "photos"), "--bundle", "stand-in", "--index", str(folder / "i"), *more]

    def test_it_ranks_by_a_draft(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        small_library(tmp_path)
        (tmp_path / "photos" / "bad.png").write_text("no")
        draft = tmp_path / "draft.png"
        Image.new("RGB", (64, 64), (50, 70, 190)).save(draft)
        assert cli.main(self.words(tmp_path, "--draft", str(draft), "--count", "2", "--json")) == 0
        said = capsys.readouterr()
        rows = json.loads(said.out)
        assert len(rows) == 2
        assert rows[0]["name"] == "blue.jpg"
        assert "left out bad.png" in said.err

    def test_it_ranks_by_a_layout(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        small_library(tmp_path)
        Image.fromarray(halves(0.5, below=3)).save(tmp_path / "layout.png")
        assert cli.main(self.words(tmp_path, "--layout", str(tmp_path / "layout.png"))) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 4
        assert all(float(line.split()[1]) > 0.9 for line in lines)

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            ((), "--layout or --draft"),
            (("--layout", "PHOTO"), "--layout"),
            (("--layout", "nowhere.png"), "--layout"),
            (("--draft", "STRANGE"), "--draft"),
            (("--layout", "STRANGE"), "--layout"),
            (("--draft", "PHOTO", "--count", "0"), "--count"),
        ],
    )
    def test_bad_input_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], said: str
    ) -> None:
        small_library(tmp_path)
        (tmp_path / "strange.png").write_text("no picture")
        paths = {"PHOTO": str(tmp_path / "photos/red.png"), "STRANGE": str(tmp_path / "strange.png")}
        assert cli.main(self.words(tmp_path, *(paths.get(word, word) for word in flags))) != 0
        assert said in capsys.readouterr().err

    def test_nothing_but_an_index_is_written_over(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        small_library(tmp_path)
        photo = tmp_path / "photos/red.png"
        before = photo.read_bytes()
        for path in (photo, tmp_path / "photos"):
            assert cli.main(self.words(tmp_path, "--draft", str(photo), "--index", str(path))) != 0
            assert "index: " in capsys.readouterr().err
        assert photo.read_bytes() == before
        for index in (tmp_path / "photos.index", tmp_path / "new.index"):
            assert cli.main(self.words(tmp_path, "--draft", str(photo), "--index", str(index))) == 0
            assert index.read_bytes().startswith(MAGIC)

    def test_a_folder_without_photos(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "photos").mkdir()
        Image.new("RGB", (64, 64)).save(tmp_path / "draft.png")
        assert cli.main(self.words(tmp_path, "--draft", str(tmp_path / "draft.png"))) == 1
        assert "no photos" in capsys.readouterr().err

"""How well photos are found: the judges themselves, on made-up photos and the stand-in for networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.finding import Describer
from layoutbrush.training.commands import evaluate_finding
from layoutbrush.training.data.photo import Photo
from layoutbrush.training.metrics import finding


def photos(count: int) -> list[Photo]:
    rng = np.random.default_rng(7)
    made = []
    for index in range(count):
        labels = np.zeros((72, 96), np.uint8)
        labels[36 + 4 * (index % 7) - 12 :] = 3
        colors = rng.uniform(30, 220, (2, 3))
        image = np.clip(colors[(labels == 3).astype(int)] + rng.normal(0, 10, (72, 96, 3)), 0, 255)
        made.append(Photo(f"{index}", image.astype(np.uint8), labels))
    return made


@pytest.fixture
def describer() -> Describer:
    return Describer(StandInEngine(), STAND_IN_MANIFEST)


def test_overlap_is_the_share_of_known_pixels_that_agree() -> None:
    asked = np.zeros((40, 40), np.uint8)
    asked[20:] = 255
    has = np.zeros((80, 60), np.uint8)
    has[:, 30:] = 4
    assert finding.overlap(asked, has) == pytest.approx(0.5, abs=0.02)
    assert finding.overlap(asked, asked) == 1.0
    assert finding.overlap(np.full((4, 4), 255, np.uint8), has) == 0.0


class Knowing:
    """Describer and table at once: likeness is the overlap itself, times `sign`."""

    def __init__(self, photos: list[Photo], sign: int) -> None:
        self.photos, self.sign = photos, sign

    def query(self, labels: np.ndarray, image: None) -> np.ndarray:
        return labels

    def scores(self, asked: np.ndarray) -> np.ndarray:
        return self.sign * np.array([finding.overlap(asked, photo.labels) for photo in self.photos])


def test_a_search_that_knows_reaches_the_oracle_and_its_opposite_is_below_chance(describer: Describer) -> None:
    there, asked = photos(12), photos(3)
    best, worst = (finding.score_layouts(by, by, there, asked) for by in (Knowing(there, 1), Knowing(there, -1)))  # type: ignore[arg-type]
    assert best.queries == 3
    assert best.found == best.oracle <= 1
    assert best.reached == pytest.approx(1)
    assert worst.found < worst.random == best.random < best.oracle
    assert worst.reached < 0
    score = finding.score_layouts(describer, finding.described(describer, there), there, asked)
    assert (score.random, score.oracle) == (best.random, best.oracle)


def test_copies_find_their_originals(describer: Describer) -> None:
    there = photos(6)
    scores = finding.score_copies(describer, finding.described(describer, there), there, range(2, 6))
    assert [row.change for row in scores] == ["flipped", "cropped", "recoloured", "all three"]
    assert scores[0].first == 1.0
    assert all(row.queries == 4 and 1 <= row.place <= 6 for row in scores)


def test_changes_are_the_same_for_the_same_seed() -> None:
    image = photos(1)[0].image
    for change in finding.CHANGES.values():
        one, same, other = (change(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert change is finding.flipped or one.shape != other.shape or (one != other).any()
    part = finding.cropped(image, np.random.default_rng(3))
    assert 0.6 < part.shape[0] / image.shape[0] < 0.86


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = evaluate_finding.Config(tmp_path, ("toy",), tmp_path / "out", "stand-in", most=4, threads=1)
    assert evaluate_finding.run(config) == 0
    said = capsys.readouterr().out
    assert "| found | at random | at most |" in said
    assert (tmp_path / "out" / "finding.md").read_text() == said
    assert evaluate_finding.run(evaluate_finding.Config(tmp_path / "nowhere", bundle="stand-in")) == 1


def test_layouts_and_copies_of_real_photos_are_found(shared: Path) -> None:
    """A part of the held-out scenes, with the shipped bundle; the whole is `layoutbrush evaluate-finding`."""
    from layoutbrush.runtime.pipeline import open_editor
    from layoutbrush.training.data.photos import open_collections

    editor = open_editor("scenes", threads=1)
    describer = Describer(editor.engine, editor.manifest)
    (train,), (held_out,) = (open_collections(shared / "data", ("scenes",), split) for split in ("train", "val"))
    there, asked = list(train.photos[::16]), list(held_out.photos[::12])
    everything = [*there, *asked]
    table = finding.described(describer, everything)
    layouts = finding.score_layouts(describer, table.first(len(there)), there, asked)
    assert layouts.reached > 0.5
    copies = finding.score_copies(describer, table, everything, range(len(there), len(everything)))
    assert all(row.place < 2 for row in copies)

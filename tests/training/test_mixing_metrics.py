"""Whose texture a region has: the measure on pictures whose answer is known, and reading pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layoutbrush.training.commands.evaluate_mixing import Config, run, take
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.metrics.features import FeatureNetwork, all_taps, load_features
from layoutbrush.training.metrics.mixing import Likeness, Pair, distance, likeness, read_pairs, region_grams, table

HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    torch.manual_seed(0)
    return FeatureNetwork("squeezenet").requires_grad_(False).eval()


def stripes(period: int, color: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    rows = (np.arange(HEIGHT) // period % 2)[:, None, None] * np.ones((1, WIDTH, 1))
    noise = np.random.default_rng(seed).integers(0, 9, (HEIGHT, WIDTH, 3))
    return np.asarray(rows * np.array(color) + 40 + noise).astype(np.uint8)


def pair() -> Pair:
    """Fine red stripes and, as style, coarse blue ones; label 1 on the left, 2 on the right."""
    content_labels = np.full((HEIGHT, WIDTH), 2, np.uint8)
    content_labels[:, :70] = 1
    style_labels = np.full((HEIGHT, WIDTH), 2, np.uint8)
    style_labels[:, :50] = 1
    style_labels[0, :5] = 7  # too little to be drawn
    return Pair("01", stripes(3, (180, 20, 20)), content_labels, stripes(9, (10, 60, 200), 1), style_labels)


def test_a_region_is_nearest_to_itself_whatever_lies_around_it(network: FeatureNetwork) -> None:
    found = pair()
    region = found.content_labels == 1
    own = region_grams(network, found.content, region)
    beside = found.content.copy()
    beside[~region] = 255
    assert distance(own, region_grams(network, beside, region)) == 0
    other = region_grams(network, found.style, found.style_labels == 1)
    assert distance(own, other) == pytest.approx(distance(other, own))
    assert 0 < distance(own, other) < 1


def test_a_copy_is_near_its_reference_and_the_photo_itself_is_not(network: FeatureNetwork) -> None:
    found = pair()
    assert found.usable_labels() == [1, 2]
    region = found.content_labels == 1
    copied = np.where(region[..., None], found.style[:, np.arange(WIDTH) % 50], found.content)
    copy = likeness(network, found, 1, copied, region)
    assert copy.holds
    assert copy.to_reference < 0.5 * copy.to_content
    same = likeness(network, found, 1, found.content, region)
    assert not same.holds
    assert (same.to_content, same.outside) == (0, 0)
    spilt = copied.copy()
    spilt[3, 100] += 1
    assert likeness(network, found, 1, spilt, region).outside == 1
    assert "0 of 1 regions" in table([same])
    assert "FAILS" in table([Likeness("01", 1, 0.1, 0.5, 0.6, 3)])


def test_the_command_draws_each_label_with_the_bundle(tmp_path: Path) -> None:
    from layoutbrush.runtime.pipeline import open_editor

    found = pair()
    editor = open_editor("stand-in")
    picture, mask = take(editor, found, 2, seed=3)
    assert mask[:, 75:].all()
    assert not mask[:, :60].any()
    assert np.array_equal(picture[~mask], found.content[~mask])
    again, _ = take(editor, found, 2, seed=3)
    assert np.array_equal(picture, again)
    assert picture[:, 80:, 2].mean() > found.content[:, 80:, 2].mean() + 20


def test_pairs_are_read_and_missing_ones_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pair"):
        list(read_pairs(tmp_path))
    found = pair()
    for side, pixels, labels in (
        ("content", found.content, found.content_labels),
        ("style", found.style, found.style_labels),
    ):
        Image.fromarray(pixels).save(tmp_path / f"01_{side}.jpg")
        Image.fromarray(labels).save(tmp_path / f"01_{side}_label.png")
    (read,) = read_pairs(tmp_path)
    assert read.name == "01"
    assert np.array_equal(read.style_labels, found.style_labels)
    assert not list(read_pairs(tmp_path, ["02"]))
    (tmp_path / "01_style_label.png").unlink()
    with pytest.raises(DataError, match="01_style_label"):
        list(read_pairs(tmp_path))


def test_missing_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Config(tmp_path, tmp_path)) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(("name", "label"), [("01", 1), ("04", 2), ("15", 3)])
def test_regions_of_real_pairs_take_the_references_texture(shared: Path, name: str, label: int) -> None:
    from layoutbrush.runtime.pipeline import open_editor

    data = shared / "data"
    if not (data / "pairs").is_dir() or not (data / "weights").is_dir():
        pytest.skip("no data sets: data/pairs and data/weights")
    (found,) = read_pairs(data / "pairs", [name])
    picture, mask = take(open_editor("scenes", 1), found, label)
    judge = load_features(data / "weights", "squeezenet", taps=all_taps("squeezenet"))
    verdict = likeness(judge, found, label, picture, mask)
    assert verdict.outside == 0
    assert verdict.to_reference < 0.7 * verdict.to_content

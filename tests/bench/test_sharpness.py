"""The measure of sharpness: what it is on signals whose spectrum is known, and that blur and seams show in it."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from layoutbrush.runtime import cli
from layoutbrush.runtime.bench.edits import own_server
from layoutbrush.runtime.bench.large import bench_large
from layoutbrush.runtime.bench.measure import country
from layoutbrush.runtime.bench.sharpness import bench_sharpness
from layoutbrush.runtime.bench.spectrum import BANDS, SIDE, band_powers, decibels
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline import open_editor

needs_commands = pytest.mark.skipif(
    not metadata.entry_points(group=cli.GROUP), reason="layoutbrush is not installed here: no commands are registered"
)
EVERYWHERE = np.ones((256, 320), np.bool_)


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def noise(sigma: float) -> np.ndarray:
    return gray(128 + sigma * np.random.default_rng(1).standard_normal((256, 320)))


def test_white_noise_has_its_variance_in_every_band() -> None:
    powers, windows = band_powers(noise(20.0), EVERYWHERE)
    assert windows == (256 // 32 - 1) * (320 // 32 - 1)
    np.testing.assert_allclose(powers[1:], 400.0, rtol=0.2)
    assert 200 < powers[0] < 400  # some of it goes with the mean


@pytest.mark.parametrize(("cycles", "band"), [(1, 0), (3, 1), (6, 2), (12, 3), (24, 4)])
def test_a_wave_is_found_in_its_own_band(cycles: int, band: int) -> None:
    wave = gray(128 + 60 * np.sin(np.arange(320) * 2 * np.pi * (1.3 * cycles) / SIDE)[None] * np.ones((256, 1)))
    powers, _ = band_powers(wave, EVERYWHERE)
    assert int(np.argmax(powers)) == band
    assert BANDS[band][0] <= 1.3 * cycles / SIDE < BANDS[band][1]


def test_light_and_slow_gradients_are_no_detail() -> None:
    flat, _ = band_powers(gray(np.full((256, 320), 200.0)), EVERYWHERE)
    assert (flat < 1e-6).all()
    dark, light = (band_powers(gray(noise(10.0)[..., 0] + shift), EVERYWHERE)[0] for shift in (-40.0, 40.0))
    assert np.abs(decibels(dark, light)).max() < 0.1


def test_blur_loses_the_highest_band_first_and_half_the_contrast_six_decibels() -> None:
    sharp, _ = band_powers(noise(20.0), EVERYWHERE)
    image = Image.fromarray(noise(20.0)).filter(ImageFilter.GaussianBlur(1.0))
    blurred, _ = band_powers(np.asarray(image), EVERYWHERE)
    lost = decibels(blurred, sharp)
    assert lost[-1] < -6
    assert abs(lost[0]) < 1.0
    assert list(lost) == sorted(lost, reverse=True)
    weak, _ = band_powers(noise(10.0), EVERYWHERE)
    np.testing.assert_allclose(decibels(weak, sharp), -6.0, atol=0.2)


def test_only_whole_windows_of_the_region_count() -> None:
    region = np.zeros((256, 320), np.bool_)
    region[30:130, 40:200] = True
    _, windows = band_powers(noise(20.0), region)
    assert windows == 2 * 3
    assert band_powers(noise(20.0), np.zeros_like(region))[1] == 0


def test_the_country_has_detail_at_every_scale_and_four_labels() -> None:
    photo, layout = country(Extent(384, 512), 3)
    assert set(np.unique(layout)) == {0, 1, 3, 4}
    powers, _ = band_powers(photo, layout == 4)
    assert (powers > 10).all()
    np.testing.assert_array_equal(photo, country(Extent(384, 512), 3)[0])


def test_a_row_for_each_label_with_room() -> None:
    editor = open_editor("stand-in")
    prepared = editor.open(*country(Extent(900, 700)))
    rows = list(bench_sharpness(editor, "made up", prepared, 0.04))
    assert {row["label"] for row in rows} >= {"tree", "water"}
    for row in rows:
        assert len(str(row["filled_db"]).split()) == len(BANDS)
        assert float(str(row["worst_db"])) == max(abs(float(value)) for value in str(row["filled_db"]).split())


@needs_commands
def test_large_photos_through_a_server(tmp_path: Path) -> None:
    with own_server("stand-in", 1) as server:
        (row,) = bench_large(server, (1,), (0.05,), 1)
    assert 0 < float(str(row["preview_ms"])) <= float(str(row["tile_ms"])) <= float(str(row["result_ms"]))


@needs_commands
def test_sharpness_of_photos_by_command(tmp_path: Path) -> None:
    photo, _ = country(Extent(700, 600))
    Image.fromarray(photo).save(tmp_path / "photo.png")
    words = ["bench", "sharpness", "--bundle", "stand-in", "--photos", str(tmp_path / "photo.png")]
    assert cli.main([*words, "--masks", "0.1", "0.9", "--json", str(tmp_path / "out.json")]) == 0
    *rows, last = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert {row["label"] for row in rows} == {"sky", "grass"}  # what the stand-in for networks finds
    assert {row["photo"] for row in (*rows, last)} == {"photo.png"}
    assert "no label has room" in last["skipped"]

"""The bundle that comes with the package: sound, small, and the same picture for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.bench.measure import landscape, painted
from layoutbrush.runtime.bundle import MANIFEST_FILE, SHIPPED, Bundle
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline import Editor, EditRequest, Result

NAME = "scenes"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if not (SHIPPED / NAME / MANIFEST_FILE).is_file():
        pytest.skip(f"the bundle {NAME} is not in this checkout")
    return Bundle.load(NAME)


def edited(bundle: Bundle, threads: int, size: Extent, library: str | None = "auto") -> np.ndarray:
    editor = Editor(OnnxRuntimeEngine(bundle, threads, library=library), bundle.manifest)
    photo, layout = landscape(size)
    wanted, _ = painted(layout, 0.1)
    *_, last = editor.edit(editor.open(photo, layout), EditRequest(wanted, seed=3))
    assert isinstance(last, Result)
    own = photo[last.layer.bounds.slices]
    np.testing.assert_array_equal(last.layer.pixels[~last.mask], own[~last.mask])
    return last.layer.pixels


def test_it_is_whole_and_small(bundle: Bundle) -> None:
    assert {"encode_image", "warp_coarse", "warp_fine", "refine", "segment", "complete"} <= set(bundle.manifest.graphs)
    assert [label.id for label in bundle.labels] == [label.id for label in STAND_IN_LABELS]
    assert [label.name for label in bundle.labels] == [label.name for label in STAND_IN_LABELS]
    assert sum(len(bundle.read(name)) for name in bundle.manifest.hashes) < 32_000_000
    card = bundle.manifest.model_card
    assert card.summary
    assert card.data
    assert card.metrics


@pytest.mark.parametrize("size", [Extent(160, 112), Extent(900, 700)])
def test_threads_do_not_change_the_picture(bundle: Bundle, size: Extent) -> None:
    first, *others = (edited(bundle, threads, size) for threads in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_labels_unknown_everywhere_still_make_an_edit(bundle: Bundle) -> None:
    """Two grounds that meet at a horizon, a square over it to be filled in: no labels are given at all."""
    rows = np.arange(144)[:, None, None]
    noise = np.random.default_rng(0).integers(-12, 13, (144, 192, 1))
    photo = np.clip(np.where(rows < 72, (150, 190, 235), (90, 120, 60)) + noise, 0, 255).astype(np.uint8)
    mask = np.zeros(photo.shape[:2], np.bool_)
    mask[48:96, 70:118] = True
    spoilt = np.where(mask[..., None], np.uint8(0), photo)
    nothing = np.full(mask.shape, 255, np.uint8)
    editor = Editor(OnnxRuntimeEngine(bundle, 2), bundle.manifest)
    *_, last = editor.edit(editor.open(spoilt, nothing), EditRequest(nothing, mask=mask, exclude=mask))
    assert isinstance(last, Result)
    filled = last.layer.pixels.astype(float)
    truth = photo[last.layer.bounds.slices]
    assert np.abs(filled - truth).mean() < 25  # black would be 130 off, the other ground 90
    assert filled[:16, :, 2].mean() > filled[-16:, :, 2].mean() + 60


def test_segmentation_gives_labels_of_the_bundle(bundle: Bundle) -> None:
    editor = Editor(OnnxRuntimeEngine(bundle, 2), bundle.manifest)
    labels = editor.segment(landscape(Extent(200, 150))[0])
    assert labels.shape == (150, 200)
    assert set(np.unique(labels)) <= {label.id for label in bundle.labels} | {255}

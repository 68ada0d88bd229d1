"""The shipped bundle of drafts: sound, small, the same bytes for any number of threads and of drafts."""

from __future__ import annotations

import numpy as np
import pytest

from layoutbrush.runtime.bundle import MANIFEST_FILE, SHIPPED, Bundle
from layoutbrush.runtime.drafts import DRAFTS, Box, Drafter, DraftRequest, open_drafter
from layoutbrush.runtime.engines.stand_in import STAND_IN_LABELS

STREET = (
    Box("sky", 0, 0, 1, 0.4, 1),
    Box("building", 0, 0.1, 0.5, 0.6, 2),
    Box("tree", 0.6, 0.1, 0.95, 0.65, 3),
    Box("road", 0, 0.55, 1, 1, 4),
    Box("car", 0.3, 0.55, 0.6, 0.75, 5),
)


@pytest.fixture(scope="module")
def drafter() -> Drafter:
    if not (SHIPPED / DRAFTS / MANIFEST_FILE).is_file():
        pytest.skip(f"the bundle {DRAFTS} is not in this checkout")
    return open_drafter(DRAFTS, threads=1)


def test_it_is_whole_and_small(drafter: Drafter) -> None:
    bundle = Bundle.load(DRAFTS)
    assert sum(len(bundle.read(name)) for name in bundle.manifest.hashes) < 32_000_000
    assert drafter.labels == tuple(label.name for label in STAND_IN_LABELS)
    card = bundle.manifest.model_card
    assert card.summary
    assert card.data
    assert card.metrics


def test_neither_threads_nor_the_count_change_a_byte(drafter: Drafter) -> None:
    request = DraftRequest(STREET, 3, seed=11)
    first = list(drafter.draft(request))
    for one, another in zip(open_drafter(DRAFTS, threads=3).draft(request), first, strict=True):
        np.testing.assert_array_equal(one, another)
    np.testing.assert_array_equal(next(drafter.draft(DraftRequest(STREET, 1, seed=11))), first[0])


@pytest.mark.parametrize("objects", [1, 2, 7, 30, 64])
def test_any_number_of_objects(drafter: Drafter, objects: int) -> None:
    labels = drafter.labels
    places = [(i % 8 / 8, i // 8 / 8) for i in range(objects)]  # side by side: none hides another
    boxes = [Box(labels[i % 15], x, y, x + 1 / 8, y + 1 / 8, i) for i, (x, y) in enumerate(places)]
    (picture,) = drafter.draft(DraftRequest(tuple(boxes), seed=3))
    assert picture.shape == (drafter.size, drafter.size, 3)
    assert picture.std() > 1  # not one flat colour


def test_drafts_differ_from_each_other_and_follow_their_boxes(drafter: Drafter) -> None:
    drafts = np.stack(list(drafter.draft(DraftRequest(STREET, 8)))).astype(int)
    assert np.abs(drafts[:, None] - drafts[None]).mean() > 1
    turned = tuple(Box(box.label, box.left, 1 - box.bottom, box.right, 1 - box.top, box.look) for box in STREET)
    upside_down = np.stack(list(drafter.draft(DraftRequest(turned, 8)))).astype(int)
    assert np.abs(upside_down.mean(0) - drafts.mean(0)).mean() > 3


def test_a_moved_car_changes_its_surroundings_only(drafter: Drafter) -> None:
    moved = (*STREET[:4], Box("car", 0.1, 0.55, 0.4, 0.75, 5))
    old = next(drafter.draft(DraftRequest(STREET)))
    new = next(drafter.draft(DraftRequest(moved, before=(STREET,))))
    rows = slice(round(0.48 * drafter.size), round(0.82 * drafter.size))
    outside = np.ones(old.shape[:2], bool)
    outside[rows, : round(0.67 * drafter.size)] = False
    np.testing.assert_array_equal(new[outside], old[outside])
    assert (new != old).any()

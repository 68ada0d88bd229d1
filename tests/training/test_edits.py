"""Tasks that add, relabel and follow another photo's layout, and the index of similar layouts behind the last."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

from layoutbrush.training.data import (
    KINDS,
    LABEL_NAMES,
    UNKNOWN,
    Collection,
    DataError,
    Photo,
    Task,
    TaskConfig,
    TaskSampler,
    cv,
    toy_collection,
)
from layoutbrush.training.data.similar import CELLS, LayoutIndex, layout_distance, layout_feature

SIDE = 96
CLEAN = {"loosen": 0.0, "forget_all": 0.0, "forget_some": 0.0, "forget_hole": 0.0, "widen": 0.0, "color": 0.0}


def sampler(kind: str, photos: Collection | None = None, **changes: object) -> TaskSampler:
    weights = {name: float(name == kind) for name in KINDS}
    config = TaskConfig(size=SIDE, **{**weights, **CLEAN, **changes})  # type: ignore[arg-type]
    return TaskSampler([photos or toy_collection(12, 120)], config)


def tasks(kind: str, count: int = 16, **changes: float) -> list[Task]:
    drawn = sampler(kind, None, **changes)
    return [task for task in (drawn.task(0, i) for i in range(count)) if task.kind == kind]


@pytest.mark.parametrize("kind", ["add", "relabel"])
def test_one_region_differs_and_its_own_content_comes_back(kind: str) -> None:
    made = tasks(kind)
    assert len(made) >= 12
    for task in made:
        differs = (task.image != task.truth).any(-1)
        assert 0.01 < differs.mean() < 0.45
        assert not (differs & ~task.mask).any()
        assert not (cv.dilate(differs, 2) & task.source).any()
        changed = task.layout != task.edited
        assert changed.any()
        assert task.paired


def test_added_regions_were_covered_by_what_lies_around_them() -> None:
    for task in tasks("add"):
        changed = task.layout != task.edited
        inside = np.bincount(task.layout[changed], minlength=256)
        ring = cv.dilate(task.mask, 5) & ~task.mask
        assert inside[: len(LABEL_NAMES)].argmax() in np.unique(task.layout[ring])


def test_relabelled_regions_are_whole_regions_of_the_edited_layout() -> None:
    for task in tasks("relabel"):
        differs = (task.image != task.truth).any(-1)
        labels, counts = np.unique(task.edited[differs], return_counts=True)
        assert counts.max() / counts.sum() > 0.98  # a region of one label, but for equal pixels by chance
        region = task.edited == labels[counts.argmax()]
        assert ((task.layout != task.edited) & region).sum() > 0.6 * differs.sum()


def test_unpaired_tasks_follow_another_layout_and_have_no_truth() -> None:
    made = tasks("unpaired", 20)
    assert len(made) >= 15
    whole = [task for task in made if task.mask.all()]
    assert 3 <= len(whole) <= len(made) - 3
    for task in made:
        assert not task.paired
        assert task.source.all()
        assert ((task.layout != task.edited) <= task.mask).all()
        outside = ~task.mask
        assert (task.truth[outside] == task.image[outside]).all()
        assert (task.truth != task.image).any()
    batch = sampler("unpaired").batch(0, 4)
    assert batch["paired"].tolist() == [False] * 4
    assert sampler("foreign").batch(0, 2)["paired"].tolist() == [True, True]


def test_labels_of_unpaired_tasks_are_never_all_forgotten() -> None:
    for task in tasks("unpaired", 6, forget_all=1.0, forget_hole=1.0):
        assert (task.edited != UNKNOWN).all()


def test_unpaired_tasks_are_the_same_for_the_same_place() -> None:
    first, second = sampler("unpaired").task(3, 1), sampler("unpaired").task(3, 1)
    assert (first.edited == second.edited).all()
    assert (first.truth == second.truth).all()


def test_unpaired_tasks_need_two_photos() -> None:
    one = Collection("one", toy_collection(1, 120).photos)
    with pytest.raises(DataError, match="at least two photos"):
        sampler("unpaired", one).task(0)


def test_features_say_what_lies_where() -> None:
    labels = np.zeros((64, 80), np.uint8)
    labels[32:] = 3
    labels[:16, :20] = UNKNOWN
    feature = layout_feature(labels)
    assert feature.shape == (CELLS * CELLS + 1, len(LABEL_NAMES))
    assert feature[0, 3] == pytest.approx(0.5)
    assert feature[0].sum() == pytest.approx(15 / 16)
    assert feature[1].sum() == 0
    assert feature[2, 0] == 1
    assert feature[-1, 3] == 1


def test_distances_are_of_shares_and_places() -> None:
    sky, ground = np.zeros((32, 32), np.uint8), np.full((32, 32), 3, np.uint8)
    upside, turned = np.concatenate([sky, ground]), np.concatenate([ground, sky])
    feature, others = layout_feature(upside), np.stack([layout_feature(m) for m in (upside, turned, sky)])
    distances = layout_distance(feature, others)
    assert distances.tolist() == pytest.approx([0, 0.5, 0.5])


def test_the_index_finds_the_nearest_that_are_far_enough() -> None:
    maps = [np.full((32, 32), 3, np.uint8) for _ in range(5)]
    for number, labels in enumerate(maps):
        labels[: 4 * number] = 0
    blank = np.zeros((32, 32, 3), np.uint8)
    photos = [Photo(str(i), blank, labels) for i, labels in enumerate(maps)]
    index = LayoutIndex([photos[:2], photos[2:]])
    feature = layout_feature(maps[2])
    near = index.nearest(feature, 2, own=(1, 0))
    assert [(n.group, n.index) for n in near] == [(0, 1), (1, 1)]
    assert [n.distance for n in near] == pytest.approx([0.125, 0.125])
    far = index.nearest(feature, 2, apart=0.2, own=(1, 0))
    assert [(n.group, n.index) for n in far] == [(0, 0), (1, 2)]
    few = LayoutIndex([photos], most=2).nearest(feature, 5)
    assert [n.index for n in few] == [2, 0]

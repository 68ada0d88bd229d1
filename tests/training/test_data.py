"""Photos, tasks made from them, and their batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")
import torch

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
    open_collections,
    shapes,
    toy_collection,
    transforms,
)
from layoutbrush.training.data.labels import SCENES_TO_MERGED, STREETS_TO_MERGED, lookup
from layoutbrush.training.data.photos import read_folder, read_labels, read_scenes, unknown_labels
from layoutbrush.training.sheets import captioned, task_sheet, write

SIDE = 96
CLEAN = {"loosen": 0.0, "forget_all": 0.0, "forget_some": 0.0, "forget_hole": 0.0, "widen": 0.0, "color": 0.0}


@pytest.fixture(scope="module")
def toys() -> Collection:
    return toy_collection(12, 120)


def sampler(toys: Collection, kind: str, **changes: object) -> TaskSampler:
    weights = {name: float(name == kind) for name in KINDS}
    return TaskSampler([toys], TaskConfig(size=SIDE, **{**weights, **CLEAN, **changes}))  # type: ignore[arg-type]


def tasks(toys: Collection, kind: str, count: int = 12, **changes: object) -> list[Task]:
    drawn = sampler(toys, kind, **changes)
    return [task for task in (drawn.task(0, i) for i in range(count)) if task.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_has_the_promised_shapes(toys: Collection, kind: str) -> None:
    made = tasks(toys, kind)
    assert len(made) >= 8
    for task in made:
        assert task.image.shape == task.truth.shape == (SIDE, SIDE, 3)
        assert task.image.dtype == task.truth.dtype == task.layout.dtype == task.edited.dtype == np.uint8
        assert task.layout.shape == task.edited.shape == task.mask.shape == task.source.shape == (SIDE, SIDE)
        assert task.mask.dtype == task.source.dtype == np.bool_
        assert set(np.unique(task.edited)) <= {*range(len(LABEL_NAMES)), UNKNOWN}
        assert task.mask.any()


@pytest.mark.parametrize("kind", ["foreign", "fill"])
def test_pasted_content_lies_under_the_mask_and_is_never_copied(toys: Collection, kind: str) -> None:
    for task in tasks(toys, kind):
        differs = (task.image != task.truth).any(-1) | (task.layout != task.edited)
        assert not (differs & ~task.mask).any()
        assert not (cv.dilate(differs, 2) & task.source).any()
        assert 0.04 < task.mask.mean() < 0.5


def test_manipulated_photos_may_be_copied_everywhere(toys: Collection) -> None:
    for task in tasks(toys, "manipulate"):
        assert task.source.all()
        assert not ((task.layout != task.edited) & ~task.mask).any()
        assert 0.02 < task.mask.mean() < 0.5
        assert (task.image != task.truth).any()


def test_flow_leads_from_the_truth_to_its_place_in_the_input(toys: Collection) -> None:
    for kind in ("manipulate", "transform"):
        for task in tasks(toys, kind, 6, with_flow=True):
            assert task.flow is not None
            assert task.flow_valid is not None
            carried = cv.sample(cv.sample(task.image, task.flow), transforms.identity(SIDE))
            error = np.abs(carried.astype(int) - task.truth)[task.flow_valid]
            untouched = np.abs(task.image.astype(int) - task.truth)[task.flow_valid]
            assert error.mean() < 0.6 * untouched.mean() + 1


def test_inverse_of_a_warp_undoes_it() -> None:
    rng = np.random.default_rng(3)
    field = transforms.random_bend(rng, 64, 0.5)
    there_and_back = cv.sample_field(field, transforms.invert(field))
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(there_and_back - transforms.identity(64))[inner].max() < 0.2


def test_tasks_depend_on_seed_step_rank_and_place_alone(toys: Collection) -> None:
    def picture(step: int = 3, index: int = 1, rank: int = 0, seed: int = 5) -> np.ndarray:
        return TaskSampler([toys], TaskConfig(size=SIDE, seed=seed)).task(step, index, rank).image

    assert (picture() == picture()).all()
    others = [picture(step=4), picture(index=2), picture(rank=1), picture(seed=6)]
    assert all((picture() != other).any() for other in others)


def test_labels_are_forgotten_together(toys: Collection) -> None:
    for task in tasks(toys, "foreign", 4, forget_all=1.0):
        assert (task.layout == UNKNOWN).all()
        assert (task.edited == UNKNOWN).all()
    for task in tasks(toys, "foreign", 4, forget_hole=1.0):
        assert (task.edited[task.mask] == UNKNOWN).all()
        assert (task.edited[~task.mask] != UNKNOWN).any()
    for task in tasks(toys, "manipulate", 4, forget_some=1.0):
        assert 0 < (task.edited == UNKNOWN).mean() <= 1


def test_photos_without_labels_give_tasks_too() -> None:
    image = toy_collection(1, 120).photos[0].image
    bare = Collection("bare", (Photo("bare", image, unknown_labels(image)),))
    task = TaskSampler([bare], TaskConfig(size=64, foreign=1, manipulate=0, fill=0)).task(0)
    assert (task.edited == UNKNOWN).all()
    with pytest.raises(DataError, match="label maps"):
        TaskSampler([bare], TaskConfig(size=64, foreign=0, manipulate=1, fill=0)).task(0)


def test_batches_are_tensors_of_the_stated_kinds(toys: Collection) -> None:
    batch = TaskSampler([toys], TaskConfig(size=64, with_flow=True, transform=1.0)).batch(0, 5)
    assert batch["image"].shape == batch["truth"].shape == (5, 3, 64, 64)
    assert batch["image"].dtype == torch.float32
    assert 0 <= float(batch["image"].min()) <= float(batch["image"].max()) <= 1
    assert batch["layout"].dtype == batch["edited"].dtype == torch.int32
    assert batch["mask"].dtype == batch["source"].dtype == batch["flow_valid"].dtype == torch.bool
    assert batch["flow"].shape == (5, 64, 64, 2)
    assert batch["kind"].shape == (5,)


def test_crops_can_be_made_to_hold_a_pixel(toys: Collection) -> None:
    labels = np.zeros((90, 120), np.uint8)
    labels[70, 5] = 9
    photo = Photo("dot", np.zeros((90, 120, 3), np.uint8), labels)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        _, crop = transforms.random_crop(rng, photo, 48, (1.0, 1.0), around=(70, 5))
        assert (crop == 9).any()


@pytest.mark.parametrize("area", [0.1, 0.25])
def test_shapes_cover_about_what_was_asked(area: float) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        assert 0.3 * area < shapes.blob(rng, 96, area).mean() < 2 * area
        assert 0.3 * area < shapes.brush(rng, 96, area).mean() < 2.5 * area


def write_set(root: Path) -> None:
    (root / "scenes" / "images").mkdir(parents=True)
    (root / "scenes" / "labels").mkdir()
    (root / "scenes" / "train.txt").write_text("a\n")
    photo = toy_collection(1, 64).photos[0]
    Image.fromarray(photo.image).save(root / "scenes" / "images" / "a.jpg")
    ids = np.full((63, 64), 3, np.uint8)
    ids[:10] = 255
    ids[10:12] = 40
    Image.fromarray(ids).save(root / "scenes" / "labels" / "a.png")


def test_scenes_are_read_and_their_ids_merged(tmp_path: Path) -> None:
    write_set(tmp_path)
    (photo,) = read_scenes(tmp_path / "scenes", "train")
    assert photo.name == "scenes/a"
    assert photo.image.shape == (63, 64, 3)  # cut to the label map's rows
    assert set(np.unique(photo.labels)) == {3, UNKNOWN}
    assert (photo.labels[:12] == UNKNOWN).all()
    with pytest.raises(DataError, match=r"val\.txt"):
        read_scenes(tmp_path / "scenes", "val")
    with pytest.raises(DataError, match="no such folder"):
        open_collections(tmp_path, ["elsewhere"])


def test_plain_folders_are_read_with_or_without_labels(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    photo = toy_collection(1, 64).photos[0]
    for name in ("a.png", "b.jpg"):
        Image.fromarray(photo.image).save(tmp_path / name)
    palette = Image.fromarray(photo.labels).convert("P")
    palette.putdata(photo.labels.ravel().tolist())
    palette.save(tmp_path / "labels" / "a.png")
    first, second = read_folder(tmp_path, tmp_path / "labels")
    assert (first.labels == photo.labels).all()
    assert not second.labelled
    Image.fromarray(photo.image).save(tmp_path / "labels" / "b.png")
    with pytest.raises(DataError, match="single-channel"):
        read_labels(tmp_path / "labels" / "b.png")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"torn\.png"):
        read_folder(tmp_path)


def test_merged_ids_cover_all_labels() -> None:
    assert {*SCENES_TO_MERGED, *STREETS_TO_MERGED} == set(range(len(LABEL_NAMES)))
    assert lookup(STREETS_TO_MERGED)[[0, 1, 11, 255]].tolist() == [0, 5, UNKNOWN, UNKNOWN]


def test_the_optional_data_sets_are_complete(shared: Path) -> None:
    scenes, streets = open_collections(shared / "data", ["scenes", "streets"], "val")
    assert (len(scenes.photos), len(streets.photos)) == (71, 101)
    assert all(photo.labelled for photo in (*scenes.photos, *streets.photos))


def test_sheets_are_pictures(toys: Collection, tmp_path: Path) -> None:
    sheet = task_sheet([TaskSampler([toys], TaskConfig(size=32)).task(0, i) for i in range(3)], columns=2)
    assert sheet.shape[1] == 10 * 32 + 11 * 4
    write(tmp_path / "deep" / "sheet.png", captioned([[sheet, sheet]], ["one", "two"]))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["sheet.png"]

"""Boxed photos: published formats made here, what counts and what doesn't, errors that name file and field, batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs torch")
import torch

from layoutbrush.training.data import cv
from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.labels import LABEL_NAMES
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.drafts import read_cocostuff
from layoutbrush.training.drafts.batches import Pictures, boxed_batch, random_batch
from layoutbrush.training.drafts.boxed_photo import Box, BoxedObject, BoxedPhoto, BoxFilter, box_of_pixels
from layoutbrush.training.drafts.opening import open_boxes
from layoutbrush.training.drafts.read_boxes import read_box_file, read_boxes
from layoutbrush.training.drafts.read_cocostuff import read_cocostuff_boxes
from layoutbrush.training.drafts.read_visual_genome import VisualGenomeRule, read_visual_genome_boxes
from layoutbrush.training.drafts.toy import LABELS, toy_boxes

Tree = dict[str, Any]


def write_photo(path: Path, size: tuple[int, int] = (100, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 120, 200)).save(path)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def coco(root: Path, change: Callable[[Tree, Tree], None] | None = None) -> Path:
    """Photo 1: three that count beside `other`, a small and an empty one; photo 2: two; photo 3: nine; 4: no stuff."""
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 100, "height": 80} for i in (1, 2, 3, 4)]
    for entry in images:
        write_photo(root / "images/train2017" / str(entry["file_name"]))

    def boxes(image: int, *entries: tuple[int, list[float]]) -> list[Tree]:
        return [{"image_id": image, "category_id": c, "bbox": b, "iscrowd": 0} for c, b in entries]

    big = [10.0, 10, 40, 40]
    things: Tree = {
        "images": images,
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
        "annotations": [
            *boxes(1, (1, big), (18, [0.0, 0, 50, 40]), (18, [0.0, 0, 16, 10]), (18, [5.0, 5, 0, 30])),
            *boxes(2, (1, big)),
            *boxes(3, *[(1, big)] * 8),
            *boxes(4, *[(1, big)] * 3),
        ],
    }
    stuff: Tree = {
        "images": images,
        "categories": [{"id": 157, "name": "sky-other"}, {"id": 183, "name": "other"}],
        "annotations": [
            *boxes(1, (157, [0, 0, 101, 30]), (183, [0, 0, 100, 80])),
            *boxes(2, (157, [0, 0, 100, 30])),
            *boxes(3, (157, [0, 0, 100, 30])),
        ],
    }
    if change:
        change(things, stuff)
    write_json(root / "annotations/instances_train2017.json", things)
    write_json(root / "annotations/stuff_train2017.json", stuff)
    return root


def test_cocostuff_keeps_what_the_source_keeps(tmp_path: Path) -> None:
    found = read_cocostuff_boxes(coco(tmp_path), "train")
    assert found.labels == ("person", "dog", "sky-other")
    (photo,) = found.photos  # 2: too few, 3: too many, 4: no stuff annotations
    assert photo.name == "cocostuff/000000000001"
    assert [found.labels[o.label] for o in photo.objects] == ["person", "dog", "sky-other"]
    assert photo.objects[0].box == Box(0.1, 0.125, 0.5, 0.625)
    assert photo.objects[2].box == Box(0.0, 0.0, 1.0, 0.375)  # cut to the picture
    assert found.counts() == {"person": 1, "dog": 1, "sky-other": 1}
    crowded = read_cocostuff_boxes(tmp_path, "train", BoxFilter(most=8, crowded="largest"))
    assert [len(p.objects) for p in crowded.photos] == [3, 8]
    assert Pictures(found.photos, 32)[0].shape == (32, 32, 3)


def spoil(kind: int, key: str, value: object) -> Callable[[Tree, Tree], None]:
    def change(*files: Tree) -> None:
        files[kind]["annotations"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil(0, "bbox", [1, 2, 3]), ("instances_train2017.json", "annotations[0].bbox", "[x, y, w, h]")),
        (spoil(0, "bbox", [1, 2, "wide", 3]), ("annotations[0].bbox", "four numbers")),
        (spoil(0, "bbox", [200, 2, 9, 3]), ("annotations[0].bbox", "covers nothing", "100x80")),
        (spoil(1, "category_id", 7), ("stuff_train2017.json", "annotations[0].category_id", "7")),
        (spoil(1, "image_id", 99), ("annotations[0].image_id", "instances_train2017.json")),
        (spoil(0, "image_id", "one"), ("annotations[0].image_id", "whole number", "'one'")),
        (lambda things, _: things.pop("categories"), ("instances_train2017.json: categories", "missing")),
        (lambda things, _: things["images"][0].update(width=0), ("images[0].width", "at least 1")),
        (lambda things, _: things.update(annotations={}), ("annotations", "should be a list")),
    ],
)
def test_cocostuff_names_file_and_field(tmp_path: Path, change: Callable[..., Any], words: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as error:
        read_cocostuff_boxes(coco(tmp_path, change), "train")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_cocostuff_splits_val2017_in_the_order_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_cocostuff, "VALIDATION", 1)
    monkeypatch.setattr(read_cocostuff, "TEST", 1)

    def change(things: Tree, stuff: Tree) -> None:
        things["images"].reverse()

    coco(tmp_path, change)
    for name in ("instances", "stuff"):
        (tmp_path / f"annotations/{name}_train2017.json").rename(tmp_path / f"annotations/{name}_val2017.json")
    (tmp_path / "images/train2017").rename(tmp_path / "images/val2017")
    rule = BoxFilter(fewest=2, crowded="largest")  # photos 1, 2 and 3
    found = [read_cocostuff_boxes(tmp_path, split, rule).photos for split in ("val", "test")]
    assert [photo.name[-1] for part in found for photo in part] == ["3", "2"]


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train2017"):
        read_cocostuff_boxes(tmp_path, "train")
    coco(tmp_path)
    (tmp_path / "annotations/stuff_train2017.json").write_text("{")
    with pytest.raises(DataError, match=r"stuff_train2017\.json: not a readable JSON"):
        read_cocostuff_boxes(tmp_path, "train")
    (tmp_path / "annotations/stuff_train2017.json").unlink()
    with pytest.raises(DataError, match=r"stuff_train2017\.json"):
        read_cocostuff_boxes(tmp_path, "train")
    with pytest.raises(DataError, match="split"):
        read_cocostuff_boxes(tmp_path, "dev")


def genome(root: Path, splits: bool = True) -> Path:
    """Photos 1..4 of 300 x 250, 5 too small; in each three trees or `Trees`, a dog, something rare that is a dog too, a
    narrow tree and one outside.
    """
    images, objects, attributes = [], [], []
    for number in range(1, 6):
        width, height = (300, 250) if number < 5 else (300, 199)
        folder = "VG_100K" if number % 2 else "VG_100K_2"
        address = f"https://example.invalid/images/{folder}/{number}.jpg"
        images.append({"image_id": number, "width": width, "height": height, "url": address})
        write_photo(root / "images" / folder / f"{number}.jpg", (width, height))
        words = ["Trees", "tree", "tree ", "dog", f"rare{number}", "tree", "tree"]
        sizes = [(100, 100), (60, 60), (50, 50), (40, 40), (90, 90), (31, 200), (64, 64)]
        entries: list[Tree] = [
            {"object_id": 100 * number + i, "names": [word], "x": 5 * i, "y": -3, "w": w, "h": h}
            for i, (word, (w, h)) in enumerate(zip(words, sizes, strict=True))
        ]
        entries[4]["names"].append("puppy")
        entries[6]["x"] = 400  # outside its photo
        objects.append({"image_id": number, "objects": entries})
        attributes.append({"image_id": number, "attributes": [{**entries[0], "attributes": ["green", "tall"]}]})
    write_json(root / "image_data.json", images)
    write_json(root / "objects.json", objects)
    write_json(root / "attributes.json", attributes)
    (root / "object_alias.txt").write_text("tree,trees,oak\ndog,puppy\n")
    if splits:
        write_json(root / "vg_splits.json", {"train": [1, 2, 5], "val": [3], "test": [4]})
    return root


def test_visual_genome_follows_splits_aliases_and_sizes(tmp_path: Path) -> None:
    rule = VisualGenomeRule(instances=4)
    root = genome(tmp_path)
    train, held = (read_visual_genome_boxes(root, split, rule) for split in ("train", "val"))
    assert train.labels == held.labels == ("tree", "dog")
    assert [p.name for p in train.photos] == ["visual-genome/1", "visual-genome/2"]
    assert [p.name for p in held.photos] == ["visual-genome/3"]
    photo = train.photos[1]
    assert isinstance(photo.image, Path)
    assert photo.image.is_file()
    assert photo.image.parent.name == "VG_100K_2"
    assert [train.labels[o.label] for o in photo.objects] == ["tree", "tree", "tree", "dog", "dog"]
    assert photo.objects[0].attributes == ("green", "tall")
    assert photo.objects[1].attributes == ()
    assert photo.objects[0].box == Box(0.0, 0.0, 100 / 300, 97 / 250)
    counted = read_visual_genome_boxes(root, "train", VisualGenomeRule(instances=10))
    assert counted.labels == ("tree",)  # those that are too small or outside count for their class, too
    (few,) = read_visual_genome_boxes(root, "test", VisualGenomeRule(instances=4, kept=2)).photos
    assert [o.box.share for o in few.objects] == pytest.approx([100 * 97 / 75000, 90 * 87 / 75000])


def test_visual_genome_without_lists_and_with_faults(tmp_path: Path) -> None:
    root = genome(tmp_path, splits=False)
    assert len(read_visual_genome_boxes(root, "train", VisualGenomeRule(instances=3)).photos) == 4
    with pytest.raises(DataError, match="no class has 2000"):
        read_visual_genome_boxes(root, "train")
    objects = json.loads((root / "objects.json").read_text())
    del objects[1]["objects"][2]["names"]
    write_json(root / "objects.json", objects)
    with pytest.raises(DataError, match=r"objects\.json: \[1\]\.objects\[2\]\.names: is missing"):
        read_visual_genome_boxes(root, "train", VisualGenomeRule(instances=3))
    write_json(root / "vg_splits.json", {"train": [1], "val": "3", "test": []})
    with pytest.raises(DataError, match=r"vg_splits\.json: val"):
        read_visual_genome_boxes(root, "train")


def box_file(root: Path, category: str = "foreground object") -> Path:
    write_photo(root / "scenes/images/7.jpg")
    things = [{"category": category, "bbox": [10, 10, 20, 20]}, {"category": category, "bbox": [0, 0, 40, 40]}]
    stuff = [{"category": "sky", "bbox": [0, 0, 100, 30]}]
    photo = {"id": "7", "file": "scenes/images/7.jpg", "width": 100, "height": 80, "objects": things, "stuff": stuff}
    write_json(root / "boxes/scenes_train.json", {"images": [photo]})
    return root


def test_box_files_over_the_bundles_labels(tmp_path: Path) -> None:
    found = read_boxes(box_file(tmp_path), ["scenes"], "train")
    (photo,) = found.photos
    assert [found.labels[o.label] for o in photo.objects] == ["sky", "object", "object"]  # stuff first, large first
    assert photo.objects[1].box.share > photo.objects[2].box.share
    own = read_box_file(tmp_path / "boxes/scenes_train.json")
    assert own.labels == ("object", "sky")
    files = json.loads((tmp_path / "boxes/scenes_train.json").read_text())
    files["images"].append({**files["images"][0], "file": "scenes/images/8.jpg"})
    write_json(tmp_path / "boxes/scenes_train.json", files)
    gone = read_boxes(tmp_path, ["scenes"], "train")
    assert (len(gone.photos), gone.missing) == (1, ("scenes/images/8.jpg",))
    (tmp_path / "scenes/images/7.jpg").unlink()
    with pytest.raises(DataError, match=r"7\.jpg isn't there"):
        read_boxes(tmp_path, ["scenes"], "train")
    with pytest.raises(DataError, match=r"images\[0\]\.objects\[.\]\.category: 'unicorn'"):
        read_boxes(box_file(tmp_path, "unicorn"), ["scenes"], "train")
    with pytest.raises(DataError, match=r"streets_train\.json"):
        read_boxes(tmp_path, ["streets"], "train")


def test_shared_box_files(shared: Path) -> None:
    rule = BoxFilter(crowded="largest")
    sets = [open_boxes("boxes", shared / "data", split, rule, ("scenes", "streets")) for split in ("train", "val")]
    assert [len(s.photos) for s in sets] == [931, 172]
    assert sets[0].labels == LABEL_NAMES
    assert all(3 <= len(p.objects) <= 8 for s in sets for p in s.photos)
    assert all(isinstance(p.image, Path) and p.image.is_file() for p in sets[1].photos)
    strict = open_boxes("boxes", shared / "data", "train", BoxFilter(), ("scenes",))
    assert 390 <= len(strict.photos) <= 396
    assert len(strict.missing) == 2
    sample = read_box_file(shared / "data/boxes/cocostuff_sample.json")
    assert len(sample.photos) == 21
    assert sum(len(p.objects) for p in sample.photos) == 175


def test_filter_and_pixels_refuse_nonsense() -> None:
    with pytest.raises(DataError, match="crowded"):
        BoxFilter(crowded="some")
    with pytest.raises(DataError, match="fewest"):
        BoxFilter(fewest=9)
    with pytest.raises(DataError, match=r"here: should be four numbers"):
        box_of_pixels([0, 0, float("nan"), 1], 10, 10, "here")
    only = BoxedPhoto("a", np.zeros((4, 4, 3), np.uint8), (BoxedObject(0, Box(0, 0, 1, 1)),))
    assert BoxFilter().photo(only) is None


def test_batches_hold_what_the_photos_hold() -> None:
    boxed = toy_boxes(6, 32)
    assert boxed.labels == LABELS
    pictures = Pictures(boxed.photos, 32, kept=2 * 32 * 32 * 3)
    part = boxed_batch(pictures, [0, 5], most=6)
    assert part["image"].shape == (2, 3, 32, 32)
    assert part["valid"].sum(1).tolist() == [len(boxed.photos[i].objects) for i in (0, 5)]
    first = boxed.photos[0].objects[1]
    box = torch.tensor([first.box.left, first.box.top, first.box.right, first.box.bottom])
    assert torch.equal(part["boxes"][0, 1], box)
    assert int(part["labels"][0, 1]) == first.label
    a, b = (random_batch(pictures, 4, 6, np.random.default_rng(3), flip=True) for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    mirrored = first.box.flipped()
    assert mirrored.left == pytest.approx(1 - first.box.right)
    assert mirrored.share == pytest.approx(first.box.share)


def test_random_batches_mirror_pictures_with_their_boxes_and_mix_the_order() -> None:
    boxed = toy_boxes(3, 32)
    pictures = Pictures(boxed.photos, 32)
    rng = np.random.default_rng(0)
    mirrored, mixed = set(), set()
    for _ in range(6):
        part = random_batch(pictures, 4, 5, rng, flip=True)
        for image, labels, boxes, valid in zip(*(part[n] for n in ("image", "labels", "boxes", "valid")), strict=True):
            found = [
                (index, flip)
                for index in range(3)
                for flip in (False, True)
                if torch.equal(image, image_tensor([cv.mirror(pictures[index]) if flip else pictures[index]])[0])
            ]
            ((index, flip),) = found
            objects = [replace(o, box=o.box.flipped()) if flip else o for o in boxed.photos[index].objects]
            edges = torch.tensor([(o.box.left, o.box.top, o.box.right, o.box.bottom) for o in objects])
            order = [int((edges - box).abs().sum(1).argmin()) for box in boxes[valid]]
            torch.testing.assert_close(boxes[valid], edges[order])
            assert sorted(order) == list(range(len(objects)))
            assert labels[valid].tolist() == [objects[place].label for place in order]
            mirrored.add(flip)
            mixed.add(order == sorted(order))
    assert mirrored == mixed == {False, True}
    plain = random_batch(pictures, 8, 5, rng, flip=False)["image"]
    assert all(any(torch.equal(image, image_tensor([pictures[i]])[0]) for i in range(3)) for image in plain)

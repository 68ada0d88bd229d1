"""Data sets in their published formats with a fault each: what is wrong is named by its file, whatever the format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

from layoutbrush.training.data import DataError, open_collections
from layoutbrush.training.data.formats import READERS

SIDE = 16


@dataclass(frozen=True)
class Format:
    """Where the first photo of a set lies, its label map, and a label map in a dress that the format doesn't have."""

    photo: str
    labels: str = ""
    wrong: str = "RGB"


FORMATS = {
    "ade20k": Format("images/training/ADE_train_00000001.jpg", "annotations/training/ADE_train_00000001.png"),
    "ade20k-full": Format("images/ADE/training/a/b/ADE_1.jpg", "images/ADE/training/a/b/ADE_1_seg.png", wrong="P"),
    "camvid": Format("701_StillsRaw_full/0006R0_f1.png", "LabeledApproved_full/0006R0_f1_L.png", wrong="P"),
    "cityscapes": Format("leftImg8bit/train/ulm/u_0_1_leftImg8bit.png", "gtFine/train/ulm/u_0_1_gtFine_labelIds.png"),
    "cocostuff": Format("train2017/000000000009.jpg", "stuffthingmaps/train2017/000000000009.png", wrong="I;16"),
    "folder": Format("images/a.jpg", "labels/a.png", wrong="I;16"),
    "places365": Format("train/abbey/00000001.jpg"),
    "scenes": Format("images/a.jpg", "labels/a.png"),
    "stanford": Format("images/0000001.jpg", "labels/0000001.regions.txt", wrong="words"),
    "streets": Format("images/a.jpg", "labels/a.png"),
}  # fmt: skip
LABELLED = [kind for kind, found in FORMATS.items() if found.labels]


def write_labels(path: Path, form: str = "", side: int = SIDE) -> None:
    """A label map in the form of its file, or in another: a mode of Pillow, or words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.ones((side, side), np.uint8)
    if path.suffix == ".txt":
        word = "one" if form == "words" else "1"
        path.write_text("\n".join(" ".join([word] * side) for _ in range(side)))
    elif form == "I;16":
        Image.fromarray(ids.astype(np.uint16)).save(path)
    else:
        colours = path.name.endswith(("_seg.png", "_L.png"))
        Image.fromarray(ids).convert(form or ("RGB" if colours else "L")).save(path)
    if path.name.endswith("_seg.png"):
        named = {"annotation": {"object": [{"name": "sky", "name_ndx": 1}]}}
        path.with_name(path.name.replace("_seg.png", ".json")).write_text(json.dumps(named))


def write_set(root: Path, kind: str) -> tuple[Path, Path]:
    """A set of one photo; where photo and label map lie."""
    found = FORMATS[kind]
    photo, labels = root / found.photo, root / (found.labels or "nothing")
    photo.parent.mkdir(parents=True)
    Image.new("RGB", (SIDE, SIDE), (90, 120, 200)).save(photo)
    if found.labels:
        write_labels(labels)
    if kind in ("scenes", "streets"):
        (root / "train.txt").write_text("a\n")
    return photo, labels


def read(root: Path, kind: str, split: str = "train") -> None:
    for collection in open_collections(Path(f"{kind}:{root}"), [], split):
        for photo in collection.photos:
            assert photo.image.shape[:2] == photo.labels.shape


def test_every_format_is_here() -> None:
    assert set(FORMATS) == set(READERS)


@pytest.mark.parametrize("kind", FORMATS)
def test_sets_without_a_fault_are_read(tmp_path: Path, kind: str) -> None:
    write_set(tmp_path, kind)
    read(tmp_path, kind)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 torn", b"\x89PNG\r\n\x1a\n torn"])
def test_photos_that_cannot_be_read_are_named(tmp_path: Path, kind: str, content: bytes) -> None:
    photo, _ = write_set(tmp_path, kind)
    photo.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(tmp_path, kind)
    assert str(photo) in str(error.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_photos_that_vanish_are_named(tmp_path: Path, kind: str) -> None:
    photo, _ = write_set(tmp_path, kind)
    (collection,) = open_collections(Path(f"{kind}:{tmp_path}"), [], "train")
    photo.unlink()
    with pytest.raises(DataError) as error:
        collection.photos[0]
    assert str(photo) in str(error.value)


def a_folder(path: Path, _: str) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, Callable[[Path, str], object]] = {
    "empty": lambda path, _: path.write_bytes(b""),
    "torn": lambda path, _: path.write_bytes(path.read_bytes()[:40] + b"\xff\xfe"),
    "wrong form": write_labels,
    "wrong size": lambda path, _: write_labels(path, side=SIDE + 3),
    "a folder": a_folder,
}


@pytest.mark.parametrize("kind", LABELLED)
@pytest.mark.parametrize("fault", FAULTS)
def test_label_maps_with_a_fault_are_named(tmp_path: Path, kind: str, fault: str) -> None:
    _, labels = write_set(tmp_path, kind)
    FAULTS[fault](labels, FORMATS[kind].wrong)
    with pytest.raises(DataError) as error:
        read(tmp_path, kind)
    assert labels.name in str(error.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_sets_without_photos_and_without_folders_are_named(tmp_path: Path, kind: str) -> None:
    photo, _ = write_set(tmp_path, kind)
    photo.unlink()
    with pytest.raises(DataError) as error:
        read(tmp_path, kind)
    assert str(tmp_path) in str(error.value)
    shutil.rmtree(tmp_path / Path(FORMATS[kind].photo).parts[0])
    with pytest.raises(DataError) as error:
        read(tmp_path, kind)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("kind", ["camvid", "folder", "scenes", "stanford", "streets"])
def test_lists_that_are_empty_or_name_what_is_not_there_are_named(tmp_path: Path, kind: str) -> None:
    write_set(tmp_path, kind)
    for content in (b"", b"\n \n", b"nobody\n", b"\xff\xfe\xfd"):
        (tmp_path / "train.txt").write_bytes(content)
        with pytest.raises(DataError) as error:
            read(tmp_path, kind)
        assert str(tmp_path / "train.txt") in str(error.value)
    with pytest.raises(DataError) as error:
        read(tmp_path, kind, "val")
    assert str(tmp_path / "val.txt") in str(error.value)


@pytest.mark.parametrize("kind", ["scenes", "streets"])
def test_prepared_folders_name_their_lists_and_files_too(tmp_path: Path, kind: str) -> None:
    photo, labels = write_set(tmp_path / kind, kind)
    (tmp_path / kind / "val.txt").write_text("")
    with pytest.raises(DataError) as error:
        open_collections(tmp_path, [kind], "val")
    assert str(tmp_path / kind / "val.txt") in str(error.value)
    write_labels(labels, "RGB")
    with pytest.raises(DataError) as error:
        open_collections(tmp_path, [kind], "train")
    assert str(labels) in str(error.value)
    write_labels(labels)
    photo.unlink()
    with pytest.raises(DataError) as error:
        open_collections(tmp_path, [kind], "train")
    assert str(photo) in str(error.value)

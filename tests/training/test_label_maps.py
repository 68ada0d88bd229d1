"""The tables from the data sets' classes to the bundle's labels: total, sound, and refused where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

from layoutbrush.training.data import LABEL_NAMES, UNKNOWN, DataError
from layoutbrush.training.data.label_map import TABLES, label_id, label_map, read_label_map
from layoutbrush.training.data.labels import SCENES_TO_MERGED, STREETS_TO_MERGED, lookup

IDS = {  # every id that the published files may hold
    "ade20k": set(range(151)),
    "cityscapes": {*range(34), 255},
    "cocostuff": set(range(184)),
    "scenes": {*range(8), 255},
    "stanford": set(range(-1, 8)),
    "streets": {*range(11), 255},
}
COUNTS = {"camvid": 32, **{name: len(ids) for name, ids in IDS.items()}}


def test_every_table_is_known_to_these_tests() -> None:
    assert {path.stem for path in TABLES.glob("*.toml")} == {*COUNTS, "ade20k_full"}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_tables_are_total(name: str) -> None:
    found = label_map(name)
    assert not found.others
    assert len(found.classes) == COUNTS[name]
    assert len({entry.name for entry in found.classes}) == COUNTS[name]
    assert len({entry.key for entry in found.classes}) == COUNTS[name]
    if name in IDS:
        assert {entry.key for entry in found.classes} == IDS[name]
    assert all(entry.label in (*range(len(LABEL_NAMES)), UNKNOWN) for entry in found.classes)


def test_the_full_ade_list_declares_the_rest_unknown() -> None:
    full, short = label_map("ade20k_full"), label_map("ade20k")
    assert full.others
    assert full.kind == "names"
    names = full.by_name()
    for entry in short.classes:
        assert entry.name == "other" or names[entry.name] == entry.label


@pytest.mark.parametrize(
    ("table", "name", "label"),
    [
        ("ade20k", "sky", "sky"),
        ("ade20k", "sidewalk", "pavement"),
        ("ade20k", "ceiling", "unknown"),
        ("camvid", "SUVPickupTruck", "car"),
        ("camvid", "Void", "unknown"),
        ("cityscapes", "rider", "bicyclist"),
        ("cityscapes", "ego vehicle", "unknown"),
        ("cocostuff", "clouds", "sky"),
        ("cocostuff", "person", "pedestrian"),
        ("stanford", "foreground object", "object"),
    ],
)
def test_some_classes_are_where_one_expects_them(table: str, name: str, label: str) -> None:
    assert label_map(table).by_name()[name] == label_id(label)


def test_cities_and_drives_agree_on_what_they_share() -> None:
    city, drive = label_map("cityscapes").by_name(), label_map("camvid").by_name()
    pairs = [("road", "Road"), ("sidewalk", "Sidewalk"), ("building", "Building"), ("wall", "Wall"), ("fence", "Fence")]
    pairs += [("pole", "Column_Pole"), ("traffic sign", "SignSymbol"), ("vegetation", "Tree"), ("sky", "Sky")]
    pairs += [("person", "Pedestrian"), ("rider", "Bicyclist"), ("car", "Car"), ("traffic light", "TrafficLight")]
    for ours, theirs in pairs:
        assert city[ours] == drive[theirs], (ours, theirs)


def test_the_prepared_collections_use_the_same_numbers() -> None:
    assert (label_map("scenes").table() == lookup(SCENES_TO_MERGED)).all()
    assert (label_map("streets").table() == lookup(STREETS_TO_MERGED)).all()


def test_a_shift_moves_ids() -> None:
    coco = label_map("cocostuff")
    assert coco.table(1)[0] == label_id("pedestrian")
    assert coco.table(1)[255] == UNKNOWN
    assert coco.table()[1] == label_id("pedestrian")
    assert coco.listed(1)[182]
    assert not coco.listed(1)[183]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = 3", "kind: should be one of"),
        ('kind = "ids"', "classes: should be a list"),
        ('kind = "ids"\nclasses = [[1, "sky", "heaven"]]', "'heaven' is neither a label"),
        ('kind = "ids"\nclasses = [["sky", "sky"]]', r"should be \[key, name, label\]"),
        ('kind = "ids"\nclasses = [[1, "a", "sky"], [1, "b", "sky"]]', "1 named twice"),
        ('kind = "ids"\nclasses = [[1, "a", "sky"], [2, "a", "sky"]]', "a named twice"),
        ('kind = "colors"\nclasses = [[[1, 2, 256], "a", "sky"]]', "each 0..255"),
        ('kind = "names"\nothers = "sky"\nclasses = [["a", "sky"]]', "others: should be"),
        ("kind =", "not a readable table"),
    ],
)
def test_tables_that_are_wrong_are_refused_with_file_and_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"mine\.toml.*{words}"):
        read_label_map(path)

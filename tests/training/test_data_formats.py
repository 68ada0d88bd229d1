"""Data sets in their published formats: small ones made here, read photo by photo, with names, pairs and labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the training extra")
pytest.importorskip("torch", reason="needs the training extra")

from layoutbrush.training.data import LABEL_NAMES, UNKNOWN, DataError, TaskConfig, TaskSampler, open_collections
from layoutbrush.training.data.formats import READERS, Listing
from layoutbrush.training.data.lazy import LazyPhotos
from layoutbrush.training.data.photo import Photo

HEIGHT, WIDTH = 24, 32


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def halves(upper: int, lower: int) -> np.ndarray:
    ids = np.full((HEIGHT, WIDTH), upper, np.uint8)
    ids[HEIGHT // 2 :] = lower
    return ids


def id_png(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(path)


def read(root: Path, kind: str, split: str = "train") -> tuple[Listing, LazyPhotos]:
    listing = READERS[kind](root, split)
    return listing, LazyPhotos(listing.entries, listing.decoder)


def names(found: Photo) -> tuple[str, str]:
    """The label names of the upper and the lower half; each must be of one label."""
    halves = (found.labels[: HEIGHT // 2], found.labels[HEIGHT // 2 :])
    for half in halves:
        assert len(np.unique(half)) == 1
    words = ["unknown" if half[0, 0] == UNKNOWN else LABEL_NAMES[half[0, 0]] for half in halves]
    return words[0], words[1]


def test_ade20k_as_scene_parse(tmp_path: Path) -> None:
    for folder, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        photo(tmp_path / "images" / folder / f"{name}.jpg")
        id_png(tmp_path / "annotations" / folder / f"{name}.png", halves(3, 0))
    listing, photos = read(tmp_path, "ade20k")
    assert [p.name for p in photos] == ["ADE_train_00000001"]
    assert names(photos[0]) == ("sky", "unknown")
    assert not listing.missing
    assert not listing.orphans
    (tmp_path / "sceneCategories.txt").write_text("ADE_train_00000001 street\nADE_val_00000001 beach\n")
    assert read(tmp_path, "ade20k", "val")[1].entries[0].name == "beach/ADE_val_00000001"


def test_ade20k_in_full(tmp_path: Path) -> None:
    top = tmp_path / "images" / "ADE" / "training" / "urban" / "street"
    photo(top / "ADE_train_00000007.jpg")
    segments = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    segments[: HEIGHT // 2] = (2420 // 256 * 10, 2420 % 256, 9)
    segments[HEIGHT // 2 :] = (401 // 256 * 10, 401 % 256, 10)
    id_png(top / "ADE_train_00000007_seg.png", segments)
    objects = [
        {"id": 0, "name": "sky", "name_ndx": 2420, "parts": {"part_level": 0}},
        {"id": 1, "name": "car, auto, automobile, machine, motorcar", "name_ndx": 401, "parts": {"part_level": 0}},
    ]
    described = top / "ADE_train_00000007.json"
    described.write_text(json.dumps({"annotation": {"object": objects}}))
    listing, photos = read(tmp_path, "ade20k-full")
    assert photos.entries[0].name == "urban/street/ADE_train_00000007"
    assert names(photos[0]) == ("sky", "car")
    label_file = listing.entries[0].labels
    assert label_file is not None
    assert listing.decoder.strangers(label_file) == {}
    described.write_text(json.dumps({"annotation": {"object": objects[:1]}}))
    assert listing.decoder.strangers(label_file) == {"index 401": HEIGHT // 2 * WIDTH}
    described.write_text("{}")
    with pytest.raises(DataError, match=r"00000007\.json: annotation\.object"):
        listing.decoder.labels(label_file)


@pytest.mark.parametrize(
    ("maps", "upper", "lower"),
    [("stuffthingmaps", 156, 255), ("annotations", 156, 255), ("annotations/stuff_train2017_pixelmaps", 157, 0)],
)
def test_cocostuff(tmp_path: Path, maps: str, upper: int, lower: int) -> None:
    photo(tmp_path / "images" / "train2017" / "000000000009.jpg")
    folder = tmp_path / maps if maps.endswith("pixelmaps") else tmp_path / maps / "train2017"
    id_png(folder / "000000000009.png", halves(upper, lower))
    _, photos = read(tmp_path, "cocostuff")
    assert photos.entries[0].name == "000000000009"
    assert names(photos[0]) == ("sky", "unknown")


def test_cocostuff_things(tmp_path: Path) -> None:
    photo(tmp_path / "val2017" / "000000000001.jpg")
    id_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / "000000000001.png", halves(0, 2))
    assert names(read(tmp_path, "cocostuff", "val")[1][0]) == ("pedestrian", "car")


def test_cityscapes(tmp_path: Path) -> None:
    for city, frame in (("aachen", "000000_000019"), ("zurich", "000001_000019")):
        photo(tmp_path / "leftImg8bit" / "train" / city / f"{city}_{frame}_leftImg8bit.png")
        id_png(tmp_path / "gtFine" / "train" / city / f"{city}_{frame}_gtFine_labelIds.png", halves(23, 7))
        id_png(tmp_path / "gtFine" / "train" / city / f"{city}_{frame}_gtFine_instanceIds.png", halves(0, 0))
    photo(tmp_path / "leftImg8bit" / "train" / "zurich" / "zurich_000002_000019_leftImg8bit.png")
    listing, photos = read(tmp_path, "cityscapes")
    assert [e.name for e in photos.entries] == [
        "aachen/aachen_000000_000019",
        "zurich/zurich_000001_000019",
        "zurich/zurich_000002_000019",
    ]
    assert names(photos[0]) == ("sky", "road")
    assert [path.name for path in listing.missing] == ["zurich_000002_000019_gtFine_labelIds.png"]
    assert len(photos.labelled()) == 2
    with pytest.raises(DataError, match="val: no such folder"):
        read(tmp_path, "cityscapes", "val")


def test_cityscapes_coarse(tmp_path: Path) -> None:
    for split, city in (("train", "ulm"), ("train_extra", "bamberg")):
        photo(tmp_path / "leftImg8bit" / split / city / f"{city}_0_1_leftImg8bit.png")
        id_png(tmp_path / "gtCoarse" / split / city / f"{city}_0_1_gtCoarse_labelIds.png", halves(11, 255))
    photos = read(tmp_path, "cityscapes")[1]
    assert [e.name for e in photos.entries] == ["bamberg/bamberg_0_1", "ulm/ulm_0_1"]
    assert names(photos[0]) == ("building", "car")


@pytest.mark.parametrize(
    ("train", "val"),
    [("train/abbey", "val/abbey"), ("data_256/a/abbey", "val_256"), ("data_large/f/field/wild", "val_large")],
)
def test_places365_has_no_labels(tmp_path: Path, train: str, val: str) -> None:
    photo(tmp_path / train / "00000001.jpg")
    photo(tmp_path / val / "Places365_val_00000001.jpg")
    photos = read(tmp_path, "places365")[1]
    assert photos.entries[0].name == train.split("/", 2 if train.startswith("data") else 1)[-1] + "/00000001"
    assert names(photos[0]) == ("unknown", "unknown")
    assert len(photos.labelled()) == 0
    assert [entry.name for entry in photos.entries[:1]] == [photos.entries[0].name]
    assert read(tmp_path, "places365", "val")[1].entries[0].name.endswith("Places365_val_00000001")


def test_stanford_background(tmp_path: Path) -> None:
    for i in range(20):
        photo(tmp_path / "iccv09Data" / "images" / f"{i:07d}.jpg", i)
        rows = "\n".join(" ".join(["0" if y < HEIGHT // 2 else "-1"] * WIDTH) for y in range(HEIGHT))
        (tmp_path / "iccv09Data" / "labels").mkdir(exist_ok=True)
        (tmp_path / "iccv09Data" / "labels" / f"{i:07d}.regions.txt").write_text(rows + "\n")
        (tmp_path / "iccv09Data" / "labels" / f"{i:07d}.layers.txt").write_text("1 2\n")
    photos = read(tmp_path, "stanford")[1]
    assert len(photos) == 18
    assert names(photos[0]) == ("sky", "unknown")
    assert [e.name for e in read(tmp_path, "stanford", "val")[1].entries] == ["0000009", "0000019"]
    torn = tmp_path / "iccv09Data" / "labels" / "0000000.regions.txt"
    torn.write_text("0 0 0\n0 0\n")
    with pytest.raises(DataError, match=r"0000000\.regions\.txt.*rows of \[2, 3\] numbers"):
        photos[0:1][0]


def test_camvid_in_colours_with_the_usual_split(tmp_path: Path) -> None:
    split = {"0001TP_006690": "train", "0016E5_07959": "val", "Seq05VD_f00000": "test", "0001TP_008550": "test"}
    for i, name in enumerate(split):
        photo(tmp_path / "701_StillsRaw_full" / f"{name}.png", i)
        colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        colours[: HEIGHT // 2] = (128, 128, 128)
        colours[HEIGHT // 2 :] = (64, 0, 64) if i else (0, 0, 64)
        id_png(tmp_path / "LabeledApproved_full" / f"{name}_L.png", colours)
    listing, photos = read(tmp_path, "camvid")
    assert [e.name for e in photos.entries] == ["0001TP_006690"]
    assert names(photos[0]) == ("sky", "object")
    assert not listing.orphans
    listing, photos = read(tmp_path, "camvid", "val")
    assert names(photos[0]) == ("sky", "building")
    label_file = listing.entries[0].labels
    assert label_file is not None
    id_png(label_file, np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    assert listing.decoder.strangers(label_file) == {"colour 7,7,7": HEIGHT * WIDTH}
    assert (listing.decoder.labels(label_file) == UNKNOWN).all()


def test_plain_folders_with_their_own_list(tmp_path: Path) -> None:
    for i in range(10):
        photo(tmp_path / "images" / f"{i}.jpg", i)
    id_png(tmp_path / "labels" / "0.png", halves(4, 9))
    meaning = {"classes": [{"id": 4, "name": "shrub", "label": "tree"}, {"id": 9, "name": "sky"}]}
    (tmp_path / "labels.json").write_text(json.dumps(meaning))
    listing, photos = read(tmp_path, "folder")
    assert len(photos) == 9
    assert names(photos[0]) == ("tree", "sky")
    assert len(photos.labelled()) == 1
    assert len(listing.missing) == 8
    (tmp_path / "train.txt").write_text("3\n0\n")
    assert [e.name for e in read(tmp_path, "folder")[1].entries] == ["0", "3"]
    with pytest.raises(DataError, match=r"val\.txt: no such list"):
        read(tmp_path, "folder", "val")
    (tmp_path / "val.txt").write_text("11\n")
    with pytest.raises(DataError, match=r"val\.txt: 11: no such photo"):
        read(tmp_path, "folder", "val")


def test_plain_folders_without_any_list_hold_the_bundles_own_ids(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    id_png(tmp_path / "labels" / "a.png", halves(0, 14))
    assert names(read(tmp_path, "folder")[1][0]) == ("sky", "fence")


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({}, "classes: should be a list"),
        ([4], r"classes\[0\]: should be an object"),
        ([{"id": 256, "name": "sky"}], r"classes\[0\]\.id"),
        ([{"id": 1}], r"classes\[0\]\.name"),
        ([{"id": 1, "name": "shrub"}], r"classes\[0\]\.label: 'shrub' is no label"),
        ([{"id": 1, "name": "sky"}, {"id": 1, "name": "tree"}], "id 1 given twice"),
    ],
)
def test_lists_of_labels_that_are_wrong_are_refused(tmp_path: Path, classes: object, words: str) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "labels.json").write_text(json.dumps({"classes": classes}))
    with pytest.raises(DataError, match=rf"labels\.json.*{words}"):
        read(tmp_path, "folder")


def test_pairs_that_do_not_fit_are_named_when_they_are_read(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        photo(tmp_path / f"{name}.png", size=(WIDTH, HEIGHT + 1))
        id_png(tmp_path / "labels" / f"{name}.png", halves(0, 1))
    id_png(tmp_path / "labels" / "b.png", np.zeros((9, 9), np.uint8))
    id_png(tmp_path / "labels" / "c.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (tmp_path / "d.png").write_bytes(b"\x89PNG")
    photos = read(tmp_path, "folder")[1]
    assert photos[0].image.shape[:2] == photos[0].labels.shape == (HEIGHT, WIDTH)  # a row more is cut off
    for index, words in ((1, r"b\.png: not of the size.*32x25 and 9x9"), (2, r"c\.png: should be"), (3, r"d\.png")):
        with pytest.raises(DataError, match=words):
            photos[index]


def test_photos_are_read_when_asked_for_and_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        photo(tmp_path / f"{i}.png", i)
    listing = READERS["folder"](tmp_path, "train")
    weight = HEIGHT * WIDTH * 4
    photos = LazyPhotos(listing.entries, listing.decoder, kept=2 * weight)
    opened: list[str] = []
    original = LazyPhotos._read

    def counting(self: LazyPhotos, entry: object) -> Photo:
        opened.append(entry.name)  # type: ignore[attr-defined]
        return original(self, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(LazyPhotos, "_read", counting)
    assert len(photos) == 6
    assert not opened
    for index in (0, 1, 0, 2, 0, 1, -1):
        photos[index]
    assert opened == ["0", "1", "2", "1", "5"]
    with pytest.raises(IndexError):
        photos[6]


def test_large_photos_are_shrunk_with_their_labels(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", size=(400, 100))
    ids = np.zeros((100, 400), np.uint8)
    ids[:, 200:] = 4
    id_png(tmp_path / "labels" / "a.png", ids)
    listing = READERS["folder"](tmp_path, "train")
    small = LazyPhotos(listing.entries, listing.decoder, longest=80)[0]
    assert small.image.shape == (20, 80, 3)
    assert (small.labels[:, :40] == 0).all()
    assert (small.labels[:, 40:] == 4).all()


def test_kind_and_path_open_a_collection_for_the_sampler(tmp_path: Path) -> None:
    for i in range(4):
        photo(tmp_path / f"{i}.png", i, (96, 72))
    for i in range(2):
        ids = np.zeros((72, 96), np.uint8)
        ids[36:] = 3
        ids[20:50, 20:60] = 5
        id_png(tmp_path / "labels" / f"{i}.png", ids)
    collections = open_collections(Path(f"folder:{tmp_path}"), ["scenes"], "train")
    assert [c.name for c in collections] == ["folder"]
    sampler = TaskSampler(collections, TaskConfig(size=48))
    first, again = sampler.batch(0, 4), sampler.batch(0, 4)
    assert all((first[name] == again[name]).all() for name in first)
    with pytest.raises(DataError, match="unknown kind 'nowhere'"):
        open_collections(Path("nowhere:/x"), [], "train")


def write_list(file: Path, /, **changes: object) -> Path:
    row = {"kind": "folder", "path": "photos", **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in row.items() if value is not None]
    file.write_text("[[collection]]\n" + "\n".join(lines) + "\n")
    return file


def test_lists_of_collections(tmp_path: Path) -> None:
    for i in range(6):
        photo(tmp_path / "photos" / f"{i}.png", i)
    path = write_list(tmp_path / "data.toml", name="mine", weight=2, most=3, splits=["train"])
    (collection,) = open_collections(path, [], "train")
    assert (collection.name, collection.weight) == ("mine", 2)
    assert [p.name for p in collection.photos] == ["0", "2", "4"]
    with pytest.raises(DataError, match="no collection takes part in val"):
        open_collections(path, [], "val")
    write_list(path, only=["[01]", "5"])
    assert [p.name for p in open_collections(path, [], "train")[0].photos] == ["0", "1", "5"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "ade"}, r"collection\[0\]\.kind: should be one of"),
        ({"path": None}, r"collection\[0\]\.path: is missing"),
        ({"wait": 1}, r"collection\[0\]\.wait: unknown key"),
        ({"weight": 0}, r"collection\[0\]\.weight: should be above 0"),
        ({"weight": "x"}, r"collection\[0\]\.weight: should be a number"),
        ({"splits": ["test"]}, r"collection\[0\]\.splits: should hold"),
        ({"only": [1]}, r"collection\[0\]\.only: should be a list of words"),
        ({"cache": "x"}, r"collection\[0\]: segmentation and cache go together"),
    ],
)
def test_lists_that_are_wrong_are_refused_with_the_key(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=rf"data\.toml: {words}"):
        open_collections(write_list(tmp_path / "data.toml", **changes), [], "train")


def test_photos_without_label_maps_are_labelled_by_the_network_once(tmp_path: Path) -> None:
    import torch

    from layoutbrush.training.models.segmentation import SegmentationNetwork
    from layoutbrush.training.trainer.weights import save_weights

    torch.manual_seed(0)
    save_weights(tmp_path / "seg.safetensors", SegmentationNetwork())
    photo(tmp_path / "places" / "train" / "abbey" / "1.jpg", size=(70, 50))
    path = write_list(
        tmp_path / "data.toml", kind="places365", path="places", segmentation="seg.safetensors", cache="labels"
    )
    (collection,) = open_collections(path, [], "train")
    assert collection.labelled().photos
    labels = collection.photos[0].labels
    assert labels.shape == (50, 70)
    (kept,) = (tmp_path / "labels").rglob("*.png")
    assert kept.parts[-2:] == ("abbey", "1.png")
    Image.fromarray(np.full((50, 70), 6, np.uint8)).save(kept)  # what is kept is not computed again
    assert (open_collections(path, [], "train")[0].photos[0].labels == 6).all()
    (tmp_path / "seg.safetensors").unlink()
    with pytest.raises(DataError, match=r"seg\.safetensors: no such weights"):
        open_collections(path, [], "train")


def test_samples_of_the_real_files(shared: Path, tmp_path: Path) -> None:
    """Real ADE20K and COCO photos with their ids, laid out as published: sky above, people where there are people."""
    samples = shared / "data" / "photos"
    if not samples.is_dir():
        pytest.skip("no samples of ADE20K and COCO-Stuff")
    for path in sorted((samples / "ade150").glob("*_label.png")):
        name = path.name.removesuffix("_label.png")
        folder = "training" if "train" in name else "validation"
        (tmp_path / "ade" / "images" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "ade" / "images" / folder / f"{name}.jpg").symlink_to(path.with_name(f"{name}.jpg"))
        ids = np.asarray(Image.open(path)).copy()
        ids[ids == 255] = 0  # the samples mark "other" by 255, the published files by 0
        id_png(tmp_path / "ade" / "annotations" / folder / f"{name}.png", ids)
    for path in sorted((samples / "cocostuff").glob("*_label.png")):
        name = path.name.removesuffix("_label.png")
        for top, target in (("images/val2017", path.with_name(f"{name}.jpg")), ("stuffthingmaps/val2017", path)):
            (tmp_path / "coco" / top).mkdir(parents=True, exist_ok=True)
            (tmp_path / "coco" / top / f"{name}{target.suffix}").symlink_to(target)
    shares = np.zeros(256)
    for kind, root, split in (("ade20k", "ade", "train"), ("ade20k", "ade", "val"), ("cocostuff", "coco", "val")):
        listing, photos = read(tmp_path / root, kind, split)
        assert len(photos) >= 6
        for entry, found in zip(photos.entries, photos, strict=True):
            assert entry.labels is not None
            assert listing.decoder.strangers(entry.labels) == {}
            shares += np.bincount(found.labels.ravel(), minlength=256)
            sky = np.nonzero(found.labels == 0)[0]
            assert sky.size < 500 or sky.mean() < 0.5 * found.labels.shape[0]
    assert (shares[[0, 1, 2, 5, 7, 9]] > 0).all()

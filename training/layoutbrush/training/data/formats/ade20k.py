"""ADE20K (Zhou et al., CVPR 2017), as SceneParse150 and in full.

SceneParse150 (ADEChallengeData2016): images/{training,validation}/*.jpg, annotations/{training,validation}/*.png (8-bit
ids, 0 other), sceneCategories.txt ("ADE_train_00000001 street"). In full (release 2021_17_01): images/ADE/{training,
validation}/<category>/<scene>/*.jpg with *_seg.png and *.json beside each.
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import IdPng, NamedSegments
from layoutbrush.training.data.formats.listing import Listing, files, first_folder, paired
from layoutbrush.training.data.label_map import label_map
from layoutbrush.training.data.lazy import Entry

SPLIT_FOLDERS = {"train": "training", "val": "validation"}


def read_ade20k(root: Path, split: str) -> Listing:
    """SceneParse150. A photo is named <scene>/<file> where sceneCategories.txt tells the scene."""
    folder = SPLIT_FOLDERS[split]
    photos = files(root / "images" / folder, (".jpg",))
    annotations = root / "annotations" / folder
    labels = files(annotations, (".png",))
    found = paired(photos, labels, IdPng(label_map("ade20k")), lambda name: annotations / f"{name}.png")
    scenes = _scenes(root / "sceneCategories.txt")
    if not scenes:
        return found
    entries = (Entry(f"{scenes.get(e.name, 'unknown')}/{e.name}", e.image, e.labels) for e in found.entries)
    return Listing(tuple(sorted(entries, key=lambda e: e.name)), found.decoder, found.missing, found.orphans)


def _scenes(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    words = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[0]: pair[1] for pair in words if len(pair) >= 2}


def read_ade20k_full(root: Path, split: str) -> Listing:
    """The full release. A photo is named by its path below training or validation."""
    top = first_folder(root, f"images/ADE/{SPLIT_FOLDERS[split]}", SPLIT_FOLDERS[split])
    photos, labels = {}, {}
    for path in sorted(top.rglob("*.jpg")):
        photos[str(path.relative_to(top).with_suffix(""))] = path
    for path in sorted(top.rglob("*_seg.png")):
        labels[str(path.relative_to(top)).removesuffix("_seg.png")] = path
    return paired(photos, labels, NamedSegments(label_map("ade20k_full")), lambda name: top / f"{name}_seg.png")

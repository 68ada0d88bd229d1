"""CamVid (Brostow, Fauqueur, Cipolla 2009): 701_StillsRaw_full/*.png with LabeledApproved_full/*_L.png in colours.

The split in common use: frames 07959 to 08159 of drive 0016E5 are for validation; drive Seq05VD and the frames of drive
0001TP from 08550 on are for tests and never read. train.txt and val.txt in the root, if there, count instead.
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import ColorPng
from layoutbrush.training.data.formats.listing import SPLITS, Listing, files, first_folder, listed, paired
from layoutbrush.training.data.label_map import label_map


def read_camvid(root: Path, split: str) -> Listing:
    """A photo is named <drive>_<frame>."""
    photos = files(first_folder(root, "701_StillsRaw_full", "images"), (".png", ".jpg"))
    folder = first_folder(root, "LabeledApproved_full", "labels")
    labels = files(folder, (".png",), "_L.png")
    if any((root / f"{name}.txt").is_file() for name in SPLITS):
        names = set(listed(root, split, photos))
    else:
        names = {name for name in photos if usual_split(name) == split}
    return paired(
        {name: path for name, path in photos.items() if name in names},
        {name: path for name, path in labels.items() if name in names or (name not in photos and split == "train")},
        ColorPng(label_map("camvid")),
        lambda name: folder / f"{name}_L.png",
    )


def usual_split(name: str) -> str:
    """`train`, `val` or `test`, by drive and frame."""
    drive, _, frame = name.partition("_")
    number = int("".join(c for c in frame if c.isdigit()) or 0)
    if drive == "0016E5" and 7959 <= number <= 8159:
        return "val"
    return "test" if drive == "Seq05VD" or (drive == "0001TP" and number >= 8550) else "train"

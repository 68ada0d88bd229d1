"""Stanford Background Dataset (Gould, Fulton, Koller, ICCV 2009): images/*.jpg with labels/*.regions.txt.

It has no lists of its own; every tenth photo is for validation, unless train.txt and val.txt stand beside `images`.
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import NumberText
from layoutbrush.training.data.formats.listing import Listing, files, listed, paired
from layoutbrush.training.data.label_map import label_map


def read_stanford(root: Path, split: str) -> Listing:
    """``root`` is iccv09Data or the folder that holds it. A photo is named by its number of seven digits."""
    root = root / "iccv09Data" if (root / "iccv09Data").is_dir() else root
    folder = root / "labels"
    photos = files(root / "images", (".jpg",))
    labels = files(folder, (".txt",), ".regions.txt")
    names = set(listed(root, split, photos))
    return paired(
        {name: path for name, path in photos.items() if name in names},
        {name: path for name, path in labels.items() if name in names or (name not in photos and split == "train")},
        NumberText(label_map("stanford")),
        lambda name: folder / f"{name}.regions.txt",
    )

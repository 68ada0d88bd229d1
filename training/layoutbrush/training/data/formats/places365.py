"""Places365 (Zhou et al., PAMI 2017): photos of scenes without label maps.

Read in the form places365_standard (train/<category>/*.jpg, val/<category>/*.jpg) and in the form of the lists:
data_256 or data_large (<letter>/<category>/.../*.jpg) with val_256 or val_large. Labels come from the segmentation
network where data.toml names one; else all are unknown.
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import IdPng
from layoutbrush.training.data.formats.listing import Listing, first_folder
from layoutbrush.training.data.label_map import label_map
from layoutbrush.training.data.lazy import Entry

FOLDERS = {"train": ("train", "data_256", "data_large"), "val": ("val", "val_256", "val_large")}


def read_places365(root: Path, split: str) -> Listing:
    """A photo is named by its path below the folder of its split, less the letter: <category>/00000001."""
    top = first_folder(root, *FOLDERS[split])
    lettered = top.name.startswith("data_")
    entries = []
    for path in sorted(top.rglob("*.jpg")):
        parts = path.relative_to(top).with_suffix("").parts
        entries.append(Entry("/".join(parts[1:] if lettered else parts), path, None))
    return Listing(tuple(entries), IdPng(label_map("scenes")))

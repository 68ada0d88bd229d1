"""Places365 (Zhou et al., PAMI 2017): photos of scenes without label maps.

Read in the form places365_standard (train/<category>/*.jpg, val/<category>/*.jpg) and in the form of the lists:
data_256 or data_large (<letter>/<category>/.../*.jpg) with val_256 or val_large. Labels come from the segmentation
network where data.toml names one; else all are unknown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from layoutbrush.training.data.decoders import IdPng
from layoutbrush.training.data.formats.listing import Listing, first_folder
from layoutbrush.training.data.label_map import label_map
from layoutbrush.training.data.lazy import Entry

FOLDERS = {"train": ("train", "data_256", "data_large"), "val": ("val", "val_256", "val_large")}


class PhotoPaths(Sequence[Entry]):
    """Entries made when they are asked for: of the 1.8 million photos only the paths are held, a hundred bytes each.

    ``paths``: below ``top``; the first ``cut`` folders of a path don't belong to the photo's name.
    """

    def __init__(self, top: Path, paths: Sequence[str], cut: int) -> None:
        self._top, self._paths, self._cut = top, paths, cut

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> PhotoPaths: ...
    def __getitem__(self, index: int | slice) -> Entry | PhotoPaths:
        if isinstance(index, slice):
            return PhotoPaths(self._top, self._paths[index], self._cut)
        path = self._paths[index]
        name = path.removesuffix(".jpg").split("/", self._cut)[-1]
        return Entry(name, self._top / path, None)


def read_places365(root: Path, split: str) -> Listing:
    """A photo is named by its path below the folder of its split, less the letter: <category>/00000001."""
    top = first_folder(root, *FOLDERS[split])
    paths = []
    for folder, _, names in os.walk(top):
        below = os.path.relpath(folder, top).replace(os.sep, "/")
        paths += [name if below == "." else f"{below}/{name}" for name in names if name.endswith(".jpg")]
    paths.sort()
    return Listing(PhotoPaths(top, paths, int(top.name.startswith("data_"))), IdPng(label_map("scenes")))

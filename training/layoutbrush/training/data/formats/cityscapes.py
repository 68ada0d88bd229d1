"""Cityscapes (Cordts et al., CVPR 2016): leftImg8bit/<split>/<city>/*_leftImg8bit.png with gtFine/.../*_labelIds.png.

Without gtFine, gtCoarse is read; `train` then includes the split train_extra where it is there.
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import IdPng
from layoutbrush.training.data.formats.listing import Listing, files, first_folder, paired
from layoutbrush.training.data.label_map import label_map
from layoutbrush.training.data.photo import DataError


def read_cityscapes(root: Path, split: str) -> Listing:
    """A photo is named <city>/<city>_<sequence>_<frame>."""
    truth = first_folder(root, "gtFine", "gtCoarse")
    folders = [split] + (["train_extra"] if split == "train" and truth.name == "gtCoarse" else [])
    photos: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    places: dict[str, Path] = {}
    for folder in folders:
        top = root / "leftImg8bit" / folder
        if not top.is_dir():
            if folder == split:
                raise DataError(f"{top}: no such folder")
            continue
        for city in sorted(path for path in top.iterdir() if path.is_dir()):
            own = truth / folder / city.name
            photos |= _named(city, "_leftImg8bit.png")
            labels |= _named(own, f"_{truth.name}_labelIds.png") if own.is_dir() else {}
            places[city.name] = own
    return paired(
        photos,
        labels,
        IdPng(label_map("cityscapes")),
        lambda name: places[name.split("/")[0]] / f"{name.split('/')[1]}_{truth.name}_labelIds.png",
    )


def _named(city: Path, ending: str) -> dict[str, Path]:
    return {f"{city.name}/{name}": path for name, path in files(city, (".png",), ending).items()}

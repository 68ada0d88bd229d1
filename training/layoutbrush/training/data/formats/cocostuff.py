"""COCO-Stuff on COCO 2017 (Caesar, Uijlings, Ferrari, CVPR 2018): 164 000 photos with maps of stuff and things.

Photos: images/{train,val}2017/*.jpg or {train,val}2017/*.jpg. Label maps, the first that is there: `stuffthingmaps`
(stuffthingmaps_trainval2017.zip: ids less one, 255 unlabelled) or the pixel maps of stuff alone
(stuff_{train,val}2017_pixelmaps: the official ids, 183 for any thing).
"""

from __future__ import annotations

from pathlib import Path

from layoutbrush.training.data.decoders import IdPng
from layoutbrush.training.data.formats.listing import Listing, files, first_folder, paired
from layoutbrush.training.data.label_map import label_map


def read_cocostuff(root: Path, split: str) -> Listing:
    """A photo is named by its number of twelve digits."""
    year = f"{split}2017"
    photos = files(first_folder(root, f"images/{year}", year), (".jpg",))
    both = (f"{top}/{year}" for top in ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations"))
    stuff = (f"{top}stuff_{year}_pixelmaps" for top in ("", "annotations/"))
    folder = first_folder(root, *both, *stuff)
    shift = 0 if folder.name.endswith("_pixelmaps") else 1
    decoder = IdPng(label_map("cocostuff"), shift)
    return paired(photos, files(folder, (".png",)), decoder, lambda name: folder / f"{name}.png")

"""Readers of data sets in their published formats, by the name that `--data` and data.toml use."""

from __future__ import annotations

from layoutbrush.training.data.formats.ade20k import read_ade20k, read_ade20k_full
from layoutbrush.training.data.formats.camvid import read_camvid
from layoutbrush.training.data.formats.cityscapes import read_cityscapes
from layoutbrush.training.data.formats.cocostuff import read_cocostuff
from layoutbrush.training.data.formats.listing import SPLITS, Listing, Reader
from layoutbrush.training.data.formats.places365 import read_places365
from layoutbrush.training.data.formats.plain import read_plain, read_scenes_folder, read_streets_folder
from layoutbrush.training.data.formats.stanford import read_stanford

READERS: dict[str, Reader] = {
    "ade20k": read_ade20k,
    "ade20k-full": read_ade20k_full,
    "camvid": read_camvid,
    "cityscapes": read_cityscapes,
    "cocostuff": read_cocostuff,
    "folder": read_plain,
    "places365": read_places365,
    "scenes": read_scenes_folder,
    "stanford": read_stanford,
    "streets": read_streets_folder,
}

__all__ = ["READERS", "SPLITS", "Listing", "Reader"]

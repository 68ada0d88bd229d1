"""Photos with label maps, and the editing tasks made from them."""

from __future__ import annotations

from layoutbrush.training.data.batch import collate, photo_batch
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN
from layoutbrush.training.data.photo import Collection, DataError, Photo
from layoutbrush.training.data.photos import open_collections
from layoutbrush.training.data.sampler import TaskConfig, TaskSampler
from layoutbrush.training.data.task import KINDS, Task
from layoutbrush.training.data.toy import toy_collection

__all__ = [
    "KINDS",
    "LABEL_NAMES",
    "UNKNOWN",
    "Collection",
    "DataError",
    "Photo",
    "Task",
    "TaskConfig",
    "TaskSampler",
    "collate",
    "open_collections",
    "photo_batch",
    "toy_collection",
]

"""Photos that are read when they are asked for, with the last few hundred megabytes of them kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, overload

import cv2
import numpy as np
from PIL import Image

from layoutbrush.training.data.decoders import Decoder
from layoutbrush.training.data.labels import UNKNOWN, UInt8
from layoutbrush.training.data.photo import DataError, Photo

KEPT_BYTES = 256 << 20
LOOSE_PIXELS = 2
"""By as many rows or columns may a label map differ from its photo: both are cut to the common part."""


def read_image(path: Path) -> UInt8:
    """(H, W, 3) uint8 RGB. Raises DataError."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path}: not a readable picture") from error


def unknown_labels(image: UInt8) -> UInt8:
    """A label map of UNKNOWN for the photo; it takes no memory of its own."""
    return np.broadcast_to(np.uint8(UNKNOWN), image.shape[:2])


def cut_to_common(name: str, image: UInt8, labels: UInt8) -> Photo:
    """A photo whose label map may be a row or column larger or smaller: both are cut to the common part."""
    height, width = min(image.shape[0], labels.shape[0]), min(image.shape[1], labels.shape[1])
    return Photo(name, np.ascontiguousarray(image[:height, :width]), np.ascontiguousarray(labels[:height, :width]))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one photo lies. ``labels`` None: it has no label map. ``name``: unique within its collection."""

    name: str
    image: Path
    labels: Path | None


class PhotoLabeller(Protocol):
    """Labels for photos that have none, e.g. a segmentation network's."""

    def labels(self, entry: Entry, image: UInt8) -> UInt8: ...


class LazyPhotos(Sequence[Photo]):
    """Photos by entry, in a fixed order. Thread safe.

    ``longest``: photos whose longer side has more pixels are shrunk to it as they are read (0: never).
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        decoder: Decoder,
        *,
        longest: int = 0,
        labeller: PhotoLabeller | None = None,
        kept: int = KEPT_BYTES,
    ) -> None:
        self.entries, self.decoder = entries, decoder
        self._longest, self._labeller, self._kept = longest, labeller, kept
        self._photos: OrderedDict[int, Photo] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> LazyPhotos: ...
    def __getitem__(self, index: int | slice) -> Photo | LazyPhotos:
        if isinstance(index, slice):
            return self._part(self.entries[index])
        index = range(len(self.entries))[index]
        with self._lock:
            if index in self._photos:
                self._photos.move_to_end(index)
                return self._photos[index]
        photo = self._read(self.entries[index])
        with self._lock:
            if index not in self._photos:
                self._photos[index] = photo
                self._bytes += photo.image.nbytes + photo.labels.nbytes
            while self._bytes > self._kept and len(self._photos) > 1:
                _, old = self._photos.popitem(last=False)
                self._bytes -= old.image.nbytes + old.labels.nbytes
        return photo

    def __iter__(self) -> Iterator[Photo]:
        return (self[index] for index in range(len(self)))

    def labelled(self) -> LazyPhotos:
        """Those that come with a label map or get one from the labeller; nothing is read."""
        if self._labeller is not None:
            return self
        return self._part([entry for entry in self.entries if entry.labels is not None])

    def labels(self, index: int) -> UInt8:
        """The label map alone, at the size of its file where there is one."""
        entry = self.entries[index]
        return self[index].labels if entry.labels is None else self.decoder.labels(entry.labels)

    def _part(self, entries: Sequence[Entry]) -> LazyPhotos:
        return LazyPhotos(entries, self.decoder, longest=self._longest, labeller=self._labeller, kept=self._kept)

    def _read(self, entry: Entry) -> Photo:
        image = read_image(entry.image)
        if entry.labels is not None:
            labels = self.decoder.labels(entry.labels)
            if max(abs(a - b) for a, b in zip(image.shape[:2], labels.shape, strict=True)) > LOOSE_PIXELS:
                sizes = " and ".join(f"{a.shape[1]}x{a.shape[0]}" for a in (image, labels))
                raise DataError(f"{entry.image}: not of the size of its label map {entry.labels.name}: {sizes}")
        elif self._labeller is not None:
            labels = self._labeller.labels(entry, image)
        else:
            labels = unknown_labels(image)
        return shrunk(cut_to_common(entry.name, image, labels), self._longest)


def shrunk(photo: Photo, longest: int) -> Photo:
    """The photo with its longer side at most ``longest`` pixels: area-averaged, the labels by nearest; 0: as it is."""
    height, width = photo.labels.shape
    if longest <= 0 or max(height, width) <= longest:
        return photo
    factor = longest / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = np.asarray(cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = np.asarray(cv2.resize(np.ascontiguousarray(photo.labels), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return Photo(photo.name, image, labels)

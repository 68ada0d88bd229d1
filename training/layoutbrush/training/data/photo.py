"""A photo with its label map, and collections of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layoutbrush.training.data.labels import UNKNOWN, UInt8


class DataError(ValueError):
    """A data set that is missing or not what its reader expects; the message names the file, and the field if any."""


@dataclass(frozen=True)
class Photo:
    """One photo with its label map.

    ``image`` (H, W, 3) uint8 RGB; ``labels`` (H, W) uint8 ids of the 15 labels, UNKNOWN where nothing is known.
    """

    name: str
    image: UInt8
    labels: UInt8

    @property
    def labelled(self) -> bool:
        """Whether any pixel has a known label."""
        return bool((self.labels != UNKNOWN).any())


@dataclass(frozen=True)
class Collection:
    """Photos under one name, with the weight that a sampler gives them.

    ``photos``: in memory (a tuple), or read when asked for (:class:`~layoutbrush.training.data.lazy.LazyPhotos`).
    """

    name: str
    photos: Sequence[Photo]
    weight: float = 1.0

    def labelled(self) -> Collection:
        """The photos with label maps. Photos that are read when asked for are told apart by their files alone."""
        part = getattr(self.photos, "labelled", None)
        return replace(self, photos=part() if part else tuple(p for p in self.photos if p.labelled))

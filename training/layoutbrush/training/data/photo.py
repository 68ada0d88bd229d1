"""A photo with its label map, and collections of them."""

from __future__ import annotations

from dataclasses import dataclass

from layoutbrush.training.data.labels import UNKNOWN, UInt8


class DataError(ValueError):
    """A data set that is missing or not what its reader expects; the message names the file."""


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
    """Photos under one name, with the weight that a sampler gives them."""

    name: str
    photos: tuple[Photo, ...]
    weight: float = 1.0

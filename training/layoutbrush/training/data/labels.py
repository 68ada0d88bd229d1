"""The 15 labels of the bundle `scenes`, and how the data sets' own ids map onto them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

UNKNOWN = 255
"""Label id of a pixel of which nothing is known."""

LABEL_NAMES: tuple[str, ...] = (
    "sky",
    "tree",
    "road",
    "grass",
    "water",
    "building",
    "mountain",
    "object",
    "car",
    "pedestrian",
    "bicyclist",
    "pole",
    "pavement",
    "sign",
    "fence",
)

LABEL_COLORS: tuple[tuple[int, int, int], ...] = (
    (126, 190, 238),
    (46, 110, 48),
    (120, 116, 124),
    (132, 190, 84),
    (52, 110, 190),
    (186, 120, 92),
    (140, 112, 160),
    (222, 160, 52),
    (200, 48, 60),
    (232, 110, 170),
    (110, 48, 140),
    (240, 226, 120),
    (190, 180, 170),
    (250, 130, 20),
    (92, 72, 50),
)
"""RGB, for pictures of label maps."""

SCENES_TO_MERGED: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)
"""Stanford Background: sky tree road grass water building mountain object."""

STREETS_TO_MERGED: tuple[int, ...] = (0, 5, 11, 2, 12, 1, 13, 14, 8, 9, 10)
"""CamVid: sky building pole road pavement tree sign fence car pedestrian bicyclist."""


def lookup(mapping: tuple[int, ...]) -> UInt8:
    """A (256,) table from a data set's ids to merged ids; everything not listed becomes UNKNOWN."""
    table = np.full(256, UNKNOWN, np.uint8)
    table[: len(mapping)] = mapping
    return table


def color_table() -> UInt8:
    """(256, 3) RGB colours by label id; UNKNOWN is dark grey."""
    table = np.full((256, 3), 40, np.uint8)
    table[: len(LABEL_COLORS)] = LABEL_COLORS
    return table


def colorize(labels: UInt8) -> UInt8:
    """(H, W) uint8 ids -> (H, W, 3) uint8 RGB."""
    picture: UInt8 = color_table()[labels]
    return picture

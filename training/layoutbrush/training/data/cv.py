"""The few OpenCV calls that the data pipeline needs, typed, on uint8 and float32 arrays.

OpenCV's own thread pool is switched off: one process a core is steadier than nested pools.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

cv2.setNumThreads(0)

_NO_MAP: Any = None  # the positions hold x and y in one map; the stubs do not know that the second is optional


def resize_image(image: UInt8, side: int) -> UInt8:
    """(h, w, 3) -> (side, side, 3); area-averaged when both ways shrink, bilinear when one is enlarged."""
    shrinks = min(image.shape[:2]) > side
    return np.asarray(
        cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR),
        np.uint8,
    )


def resize_labels(labels: UInt8, side: int) -> UInt8:
    """(h, w) -> (side, side), nearest."""
    return np.asarray(cv2.resize(labels, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)


def resize_field(field: Float, side: int) -> Float:
    """(h, w, C) float32 -> (side, side, C), bilinear."""
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def smooth_field(field: Float, side: int) -> Float:
    """A coarse (h, w, C) float32 grid -> (side, side, C), bicubic."""
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def mirror(image: UInt8) -> UInt8:
    """Left and right exchanged."""
    return np.asarray(cv2.flip(image, 1), np.uint8)


def look_up(image: UInt8, tables: UInt8) -> UInt8:
    """(H, W, 3) values through one table a channel, (256, 3)."""
    return np.asarray(cv2.LUT(image, tables[None]), np.uint8)


def pasted(below: UInt8, above: UInt8, where: Bool) -> UInt8:
    """`above` where the mask is True, `below` elsewhere; (H, W, 3) or (H, W)."""
    return np.asarray(cv2.copyTo(above, where.view(np.uint8), below.copy()), np.uint8)


def sample(image: UInt8, positions: Float, nearest: bool = False) -> UInt8:
    """Image values at (H, W, 2) float32 (x, y) positions; the border is mirrored."""
    mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(image, positions, _NO_MAP, mode, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def sample_field(field: Float, positions: Float) -> Float:
    """(H, W, 2) float32 field values at (x, y) positions, bilinear; the border is repeated."""
    return np.asarray(
        cv2.remap(field, positions, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def warp_affine(image: UInt8, matrix: npt.NDArray[np.float64], side: int, nearest: bool = False) -> UInt8:
    """Forward affine map (2, 3) of an image onto a side x side canvas; the border is mirrored."""
    mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(image, matrix, (side, side), flags=mode, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def warp_mask(mask: Bool, matrix: npt.NDArray[np.float64], side: int) -> Bool:
    """Forward affine map of a mask onto a side x side canvas; False outside."""
    plane = cv2.warpAffine(mask.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST, borderValue=0)
    return np.asarray(plane, np.bool_)


def dilate(mask: Bool, radius: float) -> Bool:
    """Every pixel within `radius` (Euclidean, pixels) of the mask."""
    if radius < 1:
        return mask
    reach = math.floor(radius)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (rows * rows + cols * cols <= radius * radius).astype(np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), np.bool_)


def distance_outside(mask: Bool) -> Float:
    """Distance in pixels of each pixel to the mask; 0 inside."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3), np.float32)


def component_at(mask: Bool, y: int, x: int) -> Bool:
    """The 8-connected component of the mask that holds pixel (y, x)."""
    flooded = mask.astype(np.uint8)
    cv2.floodFill(flooded, None, (x, y), 2, flags=8)
    return np.asarray(flooded == 2)


def blur(field: Float, sigma: float) -> Float:
    """Gaussian blur of a (H, W) or (H, W, C) float32 field."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def draw_line(canvas: UInt8, start: tuple[int, int], end: tuple[int, int], thickness: int) -> None:
    """Draws a round-capped line of value 1, in place; points are (x, y)."""
    cv2.line(canvas, start, end, 1, thickness)


def box_mean(image: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Mean over a window x window box, (H, W, C) float64; the border is mirrored with its edge repeated."""
    return np.asarray(cv2.blur(image, (window, window), borderType=cv2.BORDER_REFLECT), np.float64)

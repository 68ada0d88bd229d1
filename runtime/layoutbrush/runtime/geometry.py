"""Sizes and rectangles on the pixel grid, so that no bare tuple has to be guessed at.

x runs to the right and y downwards; both count whole pixels from the upper left corner. A rectangle covers
the pixels x <= column < x + width and y <= row < y + height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Extent:
    """A size in whole pixels; both numbers are at least 0.

    Raises:
        ValueError: a number is negative.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0:
            raise ValueError(f"an extent has no negative side, got {self.width} x {self.height}")

    @classmethod
    def of_shape(cls, shape: Sequence[int]) -> Extent:
        """Return the extent of an array whose shape begins with (height, width)."""
        return cls(width=int(shape[1]), height=int(shape[0]))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as NumPy orders them."""
        return self.height, self.width

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def longer(self) -> int:
        """The longer side in pixels."""
        return max(self.width, self.height)

    @property
    def shorter(self) -> int:
        """The shorter side in pixels."""
        return min(self.width, self.height)

    def scaled(self, factor: float) -> Extent:
        """Return this extent times `factor`, rounded, no side below 1."""
        return Extent(max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


@dataclass(frozen=True, order=True)
class Bounds:
    """A rectangle of whole pixels; `x` and `y` may be negative, the sides are at least 0.

    Raises:
        ValueError: a side is negative.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0:
            raise ValueError(f"bounds have no negative side, got {self.width} x {self.height}")

    @classmethod
    def of(cls, extent: Extent) -> Bounds:
        """Return the bounds of a whole picture of this extent."""
        return cls(0, 0, extent.width, extent.height)

    @classmethod
    def between(cls, left: int, top: int, right: int, bottom: int) -> Bounds:
        """Return the bounds from (left, top) to (right, bottom), exclusive; empty where they cross."""
        return cls(left, top, max(0, right - left), max(0, bottom - top))

    @property
    def right(self) -> int:
        """First column to the right of the rectangle."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the rectangle."""
        return self.y + self.height

    @property
    def extent(self) -> Extent:
        """The size alone."""
        return Extent(self.width, self.height)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def empty(self) -> bool:
        """True where the rectangle holds no pixel."""
        return self.width == 0 or self.height == 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) to index an array (H, W, ...) with.

        Raises:
            ValueError: the rectangle begins left of or above the picture, where an index would wrap around.
        """
        if self.x < 0 or self.y < 0:
            raise ValueError(f"{self} begins outside the picture")
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def contains(self, other: Bounds) -> bool:
        """Return True where every pixel of `other` lies in this rectangle."""
        return other.empty or (
            self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom
        )

    def intersection(self, other: Bounds) -> Bounds:
        """Return the pixels in both rectangles."""
        return Bounds.between(
            max(self.x, other.x),
            max(self.y, other.y),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def union(self, other: Bounds) -> Bounds:
        """Return the smallest rectangle around both; an empty one counts for nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        return Bounds.between(
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def grow(self, pixels: int) -> Bounds:
        """Return the rectangle grown by `pixels` on each of its four sides (shrunk where negative)."""
        return Bounds.between(self.x - pixels, self.y - pixels, self.right + pixels, self.bottom + pixels)

    def align(self, grid: int) -> Bounds:
        """Return the smallest rectangle around this one whose four edges lie on multiples of `grid`."""
        return Bounds.between(
            self.x // grid * grid,
            self.y // grid * grid,
            -(-self.right // grid) * grid,
            -(-self.bottom // grid) * grid,
        )

    def scaled(self, extent: Extent, to: Extent) -> Bounds:
        """Return these bounds of a picture of `extent` in pixels of the same picture at the size `to`, outwards."""
        return Bounds.between(
            self.x * to.width // extent.width,
            self.y * to.height // extent.height,
            -(-self.right * to.width // extent.width),
            -(-self.bottom * to.height // extent.height),
        )

    def clamp(self, extent: Extent) -> Bounds:
        """Return the part of this rectangle that lies in a picture of `extent`."""
        return self.intersection(Bounds.of(extent))

    def moved(self, x: int, y: int) -> Bounds:
        """Return this rectangle moved `x` to the right and `y` down."""
        return Bounds(self.x + x, self.y + y, self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at ({self.x}, {self.y})"

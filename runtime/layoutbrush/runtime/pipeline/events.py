"""What goes into an edit and what comes out of it: plain frozen dataclasses that hold everything.

Photos are uint8 (H, W, 3) RGB, label maps uint8 (H, W) of the bundle's ids with 255 = unknown, masks bool (H, W).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.geometry import Bounds

if TYPE_CHECKING:
    from layoutbrush.runtime.pipeline.scene import Prepared

Photo = NDArray[np.uint8]
LabelMap = NDArray[np.uint8]
BoolMap = NDArray[np.bool_]

MaskUse = Literal["replace", "bound"]
PreviewKind = Literal["warped", "coarse"]
PREVIEWS: tuple[PreviewKind, ...] = ("warped", "coarse")


@dataclass(frozen=True)
class Layer:
    """Pixels at a place of the photo.

    `pixels`: uint8 (h, w, 3) RGB; of the size of `bounds`, except in previews, where it may be smaller and is meant to
    be stretched over `bounds`.
    """

    bounds: Bounds
    pixels: Photo


@dataclass(frozen=True, eq=False)
class Source:
    """Where the pixels of one label, or of one region, come from.

    What is filled: `region`, bool (H, W) of the photo, or else every pixel that the edited label map gives `label`.
    `reference`: a name in `EditRequest.references`; empty = the photo itself. `source_label`: what is drawn from there;
    None = the label that is to be filled. `source_region`: bool, of the reference's size, True = may be drawn from.
    `place`: where the whole reference lies when it is stretched over the photo, in the photo's pixels, maybe beyond it.
    """

    label: int | None = None
    region: BoolMap | None = None
    reference: str = ""
    source_label: int | None = None
    source_region: BoolMap | None = None
    place: Bounds | None = None


@dataclass(frozen=True, eq=False)
class EditRequest:
    """One edit of a prepared photo; every map has the photo's height and width.

    `edited`: the label map to follow. `mask`: True = may change; with `mask_use` "replace" it is the mask, with "bound"
    it bounds the mask that the difference of the label maps makes. `exclude`: True = never copy from here. `seed`: 0 to
    2^31 - 1. `grow`: how far the difference is grown, as a share of the square root of its area, 0 to 1 (US 11,636,570,
    FIG. 7). `previews`: which ones to make. `preview_side`: the longest side of a preview in pixels. `tiles`: hand out
    parts of the result as they are done. `sources`: what doesn't draw from the photo itself as usual; where two
    overlap, the later one fills. `references`: the photos that they name, as `Editor.open` prepared them.
    """

    edited: LabelMap
    mask: BoolMap | None = None
    exclude: BoolMap | None = None
    seed: int = 0
    grow: float = 0.10
    mask_use: MaskUse = "replace"
    previews: tuple[PreviewKind, ...] = PREVIEWS
    preview_side: int = 1024
    sources: tuple[Source, ...] = ()
    references: Mapping[str, Prepared] = field(default_factory=dict)
    tiles: bool = False


@dataclass(frozen=True)
class Progress:
    """`stage`: segment, encode, warp, refine or composite. `done`: share of the whole, 0 to 1, never falling."""

    stage: str
    done: float


@dataclass(frozen=True)
class Preview:
    """A picture on the way to the result; pixels outside the mask are the photo's (scaled, where it is smaller)."""

    kind: PreviewKind
    layer: Layer


@dataclass(frozen=True)
class Tile:
    """A part of the result that is done; all parts together cover the result's bounds, each pixel once.

    `mask`: bool (h, w) of the layer's bounds.
    """

    layer: Layer
    mask: BoolMap


@dataclass(frozen=True)
class Result:
    """The new layer.

    `layer.bounds`: the mask's. `mask`: bool (h, w) of the same bounds; every pixel outside it is the photo's own, bit
    for bit. `timings`: milliseconds by stage, and "total".
    """

    layer: Layer
    mask: BoolMap
    timings: Mapping[str, float] = field(default_factory=dict)


Event = Progress | Preview | Tile | Result

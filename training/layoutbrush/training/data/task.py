"""The editing task: an input picture, a layout to follow, and the picture that should come out."""

from __future__ import annotations

from dataclasses import dataclass

from layoutbrush.training.data.cv import Bool, Float, UInt8

KINDS: tuple[str, ...] = ("foreign", "manipulate", "fill", "transform", "add", "relabel", "unpaired")
"""What a task practises:

- `foreign`: something foreign was pasted over the photo with its labels; the photo comes back (set R).
- `manipulate`: one region was moved, turned, grown or shrunk with the photo under it; the way back (set M).
- `fill`: a hole is filled from its surroundings and, where labels are known, the layout.
- `transform`: the whole picture was bent; the way back, with the true correspondence.
- `add`: a region was covered by what lies around it; it comes back.
- `relabel`: a whole region shows something foreign of another label; its own comes back.
- `unpaired`: the layout is another photo's of similar content; there is no true picture.
"""


@dataclass(frozen=True, eq=False)
class Task:
    """One task of side S.

    ``image`` (S, S, 3) uint8 RGB, the input; ``layout`` (S, S) uint8, its label map; ``truth`` (S, S, 3) uint8;
    ``edited`` (S, S) uint8, the label map to follow; ``mask`` (S, S) bool, True = may change (outside it the output
    equals ``image``, which in `manipulate` differs from ``truth``); ``source`` (S, S) bool, True = may be copied.
    ``flow`` (S, S, 2) float32: the (x, y) place in ``image`` of each pixel of ``truth``; ``flow_valid`` (S, S) bool:
    where that place exists. Both None when the sampler was not asked for them. ``paired``: whether ``truth`` is the
    true picture; where not, it is some picture of the layout ``edited``.
    """

    kind: str
    image: UInt8
    layout: UInt8
    truth: UInt8
    edited: UInt8
    mask: Bool
    source: Bool
    flow: Float | None = None
    flow_valid: Bool | None = None
    paired: bool = True

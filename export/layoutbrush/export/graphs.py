"""The graphs of a bundle: their names, inputs and outputs.

Sizes: B batch, H and W height and width, multiples of 16 and at least 64; "H/8" is H over 8. The warp has two pictures:
its view, the one that changes, has the sizes h and w, the one that it draws from H and W; in a plain edit the view is a
part of the other. "C8" and the like are channels that the network fixes, of the keys at 1/8 and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from layoutbrush.runtime.bundle import TensorSpec

ALIGNMENT = 16
"""Heights and widths are multiples of it."""
SMALLEST = 64
"""The least height and width."""
SCALES = (8, 4, 2, 1)


@dataclass(frozen=True)
class GraphSignature:
    """Name, inputs and outputs of a graph, in order."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def resolved(self, sizes: Mapping[str, int]) -> GraphSignature:
        """With sizes that are known, such as C8, put in."""

        def known(tensor: TensorSpec) -> TensorSpec:
            shape = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in tensor.shape)
            return replace(tensor, shape=shape)

        return GraphSignature(self.name, tuple(map(known, self.inputs)), tuple(map(known, self.outputs)))


def divisor(size: str) -> tuple[str, int]:
    """("H", 8) of "H/8", ("W", 1) of "W". Raises ValueError for anything else."""
    match = re.fullmatch(r"([BHWOhw])(?:/(\d+))?", size)
    if match is None:
        raise ValueError(f"not a size that may vary: {size!r}")
    return match[1], int(match[2] or 1)


def _picture(name: str, channels: int = 3) -> TensorSpec:
    return TensorSpec(name, "float32", ("B", channels, "H", "W"))


def _plane(name: str, kind: str) -> TensorSpec:
    return TensorSpec(name, kind, ("B", "H", "W"))


def _scaled(axis: str, scale: int) -> str:
    return axis if scale == 1 else f"{axis}/{scale}"


def _keys(*scales: int) -> tuple[TensorSpec, ...]:
    """Features of the key side."""
    return tuple(TensorSpec(f"keys_{s}", "float32", ("B", _scaled("H", s), _scaled("W", s), f"C{s}")) for s in scales)


def _labels(*scales: int) -> tuple[TensorSpec, ...]:
    """The most frequent label of each cell of the key side."""
    return tuple(TensorSpec(f"labels_{s}", "int32", ("B", _scaled("H", s), _scaled("W", s))) for s in scales)


def _view(name: str, channels: int = 3, scale: int = 1) -> TensorSpec:
    return TensorSpec(name, "float32", ("B", channels, _scaled("h", scale), _scaled("w", scale)))


def _view_plane(name: str, kind: str) -> TensorSpec:
    return TensorSpec(name, kind, ("B", "h", "w"))


_PLACE = TensorSpec("place", "float32", (4,))
_SEED = TensorSpec("seed", "int32", (1,))
_HANDED_ON = (
    _view("estimate", scale=4),
    TensorSpec("matches", "int32", ("B", "h/4", "w/4", "CM")),
    TensorSpec("scores", "float32", ("B", "h/4", "w/4", "CM")),
    _view_plane("filled", "int32"),
    TensorSpec("steering", "float32", ("B", "CS", "h/2", "w/2")),
    TensorSpec("half", "float32", ("B", "CH", "h/2", "w/2")),
    TensorSpec("quarter", "float32", ("B", "CQ", "h/4", "w/4")),
)

ENCODE_IMAGE = GraphSignature(
    "encode_image", (_picture("image"), _plane("layout", "int32")), (*_keys(*SCALES), *_labels(*SCALES[:3]))
)
WARP_COARSE = GraphSignature(
    "warp_coarse",
    (
        _view("picture"),
        _view_plane("edited", "int32"),
        _view_plane("mask", "bool"),
        _view_plane("known", "bool"),
        _PLACE,
        _picture("image"),
        _plane("layout", "int32"),
        _plane("source", "bool"),
        *_labels(8, 4),
        *_keys(8, 4),
        _SEED,
    ),
    _HANDED_ON,
)
WARP_FINE = GraphSignature(
    "warp_fine",
    (
        _view("picture"),
        _view_plane("mask", "bool"),
        _PLACE,
        _picture("image"),
        _plane("layout", "int32"),
        _plane("source", "bool"),
        *_labels(2),
        *_keys(2, 1),
        *_HANDED_ON,
        _SEED,
    ),
    (_view("warped"), _view_plane("correspondence", "int32"), _view("confidence", 1)),
)
REFINE = GraphSignature(
    "refine",
    (
        _picture("warped"),
        _picture("picture"),
        _plane("edited", "int32"),
        _plane("mask", "bool"),
        _picture("confidence", 1),
    ),
    (_picture("coarse"), _picture("refined")),
)
SEGMENT = GraphSignature(
    "segment",
    (_picture("image"),),
    (
        _plane("labels", "int32"),
        _plane("confidence", "float32"),
        TensorSpec("features", "float32", ("B", "CF", "H/16", "W/16")),
    ),
)
COMPLETE = GraphSignature(
    "complete",
    (_picture("image"), _plane("edited", "int32"), _plane("mask", "bool")),
    (_plane("labels", "int32"), _plane("confidence", "float32")),
)
GRAPHS = {graph.name: graph for graph in (ENCODE_IMAGE, WARP_COARSE, WARP_FINE, REFINE, SEGMENT, COMPLETE)}

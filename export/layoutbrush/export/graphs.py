"""The four graphs of a bundle: their names, inputs and outputs.

Sizes: B batch, H and W height and width, multiples of 16 and at least 64; "H/8" is H over 8. "C8" and the like are the
channels of the keys at 1/8 and so on, fixed by the network.
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
    match = re.fullmatch(r"([BHW])(?:/(\d+))?", size)
    if match is None:
        raise ValueError(f"not a size that may vary: {size!r}")
    return match[1], int(match[2] or 1)


def _picture(name: str, channels: int = 3) -> TensorSpec:
    return TensorSpec(name, "float32", ("B", channels, "H", "W"))


def _plane(name: str, kind: str) -> TensorSpec:
    return TensorSpec(name, kind, ("B", "H", "W"))


def _scaled(axis: str, scale: int) -> str:
    return axis if scale == 1 else f"{axis}/{scale}"


_KEYS = tuple(
    TensorSpec(f"keys_{scale}", "float32", ("B", _scaled("H", scale), _scaled("W", scale), f"C{scale}"))
    for scale in SCALES
)

ENCODE_IMAGE = GraphSignature("encode_image", (_picture("image"), _plane("layout", "int32")), _KEYS)
WARP = GraphSignature(
    "warp",
    (
        _picture("image"),
        _plane("layout", "int32"),
        _plane("edited", "int32"),
        _plane("mask", "bool"),
        _plane("source", "bool"),
        *_KEYS,
        TensorSpec("seed", "int32", (1,)),
    ),
    (_picture("warped"), _plane("correspondence", "int32"), _picture("confidence", 1)),
)
REFINE = GraphSignature(
    "refine",
    (
        _picture("warped"),
        _picture("image"),
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
GRAPHS = {graph.name: graph for graph in (ENCODE_IMAGE, WARP, REFINE, SEGMENT)}

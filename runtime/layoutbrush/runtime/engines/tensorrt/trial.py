"""What TensorRT answers on the card at hand, beside ONNX Runtime on the CPU: offline validation of built engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.engines.protocol import Arrays
from layoutbrush.runtime.engines.tensorrt.building import shape_of
from layoutbrush.runtime.engines.tensorrt.package import TensorRTUnavailable
from layoutbrush.runtime.engines.tensorrt.running import TensorRTEngine
from layoutbrush.runtime.errors import DamagedData
from layoutbrush.runtime.manifest import TensorSpec

TOLERANCE = 0.02
"""Mean absolute difference that float16 convolutions may make, of colours and features in 0..1."""
_SIDE = 128


@dataclass(frozen=True)
class Row:
    """`good`: within tolerance, or skipped for a reason that `text` names."""

    text: str
    good: bool

    def __str__(self) -> str:
        return self.text


def rows(bundle: Bundle) -> Iterator[Row]:
    """Run each graph on both and compare. Floats by mean absolute difference, integers by the share that agrees.

    Only graphs without a search are compared: between two precisions a search may rightly find other keys. What the
    warp answers is checked for range and for the pixels outside the mask.
    """
    try:
        engine = TensorRTEngine(bundle)
    except (TensorRTUnavailable, DamagedData) as reason:
        yield Row(f"not run: {reason}", good=True)
        return
    peer = OnnxRuntimeEngine(bundle)
    for graph, spec in bundle.manifest.graphs.items():
        inputs = {tensor.name: _input(tensor) for tensor in spec.inputs}
        found = engine.run(graph, inputs)
        if graph == "warp_coarse":
            within = bool(np.isfinite(found["estimate"]).all() and np.abs(found["estimate"]).max() < 2)
            yield Row(f"{graph}: the estimate is {'a picture' if within else 'NO PICTURE'}", within)
            continue
        if graph == "warp_fine":
            outside = ~np.broadcast_to(inputs["mask"][:, None], inputs["picture"].shape)
            kept = bool(np.abs(found["warped"] - inputs["picture"])[outside].max() < 1e-3)
            yield Row(f"{graph}: pixels outside the mask are {'kept' if kept else 'CHANGED'}", kept)
            continue
        yield from _compared(graph, found, peer.run(graph, inputs))


def _compared(graph: str, found: Arrays, wanted: Arrays) -> Iterator[Row]:
    for name, expected in wanted.items():
        if expected.dtype == np.float32:
            difference = float(np.abs(found[name] - expected).mean())
            yield Row(f"{graph}: {name} differs by {difference:.2g} (mean)", difference <= TOLERANCE)
        else:
            share = float((found[name] == expected).mean())
            yield Row(f"{graph}: {name} agrees in {share:.2%}", share >= 0.97)


def _input(tensor: TensorSpec) -> np.ndarray:
    """Smooth colours, two labels, the middle masked: something that a network can make sense of."""
    shape = shape_of(tensor, _SIDE)
    if tensor.name == "place":
        return np.array([0, 0, 1, 1], np.float32)
    if tensor.type == "bool":
        array = np.zeros(shape, bool)
        array[..., _SIDE // 4 : _SIDE // 2, _SIDE // 4 : _SIDE // 2] = True
        return ~array if tensor.name == "source" else array
    if tensor.type == "int32":
        array = np.zeros(shape, np.int32)
        array[..., _SIDE // 2 :] = 1 if len(shape) > 1 else 0
        return array
    waves = np.sin(np.arange(np.prod(shape)).reshape(shape) / 97.0)
    unit = len(shape) == 4 and shape[-1] not in (_SIDE,) and shape[1] == shape[2]  # features, channels last
    if unit:
        waves = waves / np.linalg.norm(waves, axis=-1, keepdims=True)
    return (waves if unit else 0.5 + 0.4 * waves).astype(np.float32)

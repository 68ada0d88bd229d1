"""A graph whose convolutions compute in float16, for a builder that takes each type as the graph states it.

Only convolutions change: they are nearly all of the arithmetic. Everything else stays float32, the features that keys
are found by among it, which is what the contract of KeyIndexSampling asks for.
"""

from __future__ import annotations

from typing import Any

from layoutbrush.runtime.engines.tensorrt.package import TensorRTUnavailable


def with_half_convolutions(model: bytes) -> bytes:
    """Return the ONNX model with casts around each convolution. Raises TensorRTUnavailable where onnx is missing."""
    try:
        import onnx
    except ImportError as error:
        raise TensorRTUnavailable("--precision fp16 needs onnx: pip install 'layoutbrush[tensorrt]'.") from error
    loaded = onnx.load_from_string(model)
    caster = _Caster(onnx, loaded.graph)
    nodes: list[Any] = []
    for node in loaded.graph.node:
        nodes += caster.converted(node) if node.op_type == "Conv" and not node.domain else [node]
    del loaded.graph.node[:]
    loaded.graph.node.extend(nodes)
    changed: bytes = loaded.SerializeToString()
    return changed


class _Caster:
    """Casts of one graph, each tensor's once."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx = onnx
        # A weight that is kept as float16 reaches its convolution by way of a cast: what it is cast from will do.
        half = {i.name for i in graph.initializer if i.data_type == onnx.TensorProto.FLOAT16}
        self.half = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Cast" and n.input[0] in half}

    def converted(self, node: Any) -> list[Any]:
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        nodes, inputs = [], []
        for name in node.input:
            if name and name not in self.half:
                self.half[name] = f"{name}__half"
                nodes.append(helper.make_node("Cast", [name], [self.half[name]], to=kinds.FLOAT16))
            inputs.append(self.half[name] if name else "")
        changed = self.onnx.NodeProto()
        changed.CopyFrom(node)
        del changed.input[:], changed.output[:]
        changed.input.extend(inputs)
        changed.output.append(f"{node.output[0]}__half_out")
        return [*nodes, changed, helper.make_node("Cast", [changed.output[0]], list(node.output), to=kinds.FLOAT)]

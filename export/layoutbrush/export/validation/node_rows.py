"""The custom nodes of a graph on the inputs that they really get there: here equality can be demanded.

The graph runs with the function bodies; what goes into and comes out of each custom node is caught, and the other
backends compute the same node from the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper

from layoutbrush.export.validation.backends import BODY, native_missing, open_session, with_schedule
from layoutbrush.export.validation.rows import Row, merged
from layoutbrush.export.validation.tolerances import EXACT, WARPED
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.ops import native, reference
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Contract

_CAUGHT = "caught_"


def node_rows(model: ModelProto, inputs: Mapping[str, Array], subject: str, threads: int = 0) -> list[Row]:
    """Rows of the custom nodes of a graph, schedule `jump_flood`; `inputs` by the graph's names."""
    model = with_schedule(model, "jump_flood")
    nodes = [node for node in model.graph.node if node.domain == KEY_INDEX_SAMPLING.domain]
    if not nodes:
        return []
    caught = _caught(model, nodes, inputs, threads)
    return merged(row for node in nodes for row in _rows(node, caught, subject))


def _rows(node: NodeProto, caught: Mapping[str, Array], subject: str) -> Iterator[Row]:
    sampling = node.op_type == KEY_INDEX_SAMPLING.name
    contract = KEY_INDEX_SAMPLING if sampling else SPARSE_ATTENTION_WARP
    tolerance = EXACT if sampling else WARPED
    arguments = _arguments(node, contract, caught)
    wanted = [caught[name] for name in node.output]
    function = "key_index_sampling" if sampling else "sparse_attention_warp"
    for name, module, missing in (("NumPy", reference, ""), ("C++", native, native_missing())):
        subject_of_row, pair = f"{subject}, {contract.name} nodes", f"{BODY} / {name}"
        if missing:
            yield Row(subject_of_row, pair, tolerance, skipped=missing)
            continue
        run: Callable[..., Any] = getattr(module, function)
        found = run(**arguments)
        found = found if isinstance(found, tuple) else (found,)
        pairs = list(zip(wanted, found, strict=True))
        if sampling:
            worst = float(sum((one != other).sum() for one, other in pairs))
        else:
            worst = max(float(np.abs(one - other).max(initial=0.0)) for one, other in pairs)
        yield Row(subject_of_row, pair, tolerance, worst, 1)


def _arguments(node: NodeProto, contract: Contract, caught: Mapping[str, Array]) -> dict[str, Any]:
    """What the node gets, as keyword arguments of the Python functions."""
    arguments: dict[str, Any] = {
        port.name: np.ascontiguousarray(caught[name]) for port, name in zip(contract.inputs, node.input, strict=True)
    }
    if "seed" in arguments:
        arguments["seed"] = int(arguments["seed"][0])
    known = {attribute.name for attribute in contract.attributes}
    for attribute in node.attribute:
        if attribute.name in known:
            value = helper.get_attribute_value(attribute)
            arguments[attribute.name] = value.decode() if isinstance(value, bytes) else value
    return arguments


def _caught(model: ModelProto, nodes: list[NodeProto], inputs: Mapping[str, Array], threads: int) -> dict[str, Array]:
    """Every input and output of the nodes, by its name in the graph."""
    elements = {}
    for node in nodes:
        contract = KEY_INDEX_SAMPLING if node.op_type == KEY_INDEX_SAMPLING.name else SPARSE_ATTENTION_WARP
        ports = (*contract.inputs, *contract.outputs)
        for name, port in zip((*node.input, *node.output), ports, strict=True):
            elements[name] = helper.np_dtype_to_tensor_dtype(np.dtype(port.type))
    for name, element in elements.items():
        model.graph.node.append(helper.make_node("Identity", [name], [_CAUGHT + name]))
        model.graph.output.append(helper.make_tensor_value_info(_CAUGHT + name, element, None))
    wanted = [_CAUGHT + name for name in elements]
    known = {value.name for value in model.graph.input}
    session = open_session(model, library=False, threads=threads)
    found = session.run(wanted, {name: value for name, value in inputs.items() if name in known})
    return dict(zip(elements, found, strict=True))

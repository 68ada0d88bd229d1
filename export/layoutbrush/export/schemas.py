"""ONNX schemas of the two ops, made from their contracts, and the models of one node that tests and validation run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper
from onnx.defs import OpSchema

from layoutbrush.export.functions import key_index_sampling_function, sparse_attention_warp_function
from layoutbrush.export.functions.tracer import OPSET
from layoutbrush.runtime.ops.contract import CONTRACTS, Contract, Port

IR_VERSION = 10
_ELEMENTS = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}
_TYPES = {"float32": "tensor(float)", "int32": "tensor(int32)", "bool": "tensor(bool)"}
_ATTRIBUTES = {
    "int": OpSchema.AttrType.INT,
    "ints": OpSchema.AttrType.INTS,
    "float": OpSchema.AttrType.FLOAT,
    "string": OpSchema.AttrType.STRING,
}


def functions() -> tuple[FunctionProto, FunctionProto]:
    """The bodies of both ops."""
    return key_index_sampling_function(), sparse_attention_warp_function()


def plugin_attributes(contract: Contract) -> dict[str, str]:
    """What a node bears besides the contract's attributes; TensorRT's parser finds plugins by them."""
    return {"plugin_namespace": contract.domain, "plugin_version": str(contract.version)}


def schema(contract: Contract) -> OpSchema:
    """The ONNX schema of a contract."""
    attributes = [_attribute(entry.name, entry.type, entry.doc, entry.default) for entry in contract.attributes]
    plugin = [
        _attribute(name, "string", "how TensorRT finds the plugin", value)
        for name, value in plugin_attributes(contract).items()
    ]
    return OpSchema(
        contract.name,
        contract.domain,
        contract.version,
        contract.summary.strip(),
        inputs=[_formal(port) for port in contract.inputs],
        outputs=[_formal(port) for port in contract.outputs],
        attributes=[*attributes, *plugin],
    )


def register_schemas() -> None:
    """Makes both ops known to onnx in this process, once; onnxscript asks for it when it traces a node."""
    for contract in CONTRACTS:
        if not onnx.defs.has(contract.name, contract.domain):
            onnx.defs.register_schema(schema(contract))


def attach_functions(model: ModelProto) -> ModelProto:
    """Adds the body of each op that the model's graph uses, and the opsets they need; the model itself, changed."""
    used = {node.op_type for node in model.graph.node if node.domain == CONTRACTS[0].domain}
    present = {function.name for function in model.functions}
    model.functions.extend(f for f in functions() if f.name in used - present)
    versions = {entry.domain for entry in model.opset_import}
    for contract in CONTRACTS:
        if contract.name in used and contract.domain not in versions:
            model.opset_import.append(helper.make_opsetid(contract.domain, contract.version))
            versions.add(contract.domain)
    return model


def node(contract: Contract, inputs: Iterable[str], outputs: Iterable[str], attributes: Mapping[str, Any]) -> NodeProto:
    """One node of the op, with the plugin attributes."""
    return helper.make_node(
        contract.name,
        list(inputs),
        list(outputs),
        domain=contract.domain,
        **plugin_attributes(contract),
        **attributes,
    )


def single_node_model(contract: Contract, attributes: Mapping[str, Any], *, body: bool = True) -> ModelProto:
    """A model of this one node, all inputs given, every size free.

    `body`: with the function body; without it a session needs the native library.
    """
    graph = helper.make_graph(
        [node(contract, [p.name for p in contract.inputs], [p.name for p in contract.outputs], attributes)],
        contract.name,
        [_value(port) for port in contract.inputs],
        [_value(port) for port in contract.outputs],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(contract.domain, contract.version)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return attach_functions(model) if body else model


def _value(port: Port) -> onnx.ValueInfoProto:
    sizes = [1 if size == "1" else size for size in port.shape]
    return helper.make_tensor_value_info(port.name, _ELEMENTS[port.type], sizes)


def _formal(port: Port) -> OpSchema.FormalParameter:
    option = OpSchema.FormalParameterOption.Optional if port.optional else OpSchema.FormalParameterOption.Single
    return OpSchema.FormalParameter(port.name, _TYPES[port.type], port.doc, param_option=option)


def _attribute(name: str, kind: str, doc: str, default: Any) -> OpSchema.Attribute:
    if default is None:
        return OpSchema.Attribute(name, _ATTRIBUTES[kind], doc)
    return OpSchema.Attribute(name, helper.make_attribute(name, default), doc)

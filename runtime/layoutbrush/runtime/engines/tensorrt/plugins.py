"""The two custom ops as TensorRT plugins (`IPluginV3`), for both of its packages.

The parser finds them by the node's `plugin_namespace` and `plugin_version`. Building an engine asks only for shapes and
types, so it needs no card; running launches the kernels of layoutbrush.runtime.ops.cuda on TensorRT's stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from layoutbrush.runtime.engines.tensorrt import package
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Attribute, Contract
from layoutbrush.runtime.ops.cuda import sampling, warp

_CONTRACTS = (KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP)
_INPUTS = {contract.name: len(contract.inputs) for contract in _CONTRACTS}


@cache
def register() -> None:
    """Make both plugins known to TensorRT, once a process. Raises TensorRTUnavailable."""
    trt = package.load()
    registry = trt.get_plugin_registry()
    plugin_types = _plugin_types(trt)
    for contract in _CONTRACTS:
        creator = _creator_type(trt)(contract, plugin_types[contract.name])
        registry.register_creator(creator, contract.domain)
        _registered.append(creator)


_registered: list[Any] = []  # TensorRT keeps no reference of its own


def _fields(trt: Any, contract: Contract, values: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The attributes as TensorRT's fields, and the arrays that they point into."""
    arrays = [_array(attribute, values[attribute.name]) for attribute in contract.attributes]
    fields = [
        trt.PluginField(attribute.name, array, _field_type(trt, attribute))
        for attribute, array in zip(contract.attributes, arrays, strict=True)
    ]
    return trt.PluginFieldCollection(fields), [*arrays, *fields]


def _array(attribute: Attribute, value: Any) -> np.ndarray:
    if attribute.type == "string":
        return np.frombuffer(str(value).encode(), np.int8).copy()
    return np.atleast_1d(np.array(value, np.float32 if attribute.type == "float" else np.int32))


def _field_type(trt: Any, attribute: Attribute) -> Any:
    kinds = trt.PluginFieldType
    return {"string": kinds.CHAR, "float": kinds.FLOAT32}.get(attribute.type, kinds.INT32)


def _read(contract: Contract, fields: Any) -> dict[str, Any]:
    """Attribute values from TensorRT's fields; defaults of the contract where a node leaves one out."""
    given = {field.name: field for field in fields}
    values: dict[str, Any] = {}
    for attribute in contract.attributes:
        field = given.get(attribute.name)
        if field is None or not field.size:
            values[attribute.name] = attribute.default
        elif attribute.type == "string":
            values[attribute.name] = bytes(np.array(field.data).astype(np.int8)).decode()
        else:
            numbers = [n.item() for n in np.array(field.data).reshape(-1)]
            values[attribute.name] = numbers if attribute.type == "ints" else numbers[0]
    return values


@cache
def _plugin_types(trt: Any) -> dict[str, type]:
    class Plugin(
        trt.IPluginV3,  # type: ignore[misc]
        trt.IPluginV3OneCore,  # type: ignore[misc]
        trt.IPluginV3OneBuild,  # type: ignore[misc]
        trt.IPluginV3OneRuntime,  # type: ignore[misc]
    ):
        """What both ops share: attributes in, attributes out, linear layouts only."""

        contract: Contract
        types: tuple[Any, ...]  # of inputs and outputs, in order

        def __init__(self, values: dict[str, Any]) -> None:
            for base in (trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime):
                base.__init__(self)
            self.values = values
            self.plugin_name, self.plugin_namespace = self.contract.name, self.contract.domain
            self.plugin_version = str(self.contract.version)
            self.num_outputs = len(self.contract.outputs)
            self.collection, self.kept = _fields(trt, self.contract, values)

        def get_capability_interface(self, _kind: Any) -> Any:
            return self

        def clone(self) -> Any:
            return type(self)(self.values)

        def attach_to_context(self, _context: Any) -> Any:
            return self.clone()

        def get_fields_to_serialize(self) -> Any:
            return self.collection

        def get_output_data_types(self, _inputs: Any) -> list[Any]:
            return list(self.types[_INPUTS[self.contract.name] :])

        def supports_format_combination(self, position: int, descriptions: Any, input_count: int) -> bool:
            if input_count != _INPUTS[self.contract.name]:
                return False
            found = descriptions[position].desc
            return bool(found.type == self.types[position] and found.format == trt.TensorFormat.LINEAR)

        def configure_plugin(self, _inputs: Any, _outputs: Any) -> None:
            """Nothing depends on the profile."""

        def on_shape_change(self, _inputs: Any, _outputs: Any) -> None:
            """Shapes are read at each launch."""

        def get_valid_tactics(self) -> list[int]:
            return []

        def set_tactic(self, _tactic: int) -> None:
            """There is one way."""

        def get_workspace_size(self, _inputs: Any, _outputs: Any) -> int:
            return 0

    class KeyIndexSampling(Plugin):
        """KeyIndexSampling, always by jump flood. The node must have all eight inputs."""

        contract = KEY_INDEX_SAMPLING
        types = (*(trt.float32,) * 2, *(trt.int32,) * 2, *(trt.bool,) * 2, *(trt.int32,) * 2, trt.int32, trt.float32)

        def get_output_shapes(self, inputs: Any, _shape_inputs: Any, expressions: Any) -> list[Any]:
            shapes = [trt.DimsExprs(5), trt.DimsExprs(5)]
            for shape in shapes:
                shape[0], shape[2], shape[3] = inputs[0][0], inputs[0][1], inputs[0][2]
                shape[1] = expressions.constant(self.values["keep"])
                shape[4] = expressions.constant(self.values["particles"])
            return shapes

        def get_workspace_size(self, inputs: Any, _outputs: Any) -> int:
            sizes = _sampling_sizes(*(tuple(found.max) for found in (inputs[0], inputs[1], inputs[6])))
            return sampling.workspace_bytes(sizes, self.values["particles"])

        def enqueue(
            self,
            inputs: Any,
            _outputs: Any,
            sources: Sequence[int],
            targets: Sequence[int],
            workspace: int,
            stream: int,
        ) -> None:
            query, key, query_labels, key_labels, query_mask, key_mask, init, seed = sources
            sizes = _sampling_sizes(*(tuple(inputs[i].dims) for i in (0, 1, 6)))
            attributes = sampling.Attributes(**{n: v for n, v in self.values.items() if n != "schedule"})
            at = sampling.Pointers(
                query=query, key=key, query_labels=query_labels, key_labels=key_labels, query_mask=query_mask,
                key_mask=key_mask, init=init if sizes.initial else 0, seed=seed, keys=targets[0], scores=targets[1],
                workspace=workspace,
            )  # fmt: skip
            sampling.launch(sizes, attributes, at, stream)

    class SparseAttentionWarp(Plugin):
        """SparseAttentionWarp. The node must have all four inputs."""

        contract = SPARSE_ATTENTION_WARP
        types = (trt.float32, trt.int32, trt.float32, trt.bool, trt.float32)

        def get_output_shapes(self, inputs: Any, _shape_inputs: Any, _expressions: Any) -> list[Any]:
            shape = trt.DimsExprs(4)
            shape[0], shape[1], shape[2], shape[3] = inputs[0][0], inputs[1][2], inputs[1][3], inputs[0][3]
            return [shape]

        def enqueue(
            self, inputs: Any, _outputs: Any, sources: Sequence[int], targets: Sequence[int], _space: int, stream: int
        ) -> None:
            batch, key_height, key_width, channels = tuple(inputs[0].dims)
            _, sets, height, width, particles = tuple(inputs[1].dims)
            sizes = warp.Sizes(batch, height, width, key_height, key_width, channels, sets, particles)
            at = warp.Inputs(*sources)
            warp.launch(sizes, at, targets[0], self.values["gamma"], self.values["reach"], stream)

    return {plugin.contract.name: plugin for plugin in (KeyIndexSampling, SparseAttentionWarp)}


def _sampling_sizes(query: tuple[int, ...], key: tuple[int, ...], init: tuple[int, ...]) -> sampling.Sizes:
    return sampling.Sizes(query[0], query[1], query[2], key[1], key[2], query[3], init[3])


@cache
def _creator_type(trt: Any) -> type:
    class Creator(trt.IPluginCreatorV3One):  # type: ignore[misc]
        """Makes one op's plugin from a node's attributes, or from what an engine has kept of them."""

        def __init__(self, contract: Contract, plugin: type) -> None:
            trt.IPluginCreatorV3One.__init__(self)
            self.contract, self.plugin = contract, plugin
            self.name, self.plugin_namespace = contract.name, contract.domain
            self.plugin_version = str(contract.version)
            self.field_names, self.kept = _fields(trt, contract, {a.name: _any(a) for a in contract.attributes})

        def create_plugin(self, _name: str, fields: Any, _phase: Any) -> Any:
            return self.plugin(_read(self.contract, fields))

    return Creator


def _any(attribute: Attribute) -> Any:
    """Some value of the attribute's type, where only its name and type are asked for."""
    return "fast" if attribute.type == "string" else 0

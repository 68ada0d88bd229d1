"""Writes ONNX nodes by running Python: values with operators, loops as nested Python functions.

    trace = Trace()
    x = trace.input("x")
    y = (x + 1) * trace.attribute("gain", "float")

Arithmetic follows ONNX's: no broadcasting of types, integer division truncates towards zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper, numpy_helper

from layoutbrush.runtime.ops.contract import Contract

OPSET = 18
"""Version of the standard operators that bodies and graphs use."""

PLUGIN_ATTRIBUTES = ("plugin_namespace", "plugin_version")
"""What every node bears besides the contract's attributes: TensorRT's parser finds plugins by them."""

INT64, FLOAT, DOUBLE, BOOL, INT32 = (
    TensorProto.INT64,
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.BOOL,
    TensorProto.INT32,
)
_CONSTANT = {  # kind of attribute -> the attribute of Constant that takes it over, its protobuf type
    "int": ("value_int", AttributeProto.INT),
    "ints": ("value_ints", AttributeProto.INTS),
    "float": ("value_float", AttributeProto.FLOAT),
}


class Value:
    """A tensor that a traced node will give. Plain numbers in arithmetic become int64 or, if floats, float32."""

    def __init__(self, trace: Trace, name: str) -> None:
        self.trace = trace
        self.name = name

    def _binary(self, op_type: str, other: Value | ArrayLike) -> Value:
        return self.trace.op(op_type, self, other)

    def __add__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Add", other)

    def __sub__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Sub", other)

    def __mul__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Mul", other)

    def __truediv__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Div", other)

    def __mod__(self, other: Value | ArrayLike) -> Value:
        """The remainder with the divisor's sign, as in Python."""
        return self._binary("Mod", other)

    def __xor__(self, other: Value | ArrayLike) -> Value:
        return self._binary("BitwiseXor", other)

    def __and__(self, other: Value | ArrayLike) -> Value:
        """Bitwise; for booleans see `both`."""
        return self._binary("BitwiseAnd", other)

    def __gt__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Greater", other)

    def __ge__(self, other: Value | ArrayLike) -> Value:
        return self._binary("GreaterOrEqual", other)

    def __lt__(self, other: Value | ArrayLike) -> Value:
        return self._binary("Less", other)

    def equals(self, other: Value | ArrayLike) -> Value:
        """Elementwise equality, bool."""
        return self._binary("Equal", other)

    def both(self, other: Value) -> Value:
        """Logical and."""
        return self._binary("And", other)

    def either(self, other: Value) -> Value:
        """Logical or."""
        return self._binary("Or", other)

    def negated(self) -> Value:
        """Logical not."""
        return self.trace.op("Not", self)

    def cast(self, element_type: int) -> Value:
        """Converted to a type of `TensorProto`."""
        return self.trace.op("Cast", self, to=element_type)

    def size(self, axis: int) -> Value:
        """Length of an axis as an int64 tensor of shape (1,)."""
        return self.trace.op("Shape", self, start=axis, end=axis + 1)

    def reshape(self, *sizes: Value | int) -> Value:
        """Reshaped; sizes are ints or int64 tensors of shape (1,); one may be -1 where none is 0."""
        return self.trace.op("Reshape", self, self.trace.shape(*sizes), allowzero=1)

    def transpose(self, *order: int) -> Value:
        """Axes in a new order."""
        return self.trace.op("Transpose", self, perm=list(order))

    def gather(self, index: Value | ArrayLike, axis: int = 0) -> Value:
        """Slices along an axis, by int64 index."""
        return self.trace.op("Gather", self, index, axis=axis)

    def expand_dims(self, *axes: int) -> Value:
        """New axes of length 1."""
        return self.trace.op("Unsqueeze", self, np.array(axes, np.int64))

    def clamp(self, low: Value | ArrayLike, high: Value | ArrayLike) -> Value:
        """Bounded on both sides."""
        return self.trace.op("Max", self.trace.op("Min", self, high), low)

    def where(self, chosen: Value | ArrayLike, otherwise: Value | ArrayLike) -> Value:
        """`chosen` where this (bool) holds, `otherwise` elsewhere."""
        return self.trace.op("Where", self, chosen, otherwise)


class Trace:
    """Nodes in the order in which they were traced. While a loop's body is traced, its nodes go into the body."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self._scopes: list[list[NodeProto]] = [[]]
        self._count = 0

    def input(self, name: str) -> Value:
        """A formal parameter of the function."""
        self.inputs.append(name)
        return Value(self, name)

    def attribute(self, name: str, kind: str) -> Value:
        """The value of a node's attribute: a scalar for `int` and `float`, an int64 vector for `ints`."""
        key, proto_type = _CONSTANT[kind]
        node = helper.make_node("Constant", [], [self._fresh()])
        node.attribute.append(AttributeProto(name=key, ref_attr_name=name, type=proto_type))
        return self._add(node)

    def constant(self, array: NDArray[Any]) -> Value:
        """A fixed tensor."""
        node = helper.make_node("Constant", [], [self._fresh()], value=numpy_helper.from_array(array))
        return self._add(node)

    def op(self, op_type: str, *inputs: Value | ArrayLike, **attributes: Any) -> Value:
        """One node with one output."""
        node = helper.make_node(op_type, [self._operand(v).name for v in inputs], [self._fresh()], **attributes)
        return self._add(node)

    def op2(self, op_type: str, *inputs: Value | ArrayLike, **attributes: Any) -> tuple[Value, Value]:
        """One node with two outputs."""
        names = [self._fresh(), self._fresh()]
        node = helper.make_node(op_type, [self._operand(v).name for v in inputs], names, **attributes)
        self._scopes[-1].append(node)
        return Value(self, names[0]), Value(self, names[1])

    def shape(self, *sizes: Value | int) -> Value:
        """An int64 vector from ints and tensors of shape (1,)."""
        parts = [size if isinstance(size, Value) else self.constant(np.array([size])) for size in sizes]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def concat(self, *values: Value, axis: int) -> Value:
        """Joined along an axis."""
        return self.op("Concat", *values, axis=axis)

    def range(self, length: Value) -> Value:
        """int64 (length,): 0, 1, ...; length is a tensor with one element."""
        return self.op("Range", np.int64(0), self.scalar(length), np.int64(1))

    def scalar(self, value: Value) -> Value:
        """A tensor with one element as one of rank 0."""
        return self.op("Reshape", value, np.zeros(0, np.int64))

    def loop(
        self,
        trips: Value,
        carried: Sequence[tuple[Value, int]],
        body: Callable[[Value, list[Value]], tuple[list[Value], list[Value]]],
        scans: Sequence[int] = (),
    ) -> list[Value]:
        """A counted loop.

        Args:
            trips: int64 scalar.
            carried: first value and element type of each loop-carried value.
            body: called once with the iteration's number (int64 scalar) and the carried values; gives the carried
                values after the iteration and the values to stack along a new first axis. It may use values from
                outside the loop.
            scans: element types of the stacked values.

        Returns:
            The last carried values, then the stacked ones.
        """
        # TensorRT's parser wants an explicit condition
        first = [trips.name, self.constant(np.array(True)).name, *(value.name for value, _ in carried)]
        number, going, *states = [Value(self, self._fresh()) for _ in range(2 + len(carried))]
        self._scopes.append([])
        after, stacked = body(number, states)
        # each output of a body must be a value of its own
        outputs = [self.op("Identity", value) for value in (going, *after, *stacked)]
        nodes = self._scopes.pop()
        types = [BOOL, *(kind for _, kind in carried), *scans]
        graph = helper.make_graph(
            nodes,
            "body",
            [
                helper.make_tensor_value_info(number.name, INT64, []),
                helper.make_tensor_value_info(going.name, BOOL, []),
                *(_info(state.name, kind) for state, (_, kind) in zip(states, carried, strict=True)),
            ],
            [_info(value.name, kind) for value, kind in zip(outputs, types, strict=True)],
        )
        names = [self._fresh() for _ in (*after, *stacked)]
        self._scopes[-1].append(helper.make_node("Loop", first, names, body=graph))
        return [Value(self, name) for name in names]

    def function(self, contract: Contract, outputs: dict[str, Value]) -> FunctionProto:
        """The trace as a model-local function of this op, with every attribute that its nodes bear."""
        nodes = [*self._scopes[0], *(helper.make_node("Identity", [v.name], [n]) for n, v in outputs.items())]
        return helper.make_function(
            contract.domain,
            contract.name,
            self.inputs,
            list(outputs),
            nodes,
            [helper.make_opsetid("", OPSET)],
            [*(attribute.name for attribute in contract.attributes), *PLUGIN_ATTRIBUTES],
        )

    def _operand(self, value: Value | ArrayLike) -> Value:
        if isinstance(value, Value):
            return value
        array = np.asarray(value)
        if isinstance(value, float):
            array = array.astype(np.float32)
        return self.constant(array)

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _add(self, node: NodeProto) -> Value:
        self._scopes[-1].append(node)
        return Value(self, node.output[0])


def _info(name: str, element_type: int) -> Any:
    return helper.make_tensor_value_info(name, element_type, None)

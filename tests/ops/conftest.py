"""The backends that can run here behind one signature each; one that can't is skipped by name with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layoutbrush.runtime.ops import emulated, native
from layoutbrush.runtime.ops.cases import Case, keyword_arguments
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, Contract
from layoutbrush.runtime.ops.reference import key_index_sampling, sparse_attention_warp

Outputs = tuple[NDArray[Any], ...]
Backend = Callable[[Contract, Case], Outputs]

VARIANTS = ("portable", "avx2", "avx512")
BACKENDS = (
    "reference", *(f"native-{isa}" for isa in VARIANTS), "native-one-thread", "onnxruntime-kernel", "cuda-emulated"
)  # fmt: skip
_ONNX_TYPES = {"float32": 1, "int32": 6, "bool": 9}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Runs a case of a contract on one backend."""
    name: str = request.param
    if name == "reference":
        return _reference
    if not native.available():
        pytest.skip(f"{name}: the native library is not built")
    if name == "cuda-emulated":
        return _emulated
    if name == "onnxruntime-kernel":
        pytest.importorskip("onnx", reason=f"{name}: needs onnx to write the node")
        return _onnxruntime
    if name == "native-one-thread":
        return lambda contract, case: _native(contract, case, threads=1)
    isa = name.removeprefix("native-")
    if isa not in native.supported_isas():
        pytest.skip(f"{name}: this machine does not run {isa}")
    return lambda contract, case: _native(contract, case, threads=3, isa=isa)


def _reference(contract: Contract, case: Case) -> Outputs:
    if contract is KEY_INDEX_SAMPLING:
        return key_index_sampling(**keyword_arguments(case))
    return (sparse_attention_warp(**keyword_arguments(case)),)


def _native(contract: Contract, case: Case, **how: Any) -> Outputs:
    if contract is KEY_INDEX_SAMPLING:
        return native.key_index_sampling(**keyword_arguments(case), **how)
    return (native.sparse_attention_warp(**keyword_arguments(case), **how),)


def _emulated(contract: Contract, case: Case) -> Outputs:
    if contract is KEY_INDEX_SAMPLING:
        return emulated.key_index_sampling(**keyword_arguments(case))
    return (emulated.sparse_attention_warp(**keyword_arguments(case)),)


def _onnxruntime(contract: Contract, case: Case) -> Outputs:
    """A model of one node, without a function body: only the registered kernel can run it."""
    session = _session(contract, case)
    return tuple(np.asarray(output) for output in session.run(None, dict(case.inputs)))


@pytest.fixture
def open_node() -> Callable[[Contract, Case], Any]:
    """Opens a session of ONNX Runtime on a model of one node."""
    if not native.available():
        pytest.skip("onnxruntime-kernel: the native library is not built")
    pytest.importorskip("onnx", reason="onnxruntime-kernel: needs onnx to write the node")
    return _session


def _session(contract: Contract, case: Case) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(str(native.library_path()))
    return ort.InferenceSession(_one_node(contract, case), options, providers=["CPUExecutionProvider"])


def _one_node(contract: Contract, case: Case) -> bytes:
    """An ONNX model of one custom node, with the attributes that TensorRT's parser looks plugins up by."""
    from onnx import helper

    names = [port.name if port.name in case.inputs else "" for port in contract.inputs]
    while not names[-1]:
        names.pop()
    node = helper.make_node(
        contract.name, names, [port.name for port in contract.outputs], domain=contract.domain,
        plugin_namespace=contract.domain, plugin_version="1", **case.attributes,
    )  # fmt: skip
    inputs, outputs = (
        [helper.make_tensor_value_info(p.name, _ONNX_TYPES[p.type], [None] * len(p.shape)) for p in ports]
        for ports in ([p for p in contract.inputs if p.name in case.inputs], contract.outputs)
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(contract.domain, contract.version)]
    graph = helper.make_graph([node], "one_node", inputs, outputs)
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return model

"""The ONNX function bodies of the two ops on the case table, in ONNX Runtime without any library; nodes and schemas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layoutbrush.runtime.ops import native, reference
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import CONTRACTS, KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Contract

onnx = pytest.importorskip("onnx", reason="onnx-body: the extra `export` is not installed")

from layoutbrush.export.complete import complete_inputs
from layoutbrush.export.schemas import attach_functions, register_schemas, schema, single_node_model


def run(contract: Contract, case: Case, *, body: bool = True, library: bool = False) -> list[NDArray[Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    if library:
        options.register_custom_ops_library(str(native.library_path()))
    model = single_node_model(contract, case.attributes, body=body).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: list[NDArray[Any]] = session.run(None, complete_inputs(contract, case.inputs))
    return found


def named(cases: tuple[Case, ...]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", named(sampling_cases()))
def test_sampling_body_is_bit_exact(case: Case) -> None:
    keys, scores = run(KEY_INDEX_SAMPLING, case)
    expected_keys, expected_scores = reference.key_index_sampling(**keyword_arguments(case))
    np.testing.assert_array_equal(keys, expected_keys)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("case", named(warp_cases()))
def test_warp_body_is_within_tolerance(case: Case) -> None:
    (warped,) = run(SPARSE_ATTENTION_WARP, case)
    expected = reference.sparse_attention_warp(**keyword_arguments(case))
    np.testing.assert_allclose(warped, expected, rtol=0, atol=SPARSE_ATTENTION_WARP.tolerances["warped"]["absolute"])


def test_fast_takes_the_same_body() -> None:
    fast, flood = (next(c for c in sampling_cases(s) if c.name == "plain") for s in ("fast", "jump_flood"))
    for mine, other in zip(run(KEY_INDEX_SAMPLING, fast), run(KEY_INDEX_SAMPLING, flood), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.skipif(not native.available(), reason="the native library is not built")
def test_a_registered_kernel_wins_over_the_body() -> None:
    """Schedule `fast` tells them apart: the kernel scans, the body floods."""
    case = next(c for c in sampling_cases("fast") if c.name == "smooth_features")
    keys, _ = run(KEY_INDEX_SAMPLING, case, library=True)
    kernel, _ = native.key_index_sampling(**keyword_arguments(case))
    body, _ = run(KEY_INDEX_SAMPLING, case)
    np.testing.assert_array_equal(keys, kernel)
    assert (body != kernel).any()


@pytest.mark.skipif(not native.available(), reason="the native library is not built")
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_stand_ins_for_absent_inputs_mean_absence(contract: Contract) -> None:
    """The kernel gives the same with the optional inputs left out and with what the exporter puts in their place."""
    cases = sampling_cases("fast") if contract is KEY_INDEX_SAMPLING else warp_cases()
    case = next(c for c in cases if c.name == "plain")
    function = getattr(native, "key_index_sampling" if contract is KEY_INDEX_SAMPLING else "sparse_attention_warp")
    filled = Case(case.name, complete_inputs(contract, case.inputs), case.attributes)
    found, expected = (np.asarray(function(**keyword_arguments(c))) for c in (filled, case))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_node_is_one_node_with_plugin_attributes(contract: Contract) -> None:
    register_schemas()
    case = (sampling_cases() if contract is KEY_INDEX_SAMPLING else warp_cases())[0]
    model = single_node_model(contract, case.attributes)
    onnx.checker.check_model(model, full_check=True)
    (node,) = model.graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert (node.domain, node.op_type) == ("layoutbrush", contract.name)
    assert attributes["plugin_namespace"] == b"layoutbrush"
    assert attributes["plugin_version"] == b"1"
    (function,) = model.functions
    assert {inner.domain for inner in function.node} == {""}
    standard = {s.name for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""}
    assert contract.name not in standard  # TensorRT's parser matches built-in names without the domain
    assert attach_functions(model) is model
    assert len(model.functions) == 1


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_schema_says_what_the_contract_says(contract: Contract) -> None:
    made = schema(contract)
    assert [port.name for port in made.inputs] == [port.name for port in contract.inputs]
    assert [port.name for port in made.outputs] == [port.name for port in contract.outputs]
    optional = [port.option == onnx.defs.OpSchema.FormalParameterOption.Optional for port in made.inputs]
    assert optional == [port.optional for port in contract.inputs]
    for attribute in contract.attributes:
        assert made.attributes[attribute.name].required == (attribute.default is None)

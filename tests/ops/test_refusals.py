"""Hostile arguments: each is refused with an error that names it, and the next call works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.ops import native, reference
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, Contract
from layoutbrush.runtime.ops.errors import OpError

PLAIN, WARP = sampling_cases()[0], warp_cases()[0]

SAMPLING: list[tuple[str, dict[str, Any]]] = [
    ("query", {"query": np.zeros((1, 24, 31, 129), np.float32)}),
    ("query", {"query": PLAIN.inputs["query"].astype(np.float64)}),
    ("query", {"query": PLAIN.inputs["query"][0]}),
    ("query", {"query": PLAIN.inputs["query"][:, :0]}),
    ("query", {"query": np.zeros((1, 1, 32768, 1), np.float32)}),
    ("query", {"query": [[0.0]]}),
    ("key", {"key": PLAIN.inputs["key"][..., :5]}),
    ("key", {"key": PLAIN.inputs["key"].repeat(2, axis=0)}),
    ("query_labels", {"query_labels": PLAIN.inputs["query_labels"][:, 1:]}),
    ("query_labels", {"query_labels": PLAIN.inputs["query_labels"].astype(np.int64)}),
    ("key_labels", {"key_labels": PLAIN.inputs["key_labels"][..., 1:]}),
    ("query_mask", {"query_mask": np.ones((1, 3, 3), bool)}),
    ("query_mask", {"query_mask": np.ones((1, 24, 31), np.uint8)}),
    ("key_mask", {"key_mask": np.ones((2, 24, 31), bool)}),
    ("init", {"init": np.zeros((1, 24, 31, 65), np.int32)}),
    ("init", {"init": np.zeros((1, 24, 30, 1), np.int32)}),
    ("seed", {"seed": 2**31}),
    ("particles", {"particles": 0}),
    ("particles", {"particles": 17}),
    ("particles", {"particles": 2.5}),
    ("particles", {"particles": True}),
    ("windows", {"windows": []}),
    ("windows", {"windows": [0, 1, 2, 40000]}),
    ("samples", {"samples": -1}),
    ("samples", {"samples": 65}),
    ("strides", {"strides": [1, 1]}),
    ("strides", {"strides": [1, 0, 1, 1]}),
    ("propagations", {"propagations": 0}),
    ("scale", {"scale": 0.0}),
    ("scale", {"scale": float("nan")}),
    ("scale", {"scale": float("inf")}),
    ("label_penalty", {"label_penalty": -1.0}),
    ("label_penalty", {"label_penalty": float("nan")}),
    ("label_penalty", {"label_penalty": 1e8}),
    ("ignore_label", {"ignore_label": 2**31}),
    ("keep", {"keep": 0}),
    ("keep", {"keep": 5}),
    ("schedule", {"schedule": "slow"}),
]

WARPING: list[tuple[str, dict[str, Any]]] = [
    ("values", {"values": np.zeros((2, 19, 22, 3), np.float32)}),
    ("values", {"values": np.zeros((1, 19, 22, 0), np.float32)}),
    ("keys", {"keys": WARP.inputs["keys"].astype(np.int64)}),
    ("keys", {"keys": WARP.inputs["keys"][:, :0]}),
    ("scores", {"scores": WARP.inputs["scores"][..., 1:]}),
    ("query_mask", {"query_mask": np.ones((1, 19, 21), bool)}),
    ("gamma", {"gamma": 0.0}),
    ("gamma", {"gamma": float("nan")}),
    ("reach", {"reach": -1}),
    ("reach", {"reach": 17}),
]


def _ids(rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{name}-{i}" for i, (name, _) in enumerate(rows)]


@pytest.fixture(params=["reference", "native"])
def module(request: pytest.FixtureRequest) -> Any:
    if request.param == "native" and not native.available():
        pytest.skip("the native library is not built")
    return {"reference": reference, "native": native}[request.param]


@pytest.mark.parametrize(("argument", "change"), SAMPLING, ids=_ids(SAMPLING))
def test_sampling_names_the_argument(module: Any, argument: str, change: dict[str, Any]) -> None:
    with pytest.raises(OpError) as caught:
        module.key_index_sampling(**keyword_arguments(PLAIN) | change)
    assert caught.value.argument == argument


@pytest.mark.parametrize(("argument", "change"), WARPING, ids=_ids(WARPING))
def test_warp_names_the_argument(module: Any, argument: str, change: dict[str, Any]) -> None:
    with pytest.raises(OpError) as caught:
        module.sparse_attention_warp(**keyword_arguments(WARP) | change)
    assert caught.value.argument == argument


def test_gradient_of_another_shape_is_refused(module: Any) -> None:
    with pytest.raises(OpError) as caught:
        module.sparse_attention_warp_backward(np.zeros((1, 2, 2, 3), np.float32), **keyword_arguments(WARP))
    assert caught.value.argument == "grad"


@pytest.mark.skipif(not native.available(), reason="the native library is not built")
def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(OpError) as caught:
        native.key_index_sampling(**keyword_arguments(PLAIN), isa="sse9")
    assert caught.value.argument == "isa"


NODES = [
    ("particles", {"particles": 17}),
    ("keep", {"keep": 1 << 40}),
    ("strides", {"strides": [1, 2]}),
    ("schedule", {"schedule": "slow"}),
    ("scale", {"scale": -1.0}),
    ("label_penalty", {"label_penalty": float("nan")}),
]


@pytest.mark.parametrize(("argument", "change"), NODES, ids=[name for name, _ in NODES])
def test_a_bad_node_is_refused_when_the_model_is_opened(
    open_node: Callable[[Contract, Case], Any], argument: str, change: dict[str, Any]
) -> None:
    case = Case(PLAIN.name, PLAIN.inputs, dict(PLAIN.attributes) | change)
    with pytest.raises(Exception, match=f"KeyIndexSampling: {argument}: "):
        open_node(KEY_INDEX_SAMPLING, case)


def test_inputs_that_do_not_fit_are_refused_when_the_model_runs(
    open_node: Callable[[Contract, Case], Any],
) -> None:
    session = open_node(KEY_INDEX_SAMPLING, PLAIN)
    short = dict(PLAIN.inputs) | {"key_labels": PLAIN.inputs["key_labels"][:, 1:]}
    with pytest.raises(Exception, match="KeyIndexSampling: key_labels: "):
        session.run(None, short)
    keys, _ = session.run(None, dict(PLAIN.inputs))
    np.testing.assert_array_equal(keys, reference.key_index_sampling(**keyword_arguments(PLAIN))[0])

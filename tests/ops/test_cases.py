"""Every backend on the case table, within the tolerances of the contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layoutbrush.runtime.ops import emulated, native
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Contract
from layoutbrush.runtime.ops.reference import key_index_sampling, sparse_attention_warp, sparse_attention_warp_backward

Backend = Callable[[Contract, Case], tuple[NDArray[Any], ...]]

needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")


def _named(cases: tuple[Case, ...]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", _named(sampling_cases()))
def test_jump_flood_is_bit_exact(backend: Backend, case: Case) -> None:
    keys, scores = backend(KEY_INDEX_SAMPLING, case)
    expected_keys, expected_scores = key_index_sampling(**keyword_arguments(case))
    assert keys.dtype == np.int32
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(keys, expected_keys)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("case", _named(sampling_cases("fast")))
def test_fast_keeps_the_form_of_the_outputs(backend: Backend, case: Case) -> None:
    """Distinct keys in order of rank, inside the grid, allowed, with the scores that these keys have."""
    keys, scores = backend(KEY_INDEX_SAMPLING, case)
    y, x = keys >> 16, keys & 0xFFFF
    assert y.min() >= 0
    assert x.min() >= 0
    assert (y < case.inputs["key"].shape[1]).all()
    assert (x < case.inputs["key"].shape[2]).all()
    assert (np.diff(scores, axis=-1) <= 0).all()
    mask = case.inputs.get("query_mask", np.ones(keys.shape[0:1] + keys.shape[2:4], bool))
    assert (scores[~np.broadcast_to(mask[:, None], keys.shape[:-1])] == 0).all()
    valid = (scores > KEY_INDEX_SAMPLING.filler["valid_above"]) & mask[:, None, ..., None]
    if "key_mask" in case.inputs:
        batch = np.arange(keys.shape[0])[:, None, None, None, None]
        assert case.inputs["key_mask"][batch, y, x][valid].all()
    ordered = np.sort(np.where(valid, keys, -1 - np.arange(keys.shape[-1])), axis=-1)
    assert (np.diff(ordered, axis=-1) != 0).all()


@needs_native
@pytest.mark.parametrize("case", _named(sampling_cases("fast")))
def test_fast_is_the_same_on_every_variant_and_any_number_of_threads(case: Case) -> None:
    arguments = keyword_arguments(case)
    keys, scores = native.key_index_sampling(**arguments, threads=1, isa="portable")
    for isa in native.supported_isas():
        for threads in (1, 2, 7):
            other_keys, other_scores = native.key_index_sampling(**arguments, threads=threads, isa=isa)
            np.testing.assert_array_equal(other_keys, keys)
            np.testing.assert_array_equal(other_scores, scores)


@pytest.mark.parametrize("case", _named(warp_cases()))
def test_warp_is_within_tolerance(backend: Backend, case: Case) -> None:
    (warped,) = backend(SPARSE_ATTENTION_WARP, case)
    expected = sparse_attention_warp(**keyword_arguments(case))
    assert warped.dtype == np.float32
    tolerance = SPARSE_ATTENTION_WARP.tolerances["warped"]["absolute"]
    np.testing.assert_allclose(warped, expected, rtol=0, atol=tolerance)


@needs_native
@pytest.mark.parametrize("case", _named(warp_cases()))
def test_gradients_are_within_tolerance(case: Case) -> None:
    arguments = keyword_arguments(case)
    grad = np.random.default_rng(1).standard_normal(sparse_attention_warp(**arguments).shape).astype(np.float32)
    tolerance = SPARSE_ATTENTION_WARP.tolerances["gradients"]
    expected = sparse_attention_warp_backward(grad, **arguments)
    one, several = (native.sparse_attention_warp_backward(grad, **arguments, threads=n) for n in (1, 4))
    for found, again, wanted in zip(one, several, expected, strict=True):
        np.testing.assert_array_equal(found, again)
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(found, wanted, rtol=tolerance["relative"], atol=tolerance["absolute"] * scale)


@needs_native
@pytest.mark.parametrize("case", _named(warp_cases()))
def test_gradients_of_the_cuda_code_are_within_tolerance(case: Case) -> None:
    arguments = keyword_arguments(case)
    grad = np.random.default_rng(1).standard_normal(sparse_attention_warp(**arguments).shape).astype(np.float32)
    tolerance = SPARSE_ATTENTION_WARP.tolerances["gradients"]
    expected = sparse_attention_warp_backward(grad, **arguments)
    for found, wanted in zip(emulated.sparse_attention_warp_backward(grad, **arguments), expected, strict=True):
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(found, wanted, rtol=tolerance["relative"], atol=tolerance["absolute"] * scale)


def test_reference_gradients_agree_with_differences() -> None:
    case = next(case for case in warp_cases() if case.name == "reach_1_mask")
    arguments = keyword_arguments(case) | {"gamma": 2.0}
    rng = np.random.default_rng(2)
    grad = rng.standard_normal(sparse_attention_warp(**arguments).shape).astype(np.float32)
    gradients = sparse_attention_warp_backward(grad, **arguments)
    for name, gradient in zip(("values", "scores"), gradients, strict=True):
        array = arguments[name]
        keep = array > -9999  # a filler's score bears on nothing
        direction = (rng.standard_normal(array.shape) * keep).astype(np.float32)
        step = 1e-2
        above, below = (sparse_attention_warp(**arguments | {name: array + s * direction}) for s in (step, -step))
        difference = float(np.sum((above.astype(np.float64) - below) * grad)) / (2 * step)
        assert difference == pytest.approx(float(np.sum(gradient * direction)), rel=2e-3)

"""The torch ops: on the case table as every backend is, their gradients, and what torch itself asks of an op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.ops import native, reference
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP

pytest.importorskip("torch", reason="the extra `training` is not installed")
import torch

from layoutbrush.training import ops
from layoutbrush.training.ops import backend, scores, warp
from layoutbrush.training.ops.sampling import key_index_sampling_op

TOLERANCE = SPARSE_ATTENTION_WARP.tolerances["warped"]["absolute"]
SMALL = ("reach_2_fillers", "reach_1_mask", "value_grid_other", "all_fillers_reach", "fillers")


@pytest.fixture(params=["native", "without-library"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways for an op to compute."""
    if request.param == "native" and not native.available():
        pytest.skip("native: the library is not built")
    if request.param == "without-library":
        monkeypatch.setattr(backend, "native_available", lambda: False)
    name: str = request.param
    return name


def tensors(case: Case) -> dict[str, Any]:
    """The case as arguments of the torch functions."""
    return {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in keyword_arguments(case).items()
    }


def named(cases: tuple[Case, ...], names: tuple[str, ...] = ()) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases if not names or case.name in names]


@pytest.mark.parametrize("case", named(sampling_cases()))
def test_sampling_is_bit_exact(case: Case, library: str) -> None:
    keys, found = ops.key_index_sampling(**tensors(case))
    expected_keys, expected_scores = reference.key_index_sampling(**keyword_arguments(case))
    np.testing.assert_array_equal(keys.numpy(), expected_keys)
    np.testing.assert_array_equal(found.numpy(), expected_scores)


@pytest.mark.parametrize("case", named(warp_cases()))
def test_warp_is_within_tolerance(case: Case, library: str) -> None:
    warped = ops.sparse_attention_warp(**tensors(case))
    expected = reference.sparse_attention_warp(**keyword_arguments(case))
    np.testing.assert_allclose(warped.numpy(), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", named(warp_cases(), SMALL))
def test_warp_gradients_equal_the_twin(case: Case, library: str) -> None:
    arguments = tensors(case)
    values, found = arguments.pop("values").requires_grad_(), arguments.pop("scores").requires_grad_()
    grad = torch.from_numpy(np.random.default_rng(3).standard_normal((*found.shape[:1], *found.shape[2:4], 3)))
    grad = grad.to(torch.float32)
    warped = ops.sparse_attention_warp(values, scores=found, **arguments)
    twin = ops.sparse_attention_warp_twin(values, scores=found, **arguments)
    for mine, other in zip(
        torch.autograd.grad(warped, (values, found), grad),
        torch.autograd.grad(twin, (values, found), grad),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", named(warp_cases(), ("reach_3_small_grid",)))
def test_twin_has_the_gradient_of_its_values(case: Case) -> None:
    arguments = tensors(case)
    values = arguments.pop("values")[..., :1].double().requires_grad_()
    found = arguments.pop("scores").double()
    found = torch.where(found > ops.FILLER_BOUND, found, torch.tensor(ops.FILLER_SCORE).double()).requires_grad_()
    arguments["gamma"] = 2.0
    assert torch.autograd.gradcheck(
        lambda v, s: ops.sparse_attention_warp_twin(v, scores=s, **arguments), (values, found)
    )


def test_scores_are_those_of_the_search() -> None:
    """Up to the rounding of the features, fillers included."""
    case = next(case for case in sampling_cases() if case.name == "key_mask_one")
    arguments = tensors(case) | {"scale": 127.0}  # nothing is clamped
    keys, found = ops.key_index_sampling(**arguments)
    assert bool((found == ops.FILLER_SCORE).any())
    again = ops.key_scores(
        arguments["query"],
        arguments["key"],
        arguments["query_labels"],
        arguments["key_labels"],
        keys,
        found,
        label_penalty=arguments["label_penalty"],
    )
    torch.testing.assert_close(again, found, rtol=0, atol=0.02)
    assert bool(((again == ops.FILLER_SCORE) == (found == ops.FILLER_SCORE)).all())


def test_scores_reach_both_sides() -> None:
    generator = torch.Generator().manual_seed(5)
    query = torch.randn(2, 3, 4, 6, generator=generator).requires_grad_()
    key = torch.randn(2, 5, 3, 6, generator=generator).requires_grad_()
    rows = torch.randint(0, 5, (2, 2, 3, 4, 3), generator=generator)
    columns = torch.randint(0, 3, rows.shape, generator=generator)
    query_labels = torch.randint(0, 2, (2, 3, 4), generator=generator).int()
    key_labels = torch.randint(0, 2, (2, 5, 3), generator=generator).int()
    found = ops.key_scores(
        query, key, query_labels, key_labels, ops.pack(rows, columns), label_penalty=0.5, ignore_label=255
    )
    image = torch.arange(2).reshape(2, 1, 1, 1, 1)
    expected = (query[:, None, :, :, None] * key[image, rows, columns]).sum(-1)
    expected = expected - 0.5 * (query_labels[:, None, :, :, None] != key_labels[image, rows, columns])
    torch.testing.assert_close(found, expected)
    grad = torch.randn(found.shape, generator=generator)
    for mine, other in zip(
        torch.autograd.grad(found, (query, key), grad), torch.autograd.grad(expected, (query, key), grad), strict=True
    ):
        torch.testing.assert_close(mine, other)


def test_dot_products_have_the_gradient_of_their_values() -> None:
    generator = torch.Generator().manual_seed(6)
    query = torch.randn(7, 4, generator=generator, dtype=torch.float64).requires_grad_()
    key = torch.randn(5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    index = torch.randint(0, 5, (7, 3), generator=generator)
    assert torch.autograd.gradcheck(scores.gather_dot, (query, key, index))


def test_ops_are_what_torch_expects() -> None:
    """Schema, shapes without data, and autograd registration, as `torch.export` relies on them."""
    case = next(case for case in sampling_cases() if case.name == "batch_3")
    given = tensors(case)
    required = [given[name] for name in ("query", "key", "query_labels", "key_labels", "query_mask", "key_mask")]
    attributes = [given[attribute.name] for attribute in KEY_INDEX_SAMPLING.attributes]
    torch.library.opcheck(key_index_sampling_op, (*required, None, None, *attributes))
    given = tensors(next(case for case in warp_cases() if case.name == "reach_1_mask"))
    values, found = given["values"].requires_grad_(), given["scores"].requires_grad_()
    arguments = (values, given["keys"], found, given["query_mask"], given["gamma"], given["reach"])
    # the kernel sums in another order than torch does when it checks the compiled op
    torch.library.opcheck(warp.sparse_attention_warp_op, arguments, rtol=1e-3, atol=1e-4)


def test_coordinates_unpack_to_what_was_packed() -> None:
    rows, columns = torch.tensor([0, 1, 32767]), torch.tensor([32767, 0, 32766])
    packed = ops.pack(rows, columns)
    assert packed.dtype == torch.int32
    again_rows, again_columns = ops.unpack(packed)
    assert again_rows.tolist() == rows.tolist()
    assert again_columns.tolist() == columns.tolist()
    assert ops.flat_index(ops.pack(torch.tensor([2]), torch.tensor([3])), 10).tolist() == [23]

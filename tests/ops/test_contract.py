"""What is made from the contract files, and that they say what they must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layoutbrush.runtime.ops import hashing
from layoutbrush.runtime.ops.arguments import integer_penalty, score_unit
from layoutbrush.runtime.ops.contract import CONTRACTS, KEY_INDEX_SAMPLING, Contract
from layoutbrush.runtime.ops.header import render
from layoutbrush.runtime.ops.reference import quantise


def test_the_header_is_made_from_the_contracts(repository: Path) -> None:
    assert (repository / "runtime/native/src/contract.h").read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_letter_of_a_shape_is_explained(contract: Contract) -> None:
    letters = {letter for port in (*contract.inputs, *contract.outputs) for letter in port.shape}
    assert letters - set(contract.sizes) <= {"1"}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_optional_inputs_come_last_and_names_are_unique(contract: Contract) -> None:
    optional = [port.optional for port in contract.inputs]
    assert optional == sorted(optional)
    names = [entry["name"] for entry in contract.cases]
    assert len(set(names)) == len(names)


def test_products_of_the_random_numbers_fit_64_bits() -> None:
    constants = (*hashing.MULTIPLIERS, hashing.SEED_SALT, hashing.ITERATION_SALT)
    assert max(constants) < 2**31
    numbers = np.array([0, 1, 2**31, 2**32 - 1], np.int64)
    assert [hashing.mix(int(n)) for n in numbers] == hashing.mix(numbers).tolist()


def test_random_numbers_are_even_and_distinct() -> None:
    stream = hashing.iteration_stream(0, 3)
    numbers = hashing.random(stream, np.arange(4096, dtype=np.int64), 5)
    counts = np.bincount(hashing.below(numbers, 16), minlength=16)
    assert len(np.unique(numbers)) == 4096
    assert counts.min() > 190
    assert counts.max() < 320


def test_quantisation_rounds_half_to_even() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 200, -200, np.nan, np.inf, -np.inf], np.float32)
    assert quantise(values, 1.0).tolist() == [0, 2, 2, 0, -2, 127, -127, 0, 127, -127]


def test_penalty_and_unit_follow_the_float32_attributes() -> None:
    assert integer_penalty(0.5, 1.0) == 0
    assert integer_penalty(1.5, 1.0) == 2
    assert integer_penalty(0.1, 282.2222222) == round(float(np.float32(0.1)) * float(np.float32(282.2222222)) ** 2)
    assert score_unit(2.0) == np.float32(0.25)
    assert KEY_INDEX_SAMPLING.attribute("particles").range == (1, 16)

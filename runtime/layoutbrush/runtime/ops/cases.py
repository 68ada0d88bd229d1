"""The case table of both ops: rows of the contract files made into inputs, the same on every machine.

Each case is a name, the array inputs by the contract's names, and the attributes. A backend is right when it agrees
with `reference` on all of them within the contract's tolerances.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP

Array = NDArray[Any]
Shape = tuple[int, ...]
_EXTREMES = np.array([-(2**31), 2**31 - 1, 0, 65536, -1, 255], np.int32)


@dataclass(frozen=True)
class Case:
    """Inputs (absent optional ones are left out) and attributes of one call."""

    name: str
    inputs: Mapping[str, Array]
    attributes: Mapping[str, Any]


def sampling_cases(schedule: str = "jump_flood") -> tuple[Case, ...]:
    """The cases of KeyIndexSampling."""
    return tuple(_sampling_case(dict(row), schedule) for row in KEY_INDEX_SAMPLING.cases)


def warp_cases() -> tuple[Case, ...]:
    """The cases of SparseAttentionWarp."""
    return tuple(_warp_case(dict(row)) for row in SPARSE_ATTENTION_WARP.cases)


def keyword_arguments(case: Case) -> dict[str, Any]:
    """The case as keyword arguments of the Python functions: `seed` becomes an int."""
    inputs = dict(case.inputs)
    seed = {"seed": int(inputs.pop("seed")[0])} if "seed" in inputs else {}
    return inputs | seed | dict(case.attributes)


def _sampling_case(row: dict[str, Any], schedule: str) -> Case:
    name = row.pop("name")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    height, width = row.pop("query")
    key_height, key_width = row.pop("key", (height, width))
    batch, channels = row.pop("batch", 1), row.pop("channels", 16)
    grid, key_grid = (batch, height, width), (batch, key_height, key_width)
    features = row.pop("features", "random")
    query_labels, key_labels = _labels(rng, row.pop("labels", "random"), grid, key_grid)
    inputs: dict[str, Array] = {
        "query": _features(rng, features, (*grid, channels)),
        "key": _features(rng, features, (*key_grid, channels)),
        "query_labels": query_labels,
        "key_labels": key_labels,
    }
    for mask, shape in (("query_mask", grid), ("key_mask", key_grid)):
        if mask in row:
            inputs[mask] = _mask(rng, row.pop(mask), shape)
    if "init" in row:
        inputs["init"] = _packed(rng, row.pop("init_values", "inside"), (*grid, row.pop("init")), key_grid[1:])
    if "seed" in row:
        inputs["seed"] = np.array([row.pop("seed")], np.int32)
    windows, propagations = row.pop("windows", [0, 8, 4, 2]), row.pop("propagations", 1)
    strides = row.pop("strides", [1, 4, 2, 1])
    attributes = {
        "particles": row.pop("particles", 4),
        "windows": windows,
        "samples": row.pop("samples", 2),
        "strides": strides,
        "propagations": propagations,
        "label_penalty": row.pop("label_penalty", 0.3),
        "scale": row.pop("scale", 127 / 0.45),
        "ignore_label": row.pop("ignore_label", 255),
        "keep": row.pop("keep", 1),
        "schedule": schedule,
    }
    _nothing_left(name, row)
    return Case(name, inputs, attributes)


def _warp_case(row: dict[str, Any]) -> Case:
    name = row.pop("name")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    height, width = row.pop("query")
    key_grid = tuple(row.pop("key", (height, width)))
    batch, sets, particles = row.pop("batch", 1), row.pop("sets", 2), row.pop("particles", 3)
    slots = (batch, sets, height, width, particles)
    scores = rng.uniform(-0.5, 1.0, slots).astype(np.float32)
    kind = row.pop("scores", "random")
    if kind != "random":
        scores[rng.random(slots) < 0.4 if kind == "fillers" else np.ones(slots, bool)] = -10000.0
    if kind == "fillers":
        scores[:, :, : height // 3] = -10000.0  # whole queries too
    inputs: dict[str, Array] = {
        "values": rng.random((batch, *key_grid, row.pop("channels", 3))).astype(np.float32),
        "keys": _packed(rng, row.pop("keys", "inside"), slots, key_grid),
        "scores": scores,
    }
    if "query_mask" in row:
        inputs["query_mask"] = _mask(rng, row.pop("query_mask"), (batch, height, width))
    attributes = {"gamma": row.pop("gamma", 30.0), "reach": row.pop("reach", 0)}
    _nothing_left(name, row)
    return Case(name, inputs, attributes)


def _nothing_left(name: str, row: dict[str, Any]) -> None:
    if row:
        raise KeyError(f"case {name}: unknown {', '.join(row)}")


def _features(rng: np.random.Generator, kind: str, shape: Shape) -> Array:
    """Unit vectors, unless the kind says otherwise."""
    features = rng.standard_normal(shape)
    if kind == "constant":
        features = np.ones(shape)
    if kind == "smooth":
        for axis in (1, 2):
            features = np.sum([np.roll(features, shift, axis) for shift in range(-4, 5)], axis=0)
    features = (features / np.linalg.norm(features, axis=-1, keepdims=True)).astype(np.float32)
    if kind == "halves":  # with scale 2: every value rounds from an exact half
        features = (rng.integers(-40, 40, shape) / 4.0).astype(np.float32)
    if kind == "nan":
        features[rng.random(shape) < 0.1] = np.nan
        features[0, 0] = np.nan
    if kind == "huge":
        features[rng.random(shape) < 0.1] = np.inf
        features[rng.random(shape) < 0.1] = -np.inf
        features[rng.random(shape) < 0.1] = 3e38
        features[rng.random(shape) < 0.1] = -1e-42
    return features


def _labels(rng: np.random.Generator, kind: str, grid: Shape, key_grid: Shape) -> tuple[Array, Array]:
    """Labels of queries and keys."""
    low, high = {"wide": (-5000, 5000), "query_wide": (-5000, 5000)}.get(kind, (0, 4))
    query = rng.integers(low, high, grid).astype(np.int32)
    key = rng.integers(0, 4, key_grid).astype(np.int32)
    if kind == "wide":  # mostly labels that both have, drawn from a wide range
        key = rng.choice(query.reshape(-1), key_grid).astype(np.int32)
    if kind == "extreme":
        query, key = rng.choice(_EXTREMES, grid), rng.choice(_EXTREMES, key_grid)
    if kind == "ignored":
        query[rng.random(grid) < 0.5] = 255
        key[rng.random(key_grid) < 0.2] = 255
    return query, key


def _mask(rng: np.random.Generator, kind: str, shape: Shape) -> Array:
    mask = np.zeros(shape, bool)
    if kind == "random":
        mask = rng.random(shape) < 0.5
    if kind == "rectangle":
        mask[:, shape[1] // 4 : shape[1] // 2 + 1, shape[2] // 3 : shape[2] // 2 + 1] = True
    if kind == "one":
        mask[:, shape[1] // 2, shape[2] // 2] = True
    return mask


def _packed(rng: np.random.Generator, kind: str, shape: Shape, key_grid: Shape) -> Array:
    if kind == "hostile":  # any 32 bits
        return rng.integers(-(2**31), 2**31, shape).astype(np.int32)
    y, x = rng.integers(0, key_grid[0], shape), rng.integers(0, key_grid[1], shape)
    return (y << 16 | x).astype(np.int32)

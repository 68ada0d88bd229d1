"""Whole graphs: every way to run them on the same inputs, several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from layoutbrush.export.examples import edit_example
from layoutbrush.export.validation.backends import Backend
from layoutbrush.export.validation.rows import Row, Tolerance, merged
from layoutbrush.export.validation.tolerances import CONFIDENCE, FEATURES, LABELS, OUTSIDE, PICTURE, SEEN, WARP
from layoutbrush.runtime.bundle import UNKNOWN_LABEL
from layoutbrush.runtime.engines import Array

SIZES = ((1, 64, 80), (2, 96, 128), (1, 176, 144))
"""Batch, height and width of the examples: other sizes than those that graphs are traced with, too."""
WARPS = ("warp_coarse", "warp_fine")
Measured = Iterator[tuple[Tolerance, float]]


def graph_rows(
    graphs: Sequence[str], backends: Sequence[Backend], labels: int, sizes: Sequence[tuple[int, int, int]] = SIZES
) -> list[Row]:
    """Rows for all pairs of backends; those that can't run here are skipped with their reason.

    Every backend gets the inputs that the first of them that can run has made: its keys, its warped picture.
    """
    rows: list[Row] = []
    for index, (batch, height, width) in enumerate(sizes):
        examples = edit_example(batch, height, width, labels, seed=index + 1)
        for graph in graphs:
            for schedule in ("jump_flood", "fast") if graph in WARPS else ("fast",):
                given = _with_a_gap(examples) if graph == "complete" else examples
                outputs = {b.name: b.run(graph, schedule, given) for b in backends if not b.lacks(graph)}
                rows += _pairs(graph, schedule, backends, outputs, given)
            examples |= next(iter(outputs.values()))
        if "refine" in graphs and "warp_fine" not in graphs:
            raise ValueError("refine needs the picture that warp_fine gives")
    return merged(rows)


def _with_a_gap(examples: Mapping[str, Array]) -> dict[str, Array]:
    """The example with no labels under its mask."""
    gap = np.full_like(examples["edited"], UNKNOWN_LABEL)
    return {**examples, "edited": np.where(examples["mask"], gap, examples["edited"])}


def _pairs(
    graph: str,
    schedule: str,
    backends: Sequence[Backend],
    outputs: Mapping[str, Mapping[str, Array]],
    inputs: Mapping[str, Array],
) -> Iterator[Row]:
    subject = f"{graph}, {schedule}" if graph in WARPS else graph
    for one, other in combinations(backends, 2):
        pair, missing = f"{one.name} / {other.name}", one.lacks(graph) or other.lacks(graph)
        if missing:
            for tolerance in _tolerances(graph, schedule):
                yield Row(subject, pair, tolerance, skipped=missing)
            continue
        for tolerance, value in _measured(graph, schedule, outputs[one.name], outputs[other.name], inputs):
            yield Row(subject, pair, tolerance, value, 1)


def _tolerances(graph: str, schedule: str) -> tuple[Tolerance, ...]:
    return {
        "encode_image": (FEATURES,),
        "warp_coarse": (*WARP[schedule][:1], LABELS),
        "warp_fine": (*WARP[schedule], OUTSIDE),
        "refine": (PICTURE, OUTSIDE),
        "segment": (LABELS, CONFIDENCE, SEEN),
        "complete": (LABELS, CONFIDENCE),
    }[graph]


def _measured(
    graph: str, schedule: str, one: Mapping[str, Array], other: Mapping[str, Array], inputs: Mapping[str, Array]
) -> Measured:
    if graph == "encode_image":
        yield FEATURES, max(_largest(one[name], other[name]) for name in one)
    elif graph in ("segment", "complete"):
        yield LABELS, float((one["labels"] != other["labels"]).mean())
        yield CONFIDENCE, float(np.abs(one["confidence"] - other["confidence"]).mean())
        if graph == "segment":
            yield SEEN, _largest(one["features"], other["features"]) / max(1e-6, float(one["features"].max()))
    elif graph == "refine":
        yield PICTURE, max(_largest(one[name], other[name]) for name in one)
        yield OUTSIDE, float(_changed(one["refined"], inputs) + _changed(other["refined"], inputs))
    elif graph == "warp_coarse":
        yield WARP[schedule][0], _psnr(one["estimate"], other["estimate"], inputs["mask"][:, ::4, ::4])
        yield LABELS, float((one["filled"] != other["filled"]).mean())
    else:
        quality, score = WARP[schedule]
        yield quality, _psnr(one["warped"], other["warped"], inputs["mask"])
        means = [_inside(found["confidence"], inputs["mask"]).mean() for found in (one, other)]
        yield score, float(abs(means[0] - means[1]))
        yield OUTSIDE, float(_changed(one["warped"], inputs) + _changed(other["warped"], inputs))


def _largest(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("nan")


def _inside(picture: Array, mask: Array) -> Array:
    """The values of a picture (B, C, H, W) where the mask (B, H, W) holds: (n, C)."""
    values: Array = picture.transpose(0, 2, 3, 1)[mask]
    return values


def _changed(picture: Array, inputs: Mapping[str, Array]) -> int:
    """How many values differ from the photo outside the mask."""
    return int((_inside(picture, ~inputs["mask"]) != _inside(inputs["picture"], ~inputs["mask"])).sum())


def _psnr(one: Array, other: Array, mask: Array) -> float:
    """In dB, of pictures in [0, 1], inside the mask; at most 120."""
    error = float(np.square(_inside(one, mask).astype(np.float64) - _inside(other, mask)).mean())
    return 120.0 if error <= 1e-12 else -10.0 * float(np.log10(error))

"""KeyIndexSampling in standard operators: schedule `jump_flood`, bit for bit that of the contract.

Only queries inside `query_mask` are worked on, so the time goes with their number: A of them, as rows of every
tensor. A candidate is one int64, `score << 32 | (2^32 - 1 - packed coordinate)`, whose order is the contract's
total order; equal coordinates make equal numbers, so sorting also finds the doubles. Features stay float32 after
quantisation: sums of at most 128 products of at most 127^2 are exact in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import FunctionProto

from layoutbrush.export.functions.tracer import DOUBLE, FLOAT, INT32, INT64, Trace, Value
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING

_LOW_HALF = 0xFFFFFFFF
_FILLER_INTEGER = -(2**31)
_RANDOM = KEY_INDEX_SAMPLING.random
# the first four neighbours are always the nearest; the others are the diagonals (stride 1) or those a stride away
_CROSS = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]], np.int64)
_DIAGONALS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.int64)


@dataclass(frozen=True)
class _Grids:
    """Sizes (int64 scalars) and what is known of the A active queries and of all keys before the search."""

    height: Value
    width: Value
    key_height: Value
    key_width: Value
    row: Value  # (A,) of the query in its image
    column: Value  # (A,)
    query: Value  # (A,) row * width + column
    flat: Value  # (A,) the query's row in tensors over the whole batch
    first_key: Value  # (A, 1) the first row of the query's image in tensors over all keys
    filler: Value  # (A, 1) what stands in an empty slot
    labels: Value  # (A, 1)
    features: Value  # (A, C) quantised
    key_labels: Value  # (B Hk Wk,)
    key_mask: Value  # (B Hk Wk,)
    key_features: Value  # (B Hk Wk, C) quantised


@dataclass(frozen=True)
class _Coordinates:
    rows: Value
    columns: Value

    def packed(self) -> Value:
        return self.rows * 65536 + self.columns


def key_index_sampling_function() -> FunctionProto:
    """The body. All eight inputs are needed: masks of True, an `init` with no keys (last axis 0) and a seed stand for
    absent ones. A node with schedule `fast` gets the same body."""
    trace = Trace()
    inputs = {port.name: trace.input(port.name) for port in KEY_INDEX_SAMPLING.inputs}
    particles, samples = trace.attribute("particles", "int"), trace.attribute("samples", "int")
    windows, strides = trace.attribute("windows", "ints"), trace.attribute("strides", "ints")
    propagations, keep = trace.attribute("propagations", "int"), trace.attribute("keep", "int")
    scale = trace.attribute("scale", "float")
    square = scale.cast(DOUBLE) * scale.cast(DOUBLE)
    penalty = trace.op("Round", trace.attribute("label_penalty", "float").cast(DOUBLE) * square).cast(INT64)
    unit = (trace.constant(np.array(1.0)) / square).cast(FLOAT)
    ignore = trace.attribute("ignore_label", "int")

    grids, fillers = _grids(trace, inputs, scale)
    search = _Search(trace, grids, particles, penalty, ignore, inputs["seed"])
    first = trace.op("ScatterND", fillers, grids.flat.expand_dims(1), search.start(inputs["init"]))
    kept = trace.op("Expand", first.expand_dims(0), trace.concat(_one(keep), trace.op("Shape", first), axis=0))

    def one_pass(number: Value, carried: list[Value]) -> tuple[list[Value], list[Value]]:
        state, kept = carried
        iteration, turn = number / propagations + 1, number % propagations
        window = windows.gather(iteration)
        draws = samples * turn.equals(0).both(window > 0).cast(INT64)
        stride = strides.gather(iteration * propagations + turn)
        best = search.improve(state, iteration, window, draws, stride)
        state = trace.op("ScatterND", state, grids.flat.expand_dims(1), best)
        # after the last pass of an iteration the oldest kept state leaves and this one enters
        entering = turn.equals(propagations - 1).cast(INT64).expand_dims(0)
        stays = trace.op("Slice", kept, entering, np.array([2**31 - 1]), np.array([0]))
        enters = trace.op("Slice", state.expand_dims(0), np.array([0]), entering, np.array([0]))
        return [state, trace.concat(stays, enters, axis=0)], []

    passes = (trace.scalar(windows.size(0)) - 1) * propagations
    _, kept = trace.loop(passes, [(first, INT64), (kept, INT64)], one_pass)
    keys, scores = _outputs(trace, inputs, kept, unit)
    return trace.function(KEY_INDEX_SAMPLING, {"keys": keys, "scores": scores})


class _Search:
    """The steps of the algorithm on the active queries."""

    def __init__(
        self, trace: Trace, grids: _Grids, particles: Value, penalty: Value, ignore: Value, seed: Value
    ) -> None:
        self.trace, self.grids, self.particles = trace, grids, particles
        self.penalty = grids.labels.equals(ignore).negated().cast(INT64) * penalty  # (A, 1)
        self.seed = _mix((trace.scalar(seed.cast(INT64)) & _LOW_HALF) ^ _RANDOM["seed_salt"])

    def start(self, init: Value) -> Value:
        """Iteration 0: the given keys and uniform draws -> (A, M) ranked."""
        trace, grids = self.trace, self.grids
        queries = trace.op("ReduceProd", trace.op("Shape", init, start=0, end=3))
        given = init.cast(INT64).reshape(queries, init.size(3)).gather(grids.flat)  # (A, L)
        column = given % 65536
        row = (given - column) / 65536
        draws = trace.range(self.particles)
        random = self._random(trace.constant(np.array(0)), draws)
        candidates = _Coordinates(
            trace.concat(row, _below(random.rows, grids.key_height), axis=1),
            trace.concat(column, _below(random.columns, grids.key_width), axis=1),
        )
        nothing = trace.op("Expand", grids.filler, trace.concat(grids.query.size(0), _one(self.particles), axis=0))
        everywhere = trace.op("Expand", np.array(True), trace.op("Shape", candidates.rows))
        return self._best(nothing, candidates, everywhere)

    def improve(self, state: Value, iteration: Value, window: Value, draws: Value, stride: Value) -> Value:
        """One pass: `draws` samples around the particles, and the neighbours' particles, moved -> (A, M) ranked."""
        trace, grids = self.trace, self.grids
        own = state.gather(grids.flat)  # (A, M)
        centres = _coordinates(own)
        draw = trace.range(draws)
        random, span = self._random(iteration, draw), window * 2 + 1
        particle = draw % self.particles
        sampled = _Coordinates(
            centres.rows.gather(particle, axis=1) + _below(random.rows, span) - window,
            centres.columns.gather(particle, axis=1) + _below(random.columns, span) - window,
        )
        moved, valid = self._propagated(state, stride)
        candidates = _Coordinates(
            trace.concat(sampled.rows, moved.rows, axis=1), trace.concat(sampled.columns, moved.columns, axis=1)
        )
        drawn = trace.op("Expand", np.array(True), trace.op("Shape", sampled.rows))
        return self._best(own, candidates, trace.concat(drawn, valid, axis=1))

    def _propagated(self, state: Value, stride: Value) -> tuple[_Coordinates, Value]:
        """Particles of the 8 neighbours, moved by their offsets: (A, 8 M) each, and whether there is one."""
        trace, grids = self.trace, self.grids
        cross = trace.constant(_CROSS)
        outer = stride.equals(1).where(_DIAGONALS, cross * stride)
        offsets = trace.concat(cross, outer, axis=0)  # (8, 2)
        dy, dx = offsets.gather(np.int64(0), axis=1), offsets.gather(np.int64(1), axis=1)  # (8,)
        row, column = grids.row.expand_dims(1) + dy, grids.column.expand_dims(1) + dx  # (A, 8)
        inside = (row >= 0).both(row < grids.height).both(column >= 0).both(column < grids.width)
        step = inside.where(dy * grids.width + dx, np.int64(0))
        near = state.gather(grids.flat.expand_dims(1) + step)  # (A, 8, M)
        there = _coordinates(near)
        valid = (near >= np.int64((_FILLER_INTEGER + 1) << 32)).both(inside.expand_dims(2))
        flat = (grids.query.size(0), _one(self.particles * 8))
        rows, columns = there.rows - dy.expand_dims(1), there.columns - dx.expand_dims(1)
        return _Coordinates(rows.reshape(*flat), columns.reshape(*flat)), valid.reshape(*flat)

    def _best(self, own: Value, candidates: _Coordinates, valid: Value) -> Value:
        """The M best, in order, of the ranked `own` (A, M) and of the candidates (A, T), each coordinate once."""
        trace, grids = self.trace, self.grids
        rows = candidates.rows.clamp(np.int64(0), grids.key_height - 1)
        columns = candidates.columns.clamp(np.int64(0), grids.key_width - 1)
        index = rows * grids.key_width + columns + grids.first_key  # (A, T)
        differs = grids.key_labels.gather(index).equals(grids.labels).negated().cast(INT64)
        score = self._dots(index) - differs * self.penalty
        usable = grids.key_mask.gather(index).both(valid)
        ranked = usable.where(_rank(score, _Coordinates(rows, columns).packed()), grids.filler)
        everything = trace.concat(own, ranked, axis=1)
        ordered, _ = trace.op2("TopK", everything, everything.size(1), axis=1)
        before = trace.op("Slice", ordered, np.array([0]), np.array([-1]), np.array([1]))
        after = trace.op("Slice", ordered, np.array([1]), np.array([2**31 - 1]), np.array([1]))
        single = after.equals(before).where(grids.filler, after)
        first = trace.op("Slice", ordered, np.array([0]), np.array([1]), np.array([1]))
        best, _ = trace.op2("TopK", trace.concat(first, single, axis=1), _one(self.particles), axis=1)
        return best

    def _dots(self, index: Value) -> Value:
        """Integer dot products of each query with T keys (A, T) -> int64 (A, T); one key of each query at a time."""
        trace, grids = self.trace, self.grids
        slots = index.transpose(1, 0)

        def one(number: Value, _: list[Value]) -> tuple[list[Value], list[Value]]:
            keys = grids.key_features.gather(slots.gather(number))  # (A, C)
            return [], [trace.op("ReduceSum", grids.features * keys, np.array([1]), keepdims=0)]

        (dots,) = trace.loop(trace.scalar(slots.size(0)), [], one, scans=[FLOAT])
        return dots.transpose(1, 0).cast(INT64)

    def _random(self, iteration: Value, draws: Value) -> _Coordinates:
        """Two 32-bit random numbers a query and draw, (A, draws): for rows the odd draws, for columns the even."""
        stream = _mix(self.seed ^ ((iteration * _RANDOM["iteration_salt"]) & _LOW_HALF))
        random = _mix(stream ^ self.grids.query).expand_dims(1)
        return _Coordinates(_mix(random ^ (draws * 2 + 1)), _mix(random ^ (draws * 2)))


def _grids(trace: Trace, inputs: dict[str, Value], scale: Value) -> tuple[_Grids, Value]:
    """What the search needs to know, and the state (B H W, M) of fillers that it starts from."""
    query, key = inputs["query"], inputs["key"]
    height, width = trace.scalar(query.size(1)), trace.scalar(query.size(2))
    key_height, key_width = trace.scalar(key.size(1)), trace.scalar(key.size(2))
    active = trace.op("NonZero", inputs["query_mask"])  # (3, A)
    image, row, column = (active.gather(np.int64(axis)) for axis in range(3))
    position = row * width + column
    flat = image * (height * width) + position
    own = _own(trace, query, key)  # (H, W)
    filler = _rank(trace.constant(np.array(_FILLER_INTEGER)), own)
    everywhere = trace.concat(query.size(0), query.size(1), query.size(2), axis=0)
    fillers = trace.op("Expand", filler, everywhere).reshape(-1, 1)
    fillers = trace.op("Tile", fillers, trace.concat(trace.shape(1), _one(trace.attribute("particles", "int")), axis=0))
    grids = _Grids(
        height=height,
        width=width,
        key_height=key_height,
        key_width=key_width,
        row=row,
        column=column,
        query=position,
        flat=flat,
        first_key=(image * (key_height * key_width)).expand_dims(1),
        filler=filler.reshape(-1).gather(position).expand_dims(1),
        labels=inputs["query_labels"].cast(INT64).reshape(-1).gather(flat).expand_dims(1),
        features=_quantised(trace, _rows(trace, query).gather(flat), scale),
        key_labels=inputs["key_labels"].cast(INT64).reshape(-1),
        key_mask=inputs["key_mask"].reshape(-1),
        key_features=_quantised(trace, _rows(trace, key), scale),
    )
    return grids, fillers


def _outputs(trace: Trace, inputs: dict[str, Value], kept: Value, unit: Value) -> tuple[Value, Value]:
    """Ranked (K, B H W, M) -> keys and scores (B, K, H, W, M), queries outside the mask filled in."""
    query, key = inputs["query"], inputs["key"]
    sizes = [kept.size(0), *(query.size(axis) for axis in range(3)), kept.size(2)]
    shaped = kept.reshape(*sizes).transpose(1, 0, 2, 3, 4)
    coordinates = _coordinates(shaped).packed()
    integer = _score(shaped)
    scores = integer.equals(_FILLER_INTEGER).where(
        np.float32(KEY_INDEX_SAMPLING.filler["score"]), integer.cast(FLOAT) * unit
    )
    wanted = inputs["query_mask"].expand_dims(1, 4)  # (B, 1, H, W, 1)
    own = _own(trace, query, key).expand_dims(0, 1, 4)  # (1, 1, H, W, 1)
    return wanted.where(coordinates, own).cast(INT32), wanted.where(scores, np.float32(0))


def _own(trace: Trace, query: Value, key: Value) -> Value:
    """Packed own coordinates (H, W) of the queries, clamped into the key grid."""
    rows = trace.op("Min", trace.range(query.size(1)), trace.scalar(key.size(1)) - 1).expand_dims(1)
    columns = trace.op("Min", trace.range(query.size(2)), trace.scalar(key.size(2)) - 1)
    return _Coordinates(rows, columns).packed()


def _rows(trace: Trace, features: Value) -> Value:
    """(B, h, w, C) -> (B h w, C)."""
    return features.reshape(-1, features.size(3))


def _quantised(trace: Trace, features: Value, scale: Value) -> Value:
    """round_half_even(v * scale) in [-127, 127], NaN -> 0; as float32."""
    scaled = trace.op("IsNaN", features).where(np.float32(0), features) * scale
    return trace.op("Round", scaled.clamp(-127.0, 127.0))


def _rank(score: Value, packed: Value) -> Value:
    return score * 2**32 + (_constant(score, _LOW_HALF) - packed)


def _coordinates(ranked: Value) -> _Coordinates:
    packed = _constant(ranked, _LOW_HALF) - (ranked & _LOW_HALF)
    return _Coordinates(packed / 65536, packed % 65536)


def _score(ranked: Value) -> Value:
    return (ranked - (ranked & _LOW_HALF)) / 2**32


def _mix(number: Value) -> Value:
    """The contract's 32-bit mixing function on int64 values of 0 .. 2^32 - 1."""
    for shift, multiplier in zip(_RANDOM["shifts"], _RANDOM["multipliers"], strict=True):
        number = ((number ^ (number / 2**shift)) * multiplier) & _LOW_HALF
    return number ^ (number / 2 ** _RANDOM["last_shift"])


def _below(random: Value, count: Value) -> Value:
    """A number of 0 .. count - 1 from 32 random bits."""
    return (random * count) / 2**32


def _constant(near: Value, number: int) -> Value:
    """An int64 scalar in the trace of `near`."""
    return near.trace.constant(np.array(number, np.int64))


def _one(value: Value) -> Value:
    """A scalar as a tensor of shape (1,)."""
    return value.reshape(1)

"""SparseAttentionWarp in standard operators: one vote of every query at a time, so that memory stays flat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import FunctionProto

from layoutbrush.export.functions.tracer import FLOAT, INT64, Trace, Value
from layoutbrush.runtime.ops.contract import SPARSE_ATTENTION_WARP

_VALID_ABOVE = SPARSE_ATTENTION_WARP.filler["valid_above"]
_LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class _Offset:
    """The offset d of one turn: its parts (int64 scalars), whether it is 0, and how to read (B, H, W) at p + d."""

    dy: Value
    dx: Value
    own: Value  # bool scalar
    rows: Value  # (H,) clamped
    columns: Value  # (W,) clamped
    inside: Value  # (H, W) bool

    def read(self, plane: Value) -> Value:
        return plane.gather(self.rows, axis=1).gather(self.columns, axis=2)


def sparse_attention_warp_function() -> FunctionProto:
    """The body. All four inputs are needed: a mask of True stands for an absent one."""
    trace = Trace()
    values, keys, scores, mask = (trace.input(port.name) for port in SPARSE_ATTENTION_WARP.inputs)
    gamma, reach = trace.attribute("gamma", "float"), trace.attribute("reach", "int")
    slots = keys.size(1) * keys.size(4)
    grid = (keys.size(0), keys.size(2), keys.size(3))
    keys = keys.transpose(1, 4, 0, 2, 3).reshape(slots, *grid).cast(INT64)  # (T, B, H, W)
    scores = scores.transpose(1, 4, 0, 2, 3).reshape(slots, *grid)
    span = reach * 2 + 1

    def offset(turn: Value) -> _Offset:
        dy, dx = turn / span - reach, turn % span - reach
        rows, columns = trace.range(grid[1]) + dy, trace.range(grid[2]) + dx
        last_row, last_column = trace.scalar(grid[1]) - 1, trace.scalar(grid[2]) - 1
        inside = (rows >= 0).both(rows < last_row + 1).expand_dims(1)
        inside = inside.both((columns >= 0).both(columns < last_column + 1))
        own = dy.equals(0).both(dx.equals(0))
        return _Offset(dy, dx, own, rows.clamp(np.int64(0), last_row), columns.clamp(np.int64(0), last_column), inside)

    def may_vote(at: _Offset) -> Value:
        """(B, H, W): a query's own keys always, another's if both lie inside the grid and the mask."""
        return at.own.either(at.inside.both(mask).both(at.read(mask)))

    best = trace.op("ReduceMax", (scores > _VALID_ABOVE).where(scores, _LOWEST), np.array([0]), keepdims=0)

    def raise_top(turn: Value, carried: list[Value]) -> tuple[list[Value], list[Value]]:
        at = offset(turn)
        return [trace.op("Max", carried[0], may_vote(at).where(at.read(best), _LOWEST))], []

    lowest = trace.op("Expand", np.float32(_LOWEST), trace.concat(*grid, axis=0))
    (top,) = trace.loop(span * span, [(lowest, FLOAT)], raise_top)
    alone = top.equals(_LOWEST)  # nothing votes for this query: its own keys, all alike

    table = values.reshape(-1, values.size(3))
    key_height, key_width = trace.scalar(values.size(1)), trace.scalar(values.size(2))
    first = (trace.range(values.size(0)) * (key_height * key_width)).reshape(-1, 1, 1)  # (B, 1, 1)
    count = trace.scalar(slots)

    def vote(number: Value, carried: list[Value]) -> tuple[list[Value], list[Value]]:
        total, weights = carried
        at, slot = offset(number / count), number % count
        packed, score = at.read(keys.gather(slot)), at.read(scores.gather(slot))
        valid = (score > _VALID_ABOVE).both(may_vote(at))
        weight = valid.where(trace.op("Exp", (score - top) * gamma), alone.both(at.own).cast(FLOAT))
        column = packed % 65536
        rows = ((packed - column) / 65536 - at.dy).clamp(np.int64(0), key_height - 1)
        columns = (column - at.dx).clamp(np.int64(0), key_width - 1)
        picked = table.gather(rows * key_width + columns + first)  # (B, H, W, V)
        return [total + picked * weight.expand_dims(3), weights + weight], []

    zero = trace.op("Expand", np.float32(0), trace.concat(*grid, axis=0))
    nothing = trace.op("Expand", np.float32(0), trace.concat(*grid, values.size(3), axis=0))
    total, weights = trace.loop(span * span * count, [(nothing, FLOAT), (zero, FLOAT)], vote)
    warped = total / weights.expand_dims(3)
    return trace.function(SPARSE_ATTENTION_WARP, {"warped": warped})

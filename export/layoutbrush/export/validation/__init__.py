"""Comparison of every way to run the ops and the graphs, against one table of tolerances."""

from __future__ import annotations

from layoutbrush.export.validation.graph_rows import graph_rows
from layoutbrush.export.validation.node_rows import node_rows
from layoutbrush.export.validation.op_rows import op_rows
from layoutbrush.export.validation.rows import Row
from layoutbrush.export.validation.tensorrt_rows import tensorrt_backend, tensorrt_rows

__all__ = ["Row", "graph_rows", "node_rows", "op_rows", "tensorrt_backend", "tensorrt_rows"]

"""The training loop and the protocol between it and the stages."""

from __future__ import annotations

from layoutbrush.training.trainer.stage import (
    Batch,
    Context,
    DataOptions,
    Optimization,
    Report,
    Stage,
    constant_rate,
    warm_then_linear,
)

__all__ = [
    "Batch",
    "Context",
    "DataOptions",
    "Optimization",
    "Report",
    "Stage",
    "constant_rate",
    "warm_then_linear",
]

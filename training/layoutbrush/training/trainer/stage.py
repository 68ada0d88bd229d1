"""The border between the training loop and what it trains.

The loop (:mod:`layoutbrush.training.trainer.loop`) knows nothing of networks, losses or data. It knows a
:class:`Stage`: named modules, named optimizations, a batch for every step and one training step. How to write one::

    class Warp:                                       # no base class needed: Stage is a Protocol
        name = "warp"

        def __init__(self, settings, data):
            self.modules = {"warp": WarpNetwork(...)}  # saved, averaged, wrapped by Fabric
            self.frozen = {"features": SqueezeNet()}   # moved to the device, neither trained nor saved
            self.averaged = frozenset({"warp"})        # kept as an exponential moving average too

        def optimizations(self):
            adam = torch.optim.Adam(self.modules["warp"].parameters(), 4e-4, betas=(0.5, 0.99))
            return {"warp": Optimization(adam, rate=warm_then_linear(100, 0.1), clip=5.0)}

        def batch(self, step, rank): ...               # CPU tensors, a pure function of (seed, step, rank)

        def train_step(self, batch, context):
            warped = context.modules["warp"](batch["image"], ...)
            loss = ...
            context.backward(loss)
            context.update("warp")                     # clip, rate, optimizer step, zero gradients
            return {"l1": loss}

        def evaluate(self, modules): ...               # modules: the averaged ones; called without gradients
        def describe(self): return asdict(self.settings)

A stage module offers ``Settings`` (a frozen dataclass, every field with a default) and
``build(settings: Settings, data: DataOptions) -> Stage``, and is listed in ``layoutbrush.training.stages.STAGES``.

Because a batch and the random numbers of a step depend on nothing but (seed, step, rank), resuming needs no reader
position and no generator state beyond the step number: the loop seeds torch anew at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class DataOptions:
    """What every stage is told about its data.

    ``folder``: the data set or cache; ``batch``: examples a step and process; ``size``: side of the square crops in
    pixels, a multiple of 16; ``seed``: of everything random; ``initial``: weight files by module name to start from;
    ``weights``: folder of the perceptual network's weights.
    """

    folder: Path
    batch: int = 8
    size: int = 256
    seed: int = 0
    initial: Mapping[str, Path] = field(default_factory=dict)
    weights: Path | None = None


def constant_rate(progress: float, step: int) -> float:
    """Factor 1 on the optimizer's own rate, always."""
    return 1.0


def warm_then_linear(warm: int, end: float) -> Callable[[float, int], float]:
    """Rise linearly over ``warm`` steps, then fall linearly with progress to the factor ``end``."""

    def rate(progress: float, step: int) -> float:
        return min(1.0, (step + 1) / max(1, warm)) * (1.0 - (1.0 - end) * progress)

    return rate


@dataclass(frozen=True)
class Optimization:
    """An optimizer with its rate schedule and gradient clipping.

    ``rate(progress, step)`` multiplies each group's initial rate; ``clip`` bounds the gradient's norm (0: never).
    """

    optimizer: torch.optim.Optimizer
    rate: Callable[[float, int], float] = constant_rate
    clip: float = 0.0


class Context(Protocol):
    """What the loop lends to a training step."""

    step: int
    """Number of this step, from 0."""
    progress: float
    """Share of the run that is done, 0..1 (time with ``--minutes``, else steps)."""
    device: torch.device
    modules: Mapping[str, nn.Module]
    """The stage's modules as wrapped by Fabric: call these, not the stage's own, so that they run in its precision."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Precision of the run for code outside a wrapped module (loss networks)."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of a scalar loss."""
        ...

    def update(self, name: str) -> float:
        """Share gradients among the processes, clip, step and zero the named optimization; returns the gradient's norm
        before clipping.

        A norm that is not finite skips the step (the gradients are dropped) and returns as it is.
        """
        ...

    def frozen(self, name: str) -> AbstractContextManager[None]:
        """Inside, the named module's parameters take no gradients (discriminator in the generator's step)."""
        ...


@dataclass(frozen=True)
class Report:
    """An evaluation: figures, the one to choose checkpoints by (lower is better), pictures.

    ``pictures``: (H, W, 3) uint8 contact sheets by name.
    """

    scalars: Mapping[str, float]
    score: float
    pictures: Mapping[str, np.ndarray[Any, np.dtype[np.uint8]]] = field(default_factory=dict)


class Stage(Protocol):
    """One thing to train; see the module's docstring."""

    @property
    def name(self) -> str: ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Trained modules by name. Saved as ``<name>.safetensors``."""
        ...

    @property
    def frozen(self) -> Mapping[str, nn.Module]:
        """Modules used but never trained."""
        ...

    @property
    def averaged(self) -> frozenset[str]:
        """Names of modules that are evaluated and shipped as moving averages."""
        ...

    def optimizations(self) -> Mapping[str, Optimization]:
        """Built once, after the modules are on their device."""
        ...

    def batch(self, step: int, rank: int) -> Batch:
        """CPU tensors for a step. Pure in (step, rank) and thread safe: called ahead of time from another thread."""
        ...

    def train_step(self, batch: Batch, context: Context) -> Mapping[str, Tensor | float]:
        """One step: forward, ``context.backward``, ``context.update``. Returns the scalars to log."""
        ...

    def evaluate(self, modules: Mapping[str, nn.Module]) -> Report:
        """Figures and pictures on held-out data, without gradients, modules in eval mode."""
        ...

    def describe(self) -> Mapping[str, object]:
        """JSON-able settings, stored with every checkpoint."""
        ...

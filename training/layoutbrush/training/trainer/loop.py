"""The training loop: time or steps, averages, checkpoints, evaluation, progress. It knows nothing of the model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from layoutbrush.training.trainer.averaging import make_average, update_average
from layoutbrush.training.trainer.checkpoint import CheckpointFolder, Position, Training
from layoutbrush.training.trainer.record import Record
from layoutbrush.training.trainer.stage import Batch, Optimization, Report, Stage


@dataclass(frozen=True)
class LoopSettings:
    """How long and how to train.

    ``minutes`` of training in all, resumed runs included, or ``steps`` in all (whichever ends first; 0: no bound, one
    must be given). ``precision``: Fabric's name. ``decay`` of the moving averages. ``save_minutes``: between
    checkpoints without evaluation; ``evaluate_every``: steps, 0 for ``evaluations`` times spread evenly over the run.
    """

    folder: Path
    minutes: float = 0.0
    steps: int = 0
    seed: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    decay: float = 0.995
    log_every: int = 20
    save_minutes: float = 5.0
    evaluations: int = 10
    evaluate_every: int = 0
    ahead: int = 2
    tensorboard: bool = True


class LoopError(ValueError):
    """The loop's settings contradict each other."""


class Lent:
    """The :class:`~layoutbrush.training.trainer.stage.Context` of this loop."""

    def __init__(
        self, fabric: Any, modules: Mapping[str, nn.Module], optimizations: Mapping[str, Optimization]
    ) -> None:
        self.step = 0
        self.progress = 0.0
        self.device: torch.device = fabric.device
        self.modules = modules
        self._fabric = fabric
        self._optimizations = optimizations
        self._base = {
            name: [float(group.setdefault("initial_lr", group["lr"])) for group in entry.optimizer.param_groups]
            for name, entry in optimizations.items()
        }

    def autocast(self) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = self._fabric.autocast()
        return context

    def backward(self, loss: Tensor) -> None:
        self._fabric.backward(loss)

    def update(self, name: str) -> float:
        entry = self._optimizations[name]
        optimizer = entry.optimizer
        factor = entry.rate(self.progress, self.step)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        bound = entry.clip if entry.clip > 0 else math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, bound))
        for group, base in zip(optimizer.param_groups, self._base[name], strict=True):
            group["lr"] = base * factor
        if math.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        parameters = [p for p in self.modules[name].parameters() if p.requires_grad]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)


class Batches:
    """Batches of consecutive steps, the next few made ahead in a thread."""

    def __init__(self, stage: Stage, first: int, rank: int, ahead: int) -> None:
        self._stage, self._next, self._rank = stage, first, rank
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")
        self._waiting: list[Future[Batch]] = []
        for _ in range(max(1, ahead)):
            self._submit()

    def _submit(self) -> None:
        self._waiting.append(self._pool.submit(self._stage.batch, self._next, self._rank))
        self._next += 1

    def take(self) -> Batch:
        batch = self._waiting.pop(0).result()
        self._submit()
        return batch

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def seed_of_step(seed: int, step: int, rank: int) -> int:
    """Seed of torch's generator in one step of one process: the whole random state of a run."""
    return (seed * 1_000_003 + step) * 1_009 + rank


def train(stage: Stage, settings: LoopSettings, facts: Mapping[str, object] | None = None) -> Position:
    """Train ``stage`` until its minutes or steps are used up, resuming from the folder's last checkpoint.

    ``facts`` go into the run's config.json. Returns where the run stands. Raises LoopError, CheckpointError.
    On KeyboardInterrupt the run is saved before the exception passes on.
    """
    if settings.minutes <= 0 and settings.steps <= 0:
        raise LoopError("give minutes or steps")
    precision: Any = settings.precision  # Fabric itself refuses a name that it doesn't know
    # A step may leave parts of a module alone, e.g. while only the coarse picture is trained.
    strategy = "ddp_find_unused_parameters_true" if settings.devices > 1 else "auto"
    fabric: Any = Fabric(
        accelerator=settings.accelerator, devices=settings.devices, precision=precision, strategy=strategy
    )
    fabric.launch()
    run = _Run(stage, settings, fabric, dict(facts or {}))
    try:
        return run.train()
    finally:
        run.close()


class _Run:
    def __init__(self, stage: Stage, settings: LoopSettings, fabric: Any, facts: dict[str, object]) -> None:
        self.stage, self.settings, self.fabric = stage, settings, fabric
        for module in (*stage.modules.values(), *stage.frozen.values()):
            module.to(fabric.device)
        for module in stage.frozen.values():
            module.eval().requires_grad_(False)
        optimizations = stage.optimizations()
        averages = {name: make_average(stage.modules[name]) for name in sorted(stage.averaged)}
        optimizers = {name: entry.optimizer for name, entry in optimizations.items()}
        self.training = Training(dict(stage.modules), averages, optimizers)
        self.checkpoints = CheckpointFolder(settings.folder / "checkpoints")
        first = bool(fabric.is_global_zero)
        config = {"stage": stage.name, "loop": asdict(settings), "settings": dict(stage.describe()), **facts}
        self.record = Record(settings.folder, config, writes=first, tensorboard=settings.tensorboard)
        self.context = Lent(fabric, {}, optimizations)
        self.position = self.checkpoints.resume(self.training, stage.name)
        self.context.modules = {name: fabric.setup_module(module) for name, module in stage.modules.items()}
        for module in stage.modules.values():
            module.train()
        self.batches = Batches(stage, self.position.step, int(fabric.global_rank), settings.ahead)

    def train(self) -> Position:
        settings, evaluated, saved = self.settings, self.position.step, time.monotonic()
        due = self._next_evaluation()
        logged, last_log = self.position.step, self.position.elapsed
        try:
            while not self._ended():
                self._step()
                step, elapsed = self.position.step, self.position.elapsed
                if step - logged >= settings.log_every:
                    self.record.flush(step, self._progress(), (elapsed - last_log) / (step - logged))
                    logged, last_log = step, elapsed
                if self._evaluation_is_due(due):
                    self._evaluate()
                    evaluated, due, saved = step, self._next_evaluation(), time.monotonic()
                elif time.monotonic() - saved > settings.save_minutes * 60:
                    self._save(best=False)
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self._save(best=False)
            raise
        if self.position.step > evaluated:
            self._evaluate()
        return self.position

    def close(self) -> None:
        self.batches.close()
        self.record.close()

    def _progress(self) -> float:
        shares = [0.0]
        if self.settings.minutes > 0:
            shares.append(self.position.elapsed / (60 * self.settings.minutes))
        if self.settings.steps > 0:
            shares.append(self.position.step / self.settings.steps)
        return min(1.0, max(shares))

    def _ended(self) -> bool:
        return bool(self.fabric.broadcast(self._progress() >= 1.0))

    def _next_evaluation(self) -> float:
        if self.settings.evaluate_every > 0:
            return float(self.position.step + self.settings.evaluate_every)
        return (math.floor(self._progress() * self.settings.evaluations + 1e-9) + 1) / self.settings.evaluations

    def _evaluation_is_due(self, due: float) -> bool:
        now = self.position.step if self.settings.evaluate_every > 0 else self._progress()
        return bool(self.fabric.broadcast(now >= due))

    def _step(self) -> None:
        start = time.monotonic()
        step, rank = self.position.step, int(self.fabric.global_rank)
        batch = {name: value.to(self.fabric.device) for name, value in self.batches.take().items()}
        torch.manual_seed(seed_of_step(self.settings.seed, step, rank))
        self.context.step, self.context.progress = step, float(self.fabric.broadcast(self._progress()))
        scalars = self.stage.train_step(batch, self.context)
        for name, average in self.training.averages.items():
            update_average(average, self.training.modules[name], self.settings.decay, step)
        self.record.add({name: float(value) for name, value in scalars.items()})
        elapsed = self.position.elapsed + time.monotonic() - start
        self.position = replace(self.position, step=step + 1, elapsed=elapsed)

    def _evaluate(self) -> None:
        shipped = self.training.shipped()
        for module in shipped.values():
            module.eval()
        with torch.no_grad():
            report: Report = self.stage.evaluate(shipped)
        for module in self.training.modules.values():
            module.train()
        better = report.score < self.position.best
        if better:
            self.position = replace(self.position, best=report.score)
        self.record.report(self.position.step, report)
        self._save(best=better)

    def _save(self, *, best: bool) -> None:
        if self.fabric.is_global_zero:
            facts = {"stage": self.stage.name, "seed": self.settings.seed, "settings": dict(self.stage.describe())}
            self.checkpoints.save(self.training, self.position, facts, best=best)
        self.fabric.barrier()

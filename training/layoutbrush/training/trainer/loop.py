"""The training loop: time or steps, averages, checkpoints, evaluation, progress. It knows nothing of the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from layoutbrush.training.trainer.averaging import make_average, update_average
from layoutbrush.training.trainer.checkpoint import CheckpointFolder, Position, Training
from layoutbrush.training.trainer.record import Record
from layoutbrush.training.trainer.sharing import share_gradients
from layoutbrush.training.trainer.stage import Batch, Optimization, Report, Stage


@dataclass(frozen=True)
class LoopSettings:
    """How long and how to train.

    ``minutes`` of training in all, resumed runs included, or ``steps`` in all (whichever ends first; 0: no bound, one
    must be given). ``clock``: what minutes are: "wall", or "cpu", the processor time of this process, by which methods
    are compared on a busy machine. ``precision``: Fabric's name. ``decay`` of the moving averages. ``save_minutes``:
    between checkpoints without evaluation; ``evaluate_every``: steps, 0 for ``evaluations`` times spread evenly over
    the run; ``devices``: processes, one a device; ``workers``: threads that make batches, ``ahead`` of time.
    """

    folder: Path
    minutes: float = 0.0
    steps: int = 0
    clock: Literal["wall", "cpu"] = "wall"
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
    workers: int = 1
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
        every = [p for group in optimizer.param_groups for p in group["params"]]
        share_gradients(self._fabric, every)
        parameters = [p for p in every if p.grad is not None]
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
    """Batches of consecutive steps in their order, the next few made ahead by ``workers`` threads.

    As a batch depends on nothing but its step and the process's rank, the number of threads changes none of them.
    """

    def __init__(self, stage: Stage, first: int, rank: int, ahead: int, workers: int = 1, pinned: bool = False) -> None:
        self._stage, self._next, self._rank, self._pinned = stage, first, rank, pinned
        self._pool = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="batch")
        self._waiting: list[Future[Batch]] = []
        for _ in range(max(1, ahead, workers)):
            self._submit()

    def _submit(self) -> None:
        self._waiting.append(self._pool.submit(self._make, self._next))
        self._next += 1

    def _make(self, step: int) -> Batch:
        batch = self._stage.batch(step, self._rank)
        return {name: value.pin_memory() for name, value in batch.items()} if self._pinned else batch

    def take(self) -> Batch:
        batch = self._waiting.pop(0).result()
        self._submit()
        return batch

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class Order:
    """What all processes do next. The first one decides: clocks and signals differ from process to process."""

    progress: float
    evaluate: bool
    save: bool
    end: bool
    stop: bool


def seed_of_step(seed: int, step: int, rank: int) -> int:
    """Seed of torch's generator in one step of one process: the whole random state of a run."""
    return (seed * 1_000_003 + step) * 1_009 + rank


def never() -> bool:
    """Nobody asks the run to stop."""
    return False


def train(
    stage: Stage,
    settings: LoopSettings,
    facts: Mapping[str, object] | None = None,
    stop: Callable[[], bool] = never,
) -> Position:
    """Train ``stage`` until its minutes or steps are used up, resuming from the folder's last checkpoint.

    ``facts`` go into the run's config.json. ``stop`` is asked after every step: where it says so the run is saved and
    ends with KeyboardInterrupt. Returns where the run stands. Raises LoopError, CheckpointError.
    A KeyboardInterrupt in the midst of a step saves too, but what follows need not be bit-equal then.
    """
    if settings.minutes <= 0 and settings.steps <= 0:
        raise LoopError("give minutes or steps")
    precision: Any = settings.precision  # Fabric itself refuses a name that it doesn't know
    strategy = "ddp" if settings.devices > 1 else "auto"
    fabric: Any = Fabric(
        accelerator=settings.accelerator, devices=settings.devices, precision=precision, strategy=strategy
    )
    fabric.launch()
    run = _Run(stage, settings, fabric, dict(facts or {}), stop)
    try:
        return run.train()
    finally:
        run.close()


class _Run:
    def __init__(
        self, stage: Stage, settings: LoopSettings, fabric: Any, facts: dict[str, object], stop: Callable[[], bool]
    ) -> None:
        self.stage, self.settings, self.fabric, self._stop = stage, settings, fabric, stop
        for module in (*stage.modules.values(), *stage.frozen.values()):
            module.to(fabric.device)
        for module in stage.frozen.values():
            module.eval().requires_grad_(False)
        optimizations = stage.optimizations()
        averages = {name: make_average(stage.modules[name]) for name in sorted(stage.averaged)}
        optimizers = {name: entry.optimizer for name, entry in optimizations.items()}
        self.training = Training(dict(stage.modules), averages, optimizers)
        self.checkpoints = CheckpointFolder(settings.folder / "checkpoints")
        self.context = Lent(fabric, {}, optimizations)
        self.position = self.checkpoints.resume(self.training, stage.name)
        fabric.barrier()  # nobody sweeps or reads any more when the first process begins to write
        config = {"stage": stage.name, "loop": asdict(settings), "settings": dict(stage.describe()), **facts}
        self.record = Record(
            settings.folder,
            config,
            writes=bool(fabric.is_global_zero),
            tensorboard=settings.tensorboard,
            start=self.position.step,
            processes=int(fabric.world_size),
        )
        self.context.modules = {name: fabric.setup_module(module) for name, module in stage.modules.items()}
        self._unshared = ExitStack()  # gradients are shared when an optimizer steps, not during backward
        if fabric.world_size > 1:
            for module in self.context.modules.values():
                self._unshared.enter_context(fabric.no_backward_sync(module))
        for module in stage.modules.values():
            module.train()
        self.batches = Batches(
            stage,
            self.position.step,
            int(fabric.global_rank),
            settings.ahead,
            settings.workers,
            pinned=fabric.device.type == "cuda",
        )
        self._saved = time.monotonic()
        self._due = self._next_evaluation()

    def train(self) -> Position:
        evaluated = logged = self.position.step
        last_log = self.position.elapsed
        try:
            order = self._order()
            while not order.end and not order.stop:
                self._step(order.progress)
                step, elapsed = self.position.step, self.position.elapsed
                if step - logged >= self.settings.log_every:
                    self.record.flush(step, self._progress(), (elapsed - last_log) / (step - logged))
                    logged, last_log = step, elapsed
                order = self._order()
                if order.evaluate:
                    self._evaluate()
                    evaluated = step
                elif order.save or order.stop:
                    self._save(best=False)
        except KeyboardInterrupt:
            self._save(best=False, together=False)  # the others may be gone already
            raise
        if order.stop and not order.end:
            raise KeyboardInterrupt
        if self.position.step > evaluated:
            self._evaluate()
        return self.position

    def close(self) -> None:
        self._unshared.close()
        self.batches.close()
        self.record.close()

    def _progress(self) -> float:
        shares = [0.0]
        if self.settings.minutes > 0:
            shares.append(self.position.elapsed / (60 * self.settings.minutes))
        if self.settings.steps > 0:
            shares.append(self.position.step / self.settings.steps)
        return min(1.0, max(shares))

    def _order(self) -> Order:
        progress = self._progress()
        now = self.position.step if self.settings.evaluate_every > 0 else progress
        order = Order(
            progress,
            evaluate=now >= self._due,
            save=time.monotonic() - self._saved > self.settings.save_minutes * 60,
            end=progress >= 1.0,
            stop=self._stop(),
        )
        decided: Order = self.fabric.broadcast(order)
        return decided

    def _next_evaluation(self) -> float:
        if self.settings.evaluate_every > 0:
            return float(self.position.step + self.settings.evaluate_every)
        return (math.floor(self._progress() * self.settings.evaluations + 1e-9) + 1) / self.settings.evaluations

    def _step(self, progress: float) -> None:
        clock = time.process_time if self.settings.clock == "cpu" else time.monotonic
        start = clock()
        step, rank = self.position.step, int(self.fabric.global_rank)
        device = self.fabric.device
        batch = {name: value.to(device, non_blocking=True) for name, value in self.batches.take().items()}
        torch.manual_seed(seed_of_step(self.settings.seed, step, rank))
        self.context.step, self.context.progress = step, progress
        scalars = self.stage.train_step(batch, self.context)
        for name, average in self.training.averages.items():
            update_average(average, self.training.modules[name], self.settings.decay, step)
        self.record.add({name: float(value) for name, value in scalars.items()})
        elapsed = self.position.elapsed + clock() - start
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
        self._due = self._next_evaluation()

    def _save(self, *, best: bool, together: bool = True) -> None:
        if self.fabric.is_global_zero:
            facts = {"stage": self.stage.name, "seed": self.settings.seed, "settings": dict(self.stage.describe())}
            self.checkpoints.save(self.training, self.position, facts, best=best)
        if together:
            self.fabric.barrier()
        self._saved = time.monotonic()

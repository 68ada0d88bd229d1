"""Train a network: warp, refiner (alone, then with a discriminator), segmenter, completion, feature encoder, drafts.

A run lives in one folder: configuration, environment, curves (TensorBoard and curves.jsonl), pictures, the last and the
best checkpoint. The same command again goes on where the run stopped, with --steps to the bit; Ctrl-C ends the step and
saves first.

    layoutbrush train --stage refine --data caches/scenes --weights weights --run runs/refine --minutes 30
    layoutbrush train --stage adversarial --data caches/scenes --weights weights --run runs/joint --minutes 20 \\
        --initial refine=runs/refine/checkpoints/step-0004000/refine.safetensors --set adversarial=0.1
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from layoutbrush.training.commands.around import check_size


@dataclass(frozen=True)
class Config:
    """What to train, on what, for how long."""

    stage: Literal[
        "warp",
        "warp-recipe",
        "unpaired",
        "refine",
        "adversarial",
        "comparator",
        "segmentation",
        "complete",
        "distill",
        "drafts",
        "draft-classifier",
    ]
    """What to train."""
    data: Path
    """Photos with label maps (a folder that holds scenes and streets, kind:/path such as ade20k:/data/ade, or a
    data.toml), a cache of warps (refine, adversarial, comparator), or photos with boxes (drafts, draft-classifier).
    """
    run: Path
    """Folder of the run; an existing one is resumed."""
    minutes: float = 0.0
    """Minutes of training in all; 0 for no bound."""
    clock: Literal["wall", "cpu"] = "wall"
    """What --minutes counts: time on the clock, or processor time, by which methods are compared on a busy machine."""
    steps: int = 0
    """Steps in all; 0 for no bound. Give one of the two bounds, or both."""
    batch: int = 8
    """Examples a step and process."""
    size: int = 256
    """Side of the square crops in pixels, a multiple of 16."""
    seed: int = 0
    """Seed of everything random: the same seed and number of steps give the same weights on one machine."""
    weights: Path | None = None
    """Folder with the weights of the perceptual network (losses and LPIPS); without it those are left out."""
    initial: tuple[str, ...] = ()
    """Weights to start from, MODULE=FILE, e.g. refine=stage1/refine.safetensors."""
    set: tuple[str, ...] = ()
    """Settings of the stage, NAME=VALUE; `--set help` lists them."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """Arithmetic: bf16-mixed is faster, 32-true is exact."""
    threads: int = 0
    """CPU threads; 0 for all cores."""
    accelerator: str = "auto"
    """cpu, cuda or auto."""
    devices: int = 1
    """Processes, one a device: cards of this machine, or processes on its processor."""
    workers: int = 1
    """Threads that make batches; they change nothing but the speed."""
    decay: float = 0.995
    """Decay of the moving averages of the weights."""
    evaluations: int = 10
    """How often to evaluate during the run."""
    tensorboard: bool = field(default=True)
    """Write curves and pictures for TensorBoard."""


def run(config: Config) -> int:
    """Train; returns the process's exit status."""
    try:
        import torch

        from layoutbrush.training.stages import stage_module
        from layoutbrush.training.stages.options import OptionError, describe, pairs, settings_from
        from layoutbrush.training.trainer.checkpoint import CheckpointError
        from layoutbrush.training.trainer.loop import LoopError, LoopSettings, train
        from layoutbrush.training.trainer.stage import DataOptions
        from layoutbrush.training.trainer.weights import WeightsError
    except ImportError as error:
        print(
            f"Training needs the extra: pip install 'layoutbrush[training]' (missing: {error.name}).", file=sys.stderr
        )
        return 2
    if config.threads:
        os.environ["OMP_NUM_THREADS"] = str(config.threads)  # else Fabric shares out all cores among the processes
        torch.set_num_threads(config.threads)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        # Whatever asks the process to end gets the same care as Ctrl-C; a shell may have hidden Ctrl-C from a job.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _ask(stop))
    module: Any = stage_module(config.stage)
    if "help" in config.set:
        print(describe(module.Settings))
        return 0
    try:
        check_size(config.size)
        settings = settings_from(module.Settings, config.set)
        initial = {name: Path(value) for name, value in pairs(config.initial).items()}
        data = DataOptions(config.data, config.batch, config.size, config.seed, initial, config.weights)
        loop = LoopSettings(
            config.run,
            minutes=config.minutes,
            clock=config.clock,
            steps=config.steps,
            seed=config.seed,
            precision=config.precision,
            accelerator=config.accelerator,
            devices=config.devices,
            workers=config.workers,
            decay=config.decay,
            evaluations=config.evaluations,
            tensorboard=config.tensorboard,
        )
        position = train(module.build(settings, data), loop, {"command": vars(config)}, stop.is_set)
    except (OptionError, LoopError, CheckpointError, WeightsError, ValueError, FileNotFoundError) as error:
        print(f"Training could not start or go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped and saved; the same command goes on from here.", file=sys.stderr)
        return 130
    if os.environ.get("LOCAL_RANK", "0") == "0":
        minutes = position.elapsed / 60
        print(f"{position.step} steps, {minutes:.1f} minutes, best score {position.best:.4f}: {config.run}")
    return 0


def _ask(stop: threading.Event) -> None:
    """The first time, the run ends after its step; the second time at once."""
    if stop.is_set():
        raise KeyboardInterrupt
    stop.set()
    print("Stopping after this step; once more to stop at once.", file=sys.stderr)

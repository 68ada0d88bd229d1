"""Checkpoints: a folder each, ``state.safetensors`` (everything) and ``checkpoint.json`` (everything else).

``<module>.safetensors`` and ``.json`` beside them are the weights to ship: the moving average where one is kept.
A checkpoint folder appears whole or not at all; ``last.json`` and ``best.json`` point to one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from layoutbrush.training.trainer.files import read_json, sweep, whole_folder, write_json
from layoutbrush.training.trainer.weights import contiguous, save_weights


class CheckpointError(ValueError):
    """A checkpoint is of another stage, or its parts do not fit the modules."""


@dataclass(frozen=True)
class Position:
    """Where a run stands. ``step``: steps done; ``elapsed``: seconds trained; ``best``: lowest score so far."""

    step: int = 0
    elapsed: float = 0.0
    best: float = float("inf")


@dataclass(frozen=True)
class Training:
    """Everything that a step changes."""

    modules: Mapping[str, nn.Module]
    averages: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]

    def shipped(self) -> dict[str, nn.Module]:
        """The modules to evaluate and ship."""
        return {name: self.averages.get(name, module) for name, module in self.modules.items()}


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, training: Training, position: Position, facts: Mapping[str, object], *, best: bool) -> Path:
        """Write a checkpoint, point ``last`` (and ``best``) to it, drop those nobody points to."""
        path = self.folder / f"step-{position.step:07d}"
        if not path.exists():
            with whole_folder(path) as partial:
                _write(partial, training, position, facts)
        write_json(self.folder / "last.json", {"checkpoint": path.name})
        if best:
            write_json(self.folder / "best.json", {"checkpoint": path.name, "score": position.best})
        self._prune()
        return path

    def pointed(self, name: str) -> Path | None:
        """The folder that ``last`` or ``best`` names, or None."""
        pointer = self.folder / f"{name}.json"
        return self.folder / str(read_json(pointer)["checkpoint"]) if pointer.exists() else None

    def resume(self, training: Training, stage: str) -> Position:
        """Fill ``training`` from the last checkpoint; a fresh Position when there is none.

        Raises CheckpointError when the checkpoint is of another stage or shape.
        """
        if not self.folder.exists():
            return Position()
        sweep(self.folder)
        path = self.pointed("last")
        return Position() if path is None else _read(path, training, stage)

    def _prune(self) -> None:
        kept = {self.pointed("last"), self.pointed("best")}
        for path in self.folder.glob("step-*"):
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _write(folder: Path, training: Training, position: Position, facts: Mapping[str, object]) -> None:
    tensors: dict[str, Tensor] = {}
    for kind, modules in (("module", training.modules), ("average", training.averages)):
        for name, module in modules.items():
            tensors |= {f"{kind}/{name}/{key}": value for key, value in module.state_dict().items()}
    groups: dict[str, Any] = {}
    for name, optimizer in training.optimizers.items():
        state = optimizer.state_dict()
        groups[name] = state["param_groups"]
        for index, entries in state["state"].items():
            for key, value in entries.items():
                tensors[f"optimizer/{name}/{index}/{key}"] = torch.as_tensor(value)
    save_file(contiguous(tensors), folder / "state.safetensors")
    write_json(
        folder / "checkpoint.json",
        {
            "format": 1,
            "step": position.step,
            "elapsed": position.elapsed,
            "best": position.best,
            "groups": groups,
            **facts,
        },
    )
    for name, module in training.shipped().items():
        save_weights(folder / f"{name}.safetensors", module, {"step": position.step, **facts})


def _read(path: Path, training: Training, stage: str) -> Position:
    facts: dict[str, Any] = read_json(path / "checkpoint.json")
    if facts.get("format") != 1 or facts.get("stage") != stage:
        raise CheckpointError(f"{path.name} is a checkpoint of stage {facts.get('stage')}, not of {stage}")
    parts: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, value in load_file(path / "state.safetensors").items():
        kind, owner, key = name.split("/", 2)
        parts.setdefault((kind, owner), {})[key] = value
    try:
        for kind, modules in (("module", training.modules), ("average", training.averages)):
            for name, module in modules.items():
                module.load_state_dict(parts.get((kind, name), {}))
        for name, optimizer in training.optimizers.items():
            _fill_optimizer(optimizer, facts["groups"][name], parts.get(("optimizer", name), {}))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path.name} does not fit this stage's settings: {error}") from error
    return Position(int(facts["step"]), float(facts["elapsed"]), float(facts["best"]))


def _fill_optimizer(optimizer: torch.optim.Optimizer, groups: Any, entries: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in entries.items():
        index, key = name.split("/", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})

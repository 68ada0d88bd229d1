"""What a run leaves behind besides weights: config, environment, curves, pictures, a line that shows progress."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from layoutbrush.training.trainer.files import plain, write_bytes, write_json
from layoutbrush.training.trainer.stage import Report

PACKAGES = ("torch", "lightning-fabric", "numpy", "safetensors", "layoutbrush")


def environment() -> dict[str, object]:
    """Versions, machine and, in a checkout, the commit: as stored with a run."""
    versions: dict[str, str] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "packages": versions,
        "commit": commit(),
    }


def processor() -> str:
    """The processor's name, or its kind where the system doesn't tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def commit() -> str | None:
    """The git commit of this code, with `+` behind it where tracked files differ from it; None outside a checkout."""
    here = Path(__file__).resolve()

    def git(*words: str) -> str:
        command = ["git", "-C", str(here.parent), *words]
        return subprocess.run(command, capture_output=True, check=True, text=True, timeout=10).stdout.strip()

    try:
        git(
            "ls-files", "--error-unmatch", here.name
        )  # a checkout of something else may lie around an installed package
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


class Record:
    """Writes a run's folder: config.json, environment.json, starts.jsonl, curves.jsonl, tensorboard/, pictures/.

    ``writes`` False (all processes but the first): nothing is written or printed. ``start``: the step from which the
    run goes on; what an interrupted run wrote of later steps is dropped, as they are done again.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, object],
        *,
        writes: bool,
        tensorboard: bool,
        start: int = 0,
        processes: int = 1,
    ) -> None:
        self.folder = folder
        self._writes = writes
        self._board: Any = None
        self._sums: dict[str, list[float]] = {}
        if not writes:
            return
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        found = environment() | {"processes": processes}
        write_json(folder / "config.json", plain(config))
        write_json(folder / "environment.json", found)
        _append(folder / "starts.jsonl", {"step": start, "time": round(time.time(), 1), **found, **plain(config)})
        rewind(folder / "curves.jsonl", start)
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1 if start else None)

    def add(self, scalars: Mapping[str, float]) -> None:
        """Take in the scalars of a step; they are averaged until :meth:`flush`."""
        for name, value in scalars.items():
            self._sums.setdefault(name, []).append(value)

    def flush(self, step: int, progress: float, seconds: float) -> None:
        """Write the averages since the last call and show them."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        self._sums.clear()
        self._write(step, means, "train")
        text = " ".join(f"{name} {value:.4g}" for name, value in means.items())
        self._show(f"{progress:6.1%} step {step} {seconds * 1000:.0f} ms/step {text}")

    def report(self, step: int, report: Report) -> None:
        """Write an evaluation's figures and pictures."""
        self._write(step, report.scalars, "evaluate")
        text = " ".join(f"{name} {value:.4g}" for name, value in report.scalars.items())
        self._show(f"  evaluated at step {step}: score {report.score:.4g} {text}", last=True)
        if not self._writes:
            return
        for name, picture in report.pictures.items():
            Image.fromarray(picture).save(self.folder / "pictures" / f"{name}-{step:07d}.png")
            if self._board is not None:
                self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """End the progress line and close TensorBoard's file."""
        if self._board is not None:
            self._board.close()
        if self._writes and sys.stderr.isatty():
            print(file=sys.stderr)

    def _write(self, step: int, scalars: Mapping[str, float], group: str) -> None:
        if not self._writes:
            return
        line = {"group": group, "step": step, "time": round(time.time(), 1), **scalars}
        _append(self.folder / "curves.jsonl", line)
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def _show(self, text: str, *, last: bool = False) -> None:
        if not self._writes:
            return
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def _append(path: Path, value: Mapping[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


def rewind(path: Path, step: int) -> None:
    """Drops the lines of a curves.jsonl that are of later steps than ``step``, and a last one that was torn."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    write_bytes(path, "".join(f"{line}\n" for line in kept).encode())

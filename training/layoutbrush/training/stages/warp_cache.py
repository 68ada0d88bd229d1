"""Warped tasks on disk: made once, then the refiner trains from them.

A cache is a folder of parts, at any depth: ``part-<stream>-<number>/`` with one .npy file a field, N tasks each, and
``part.json``. A part appears whole or not at all, so that several processes (a stream each) can write one cache while
others read it; a reader sees the parts that exist when it opens.

| file | shape, dtype | |
|---|---|---|
| image, warped, truth | (N, S, S, 3) uint8 | RGB |
| edited, kind | (N, S, S), (N,) uint8 | label ids; index in ``data.task.KINDS`` |
| mask | (N, S, S) bool | True = may change |
| layout, source | (N, S, S) uint8, bool | the input's own label ids; True = may be copied. Older caches lack both |
| confidence | (N, S, S) float16 | the warp's best score |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from layoutbrush.training.data.task import KINDS, Task
from layoutbrush.training.trainer.files import whole_folder, write_json

FIELDS = ("image", "warped", "truth", "edited", "kind", "mask", "confidence")
LATER_FIELDS = ("layout", "source")
"""Fields that older caches lack."""
Array = npt.NDArray[Any]
WarpFunction = Callable[[Task], tuple[Array, Array]]
"""A task -> warped (S, S, 3), uint8 or float in [0, 1], and confidence (S, S) float."""


class CacheError(ValueError):
    """A cache is empty or its parts do not belong together."""


class Sampler(Protocol):
    """What :class:`layoutbrush.training.data.sampler.TaskSampler` offers: a task for every (step, index, rank)."""

    def task(self, step: int, index: int = 0, rank: int = 0) -> Task: ...


def write_warp_cache(
    sampler: Sampler, warp: WarpFunction, count: int, path: Path, seed: int, *, chunk: int = 64
) -> int:
    """Warp ``count`` tasks into parts of ``chunk`` under ``path``. Returns how many were made now.

    ``seed`` names the stream of tasks (the sampler's ``rank``): processes that write one cache each take their own.
    Parts that exist are kept, so that a killed writer goes on where it was.
    """
    made = 0
    for number in range(-(-count // chunk)):
        part = path / f"part-{seed:04d}-{number:05d}"
        if part.exists():
            continue
        first, last = number * chunk, min(count, (number + 1) * chunk)
        entries = [_entry(sampler.task(index, 0, seed), warp) for index in range(first, last)]
        with whole_folder(part) as partial:
            for field in (*FIELDS, *LATER_FIELDS):
                np.save(partial / f"{field}.npy", np.stack([entry[field] for entry in entries]))
            write_json(partial / "part.json", {"count": len(entries), "seed": seed, "first": first})
        made += len(entries)
    return made


def _entry(task: Task, warp: WarpFunction) -> dict[str, Array]:
    warped, confidence = warp(task)
    if warped.dtype != np.uint8:
        warped = (np.clip(np.nan_to_num(warped), 0, 1) * 255).round().astype(np.uint8)
    return {
        "image": task.image,
        "warped": np.where(task.mask[..., None], warped, task.image),
        "truth": task.truth,
        "edited": task.edited,
        "kind": np.asarray(KINDS.index(task.kind), np.uint8),
        "mask": task.mask,
        "confidence": np.clip(confidence, -60000, 60000).astype(np.float16),
        "layout": task.layout,
        "source": task.source,
    }


@dataclass(frozen=True)
class _Part:
    fields: dict[str, Array]
    first: int

    def __len__(self) -> int:
        return len(self.fields["kind"])


class WarpCache:
    """Reads the parts under some folders, memory-mapped. Thread safe. Raises CacheError when there are none."""

    def __init__(self, paths: Sequence[Path]) -> None:
        folders = sorted(folder.parent for path in paths for folder in path.rglob("part.json"))
        folders = [folder for folder in folders if not folder.name.startswith(".")]
        if not folders:
            raise CacheError(f"no parts of a warp cache under {', '.join(str(path) for path in paths)}")
        self._parts: list[_Part] = []
        count = 0
        for folder in folders:
            held = [*FIELDS, *(name for name in LATER_FIELDS if (folder / f"{name}.npy").is_file())]
            fields = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in held}
            part = _Part(fields, count)
            self._parts.append(part)
            count += len(part)
        self._firsts = np.array([part.first for part in self._parts])
        self._count = count

    def __len__(self) -> int:
        return self._count

    def entry(self, index: int) -> dict[str, Array]:
        """The fields of one task."""
        part = self._parts[int(np.searchsorted(self._firsts, index, side="right")) - 1]
        return {name: np.asarray(values[index - part.first]) for name, values in part.fields.items()}

    def tensors(
        self, indices: Sequence[int], size: int = 0, rng: np.random.Generator | None = None
    ) -> dict[str, Tensor]:
        """Some tasks as tensors, see :func:`collate_entries`. With ``rng``: mirrored at random; with ``size``: a square
        crop of it, around a pixel of the mask (with ``rng``) or from the corner."""
        entries = [self.entry(index) for index in indices]
        if size:
            entries = [_crop(entry, size, rng) for entry in entries]
        if rng is not None:
            entries = [_mirror(entry) if rng.random() < 0.5 else entry for entry in entries]
        return collate_entries(entries)

    def batch(self, step: int, count: int, *, size: int = 0, seed: int = 0, rank: int = 0) -> dict[str, Tensor]:
        """Random tasks of a step: a pure function of (seed, rank, step)."""
        rng = np.random.default_rng([seed, rank, step])
        return self.tensors([int(i) for i in rng.integers(self._count, size=count)], size, rng)


def _mirror(entry: dict[str, Array]) -> dict[str, Array]:
    return {name: value[:, ::-1] if value.ndim >= 2 else value for name, value in entry.items()}


def _crop(entry: dict[str, Array], size: int, rng: np.random.Generator | None) -> dict[str, Array]:
    height, width = entry["mask"].shape
    if size >= min(height, width):
        return entry
    y = x = 0
    if rng is not None:
        rows, columns = np.nonzero(entry["mask"])
        pick = int(rng.integers(len(rows))) if len(rows) else 0
        centre = (rows[pick], columns[pick]) if len(rows) else (height // 2, width // 2)
        y = int(np.clip(centre[0] - rng.integers(size), 0, height - size))
        x = int(np.clip(centre[1] - rng.integers(size), 0, width - size))
    return {name: value[y : y + size, x : x + size] if value.ndim >= 2 else value for name, value in entry.items()}


def collate_entries(entries: Sequence[dict[str, Array]]) -> dict[str, Tensor]:
    """image, warped, truth (B, 3, S, S) float32 in [0, 1]; edited (B, S, S) int32; mask (B, S, S) bool; confidence
    (B, 1, S, S) float32; kind (B,) int64; where every entry has them, layout (B, S, S) int32 and source (B, S, S)
    bool."""

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([entry[name] for entry in entries]))

    batch = {name: stack(name).permute(0, 3, 1, 2).float().div(255) for name in ("image", "warped", "truth")}
    batch["edited"] = stack("edited").int()
    batch["mask"] = stack("mask")
    batch["confidence"] = stack("confidence").float()[:, None]
    batch["kind"] = stack("kind").long()
    if all("layout" in entry and "source" in entry for entry in entries):
        batch["layout"] = stack("layout").int()
        batch["source"] = stack("source")
    return batch


def open_caches(folder: Path) -> tuple[WarpCache, WarpCache]:
    """(train, validation) from ``folder/train`` and ``folder/val``; without those, one cache for both."""
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        return WarpCache([folder / "train"]), WarpCache([folder / "val"])
    both = WarpCache([folder])
    return both, both

"""Make a cache of warped tasks, from which the refiner trains without running the warp again.

Several processes may fill one cache, each with its own --stream; a killed one goes on where it was. `train --stage
refine` wants two caches side by side, train and val:

    layoutbrush cache-warps --data photos --warp runs/warp/checkpoints/step-0001375/warp.safetensors --out cache/train
    layoutbrush cache-warps --data photos --warp ... --split val --count 64 --stream 1 --out cache/val
    layoutbrush train --stage refine --data cache --weights weights --run runs/refine --minutes 30
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from layoutbrush.training.commands.around import check_size, reported

if TYPE_CHECKING:
    from layoutbrush.training.data.task import Task
    from layoutbrush.training.stages.warp_cache import WarpFunction


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush cache-warps`."""

    data: Path
    """Folder that holds the collections."""
    out: Path
    """Folder of the cache; parts that are there are kept."""
    warp: Path | None = None
    """Weights of a trained warp; without them the warp without training is used."""
    collections: tuple[str, ...] = ("scenes", "streets")
    """Collections of photos below --data; toy is generated."""
    split: Literal["train", "val"] = "train"
    """Which list of photos."""
    count: int = 1600
    """Tasks to make in this stream."""
    stream: int = 0
    """Number of the stream of tasks; processes that share a cache each take their own."""
    size: int = 256
    """Side of a task in pixels, a multiple of 16."""
    seed: int = 7
    """Seed of the tasks."""
    threads: int = 0
    """CPU threads; 0 for all cores."""


def run(config: Config) -> int:
    """Fill the cache; returns the exit status."""
    return reported(lambda: _fill(config), config.threads, "No cache was made: ")


def _fill(config: Config) -> int:
    from layoutbrush.training.data import TaskConfig, TaskSampler, open_collections
    from layoutbrush.training.stages.warp_cache import write_warp_cache

    check_size(config.size)
    photos = open_collections(config.data, config.collections, config.split)
    sampler = TaskSampler(photos, TaskConfig(size=config.size, seed=config.seed))
    made = write_warp_cache(sampler, _warp_function(config), config.count, config.out, config.stream, chunk=32)
    print(f"{made} of {config.count} tasks warped now, the others were there: {config.out}")
    return 0


def _warp_function(config: Config) -> WarpFunction:
    """The warp of one task: picture (S, S, 3) in [0, 1] and score (S, S). Another seed for every task."""
    import torch

    from layoutbrush.training.data import collate
    from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork
    from layoutbrush.training.models.sparse_attention_file import load_sparse_attention

    if config.warp is None:
        network = SparseAttentionNetwork(SparseAttentionConfig(learned=False)).eval()
    else:
        network = load_sparse_attention(config.warp)

    @torch.no_grad()
    def warp(task: Task) -> tuple[Any, Any]:
        batch = collate([task])
        keys = network.encode_image(batch["image"], batch["layout"])
        inputs = [batch[name] for name in ("image", "layout", "edited", "mask", "source")]
        seed = torch.tensor([int(task.image.sum()) & 0x7FFFFFFF], dtype=torch.int32)  # of the task, not of its turn
        warped, _, confidence = network(*inputs, *keys, seed)
        return warped[0].permute(1, 2, 0).numpy(), confidence[0, 0].numpy()

    return warp

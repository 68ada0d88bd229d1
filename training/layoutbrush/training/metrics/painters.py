"""Networks from their checkpoints, run over tasks: a warp, a refiner on a warp, a comparator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from layoutbrush.training.comparators.network import load_comparator
from layoutbrush.training.data.batch import image_tensor, label_tensor
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.metrics.tasks import EvaluationTask
from layoutbrush.training.models.labels import UNKNOWN
from layoutbrush.training.models.refine_file import load_refine
from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork
from layoutbrush.training.models.sparse_attention_file import load_sparse_attention
from layoutbrush.training.trainer.files import read_json

UNTRAINED = "untrained"
PAINTING_CLASSES = ("SparseAttentionNetwork", "Refine", "Comparator")
"""Classes of networks whose weights can be a row."""
RIM = 2
"""Pixels around what may not be copied that may not be copied either: labels are loose there."""


def task_tensors(task: EvaluationTask) -> dict[str, Tensor]:
    """A task as the networks want it, its sides padded to multiples of 16: pictures and labels by their edge, mask and
    source with False.

    image (1, 3, H, W) float32 in [0, 1]; layout, edited (1, H, W) int32; mask, source (1, H, W) bool.
    """
    height, width = task.mask.shape
    frame = (0, -width % 16, 0, -height % 16)
    layout = np.full_like(task.edited, UNKNOWN) if task.layout is None else task.layout
    exclude = torch.zeros(1, 1, height, width)
    if task.exclude is not None:
        exclude = torch.from_numpy(task.exclude.astype(np.float32))[None, None]
    source = F.max_pool2d(exclude, 2 * RIM + 1, 1, RIM)[:, 0] < 0.5

    def edge(x: Tensor) -> Tensor:
        return F.pad(x, frame, mode="replicate")

    return {
        "image": edge(image_tensor([task.image])),
        "layout": edge(label_tensor([layout])[:, None].float())[:, 0].int(),
        "edited": edge(label_tensor([task.edited])[:, None].float())[:, 0].int(),
        "mask": F.pad(torch.from_numpy(np.ascontiguousarray(task.mask))[None], frame),
        "source": F.pad(source, frame),
    }


class Warps:
    """A sparse attention network over tasks; the last one's result is kept, for the methods that share it.

    ``path``: its weights; None for the one without training.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._network: SparseAttentionNetwork | None = None
        self._last: tuple[str, tuple[Tensor, Tensor]] | None = None

    @torch.no_grad()
    def warp(self, task: EvaluationTask, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(warped (1, 3, H, W), confidence (1, 1, H, W)) of a padded task."""
        if self._last is None or self._last[0] != task.name:
            self._network = self._network or load_warp(self.path)
            keys = self._network.encode_image(batch["image"], batch["layout"])
            inputs = [batch[name] for name in ("image", "layout", "edited", "mask", "source")]
            warped, _, confidence = self._network(*inputs, *keys, torch.zeros(1, dtype=torch.int32))
            self._last = task.name, (warped, confidence)
        return self._last[1]


def load_warp(path: Path | None) -> SparseAttentionNetwork:
    """A trained warp in eval mode, or without a path the one without training. Raises WeightsError."""
    if path is None:
        return SparseAttentionNetwork(SparseAttentionConfig(learned=False)).eval()
    return load_sparse_attention(path)


class NetworkPainter:
    """A checkpoint, or `untrained`, as a painter; refiners and sparse comparators get their warp from ``warps``.

    Raises WeightsError.
    """

    def __init__(self, spec: str, warps: Warps) -> None:
        self._run = self._open(spec, warps)

    def paint(self, task: EvaluationTask) -> UInt8:
        """The task's picture, (H, W, 3) uint8, the input outside the mask."""
        batch = task_tensors(task)
        with torch.no_grad():
            painted = self._run(task, batch)[0]
        height, width = task.mask.shape
        pixels = (painted[:, :height, :width].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        return np.where(task.mask[..., None], pixels, task.image)

    @staticmethod
    def _open(spec: str, warps: Warps) -> Callable[[EvaluationTask, dict[str, Tensor]], Tensor]:
        path = Path(spec)
        kind = "" if spec == UNTRAINED else str(read_json(path.with_suffix(".json")).get("class", ""))
        if spec == UNTRAINED or kind == "SparseAttentionNetwork":
            own = Warps(None if spec == UNTRAINED else path)
            return lambda task, batch: own.warp(task, batch)[0]
        if kind == "Refine":
            refine = load_refine(path)

            def refined(task: EvaluationTask, batch: dict[str, Tensor]) -> Tensor:
                warped, confidence = warps.warp(task, batch)
                picture: Tensor = refine(warped, batch["image"], batch["edited"], batch["mask"], confidence)[1]
                return picture

            return refined
        network: Any = load_comparator(path)
        sparse = network.method.warp == "sparse"

        def compared(task: EvaluationTask, batch: dict[str, Tensor]) -> Tensor:
            nothing = batch["image"], torch.zeros_like(batch["image"][:, :1])
            warped, confidence = warps.warp(task, batch) if sparse else nothing
            inputs = (warped, batch["image"], batch["edited"], batch["mask"], confidence)
            picture: Tensor = network(*inputs, layout=batch["layout"], source=batch["source"])[1]
            return picture

        return compared

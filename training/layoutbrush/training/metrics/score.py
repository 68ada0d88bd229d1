"""Scores one output against one task: each metric over the whole picture (`_w`) and inside the mask (`_m`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.metrics import pixels
from layoutbrush.training.metrics.features import Backend
from layoutbrush.training.metrics.gram import style_distance
from layoutbrush.training.metrics.lpips import load_lpips
from layoutbrush.training.metrics.tasks import EvaluationTask

METRICS = (
    *("lpips_m", "psnr_m", "ssim_m", "l1_m", "style_m"),
    *("lpips_w", "psnr_w", "ssim_w", "l1_w", "style_w"),
    "out_l1",
)
"""In the order of the tables."""
HIGHER_IS_BETTER = frozenset({"psnr_w", "psnr_m", "ssim_w", "ssim_m"})


class Scorer:
    """The metrics; LPIPS and style only where the weights of a feature network are given.

    ``weights``: folder of `metrics.features`. Raises FeatureError.
    """

    def __init__(self, weights: Path | None, backend: Backend = "squeezenet") -> None:
        self._lpips = None if weights is None else load_lpips(weights, backend)
        self._truth: tuple[EvaluationTask, tuple[Tensor, ...]] | None = None  # the last task's, for the next output

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the figures, in the order of the tables."""
        return tuple(name for name in METRICS if self._lpips or name.split("_")[0] not in ("lpips", "style"))

    def score(self, outputs: dict[str, UInt8], task: EvaluationTask) -> dict[str, dict[str, float]]:
        """Figures by output name. The outputs have the task's size (H, W, 3) uint8.

        `out_l1` is the mean |output - input| outside the mask, which should be 0.
        """
        if self._truth is None or self._truth[0] is not task:
            self._truth = task, self._features(task.truth)
        truth = self._truth[1]
        return {name: self._one(output, task, truth) for name, output in outputs.items()}

    def _one(self, output: UInt8, task: EvaluationTask, truth: tuple[Tensor, ...]) -> dict[str, float]:
        mask = task.mask
        figures = {
            "l1_w": pixels.mean_absolute(output, task.truth),
            "psnr_w": pixels.psnr(output, task.truth),
            "ssim_w": pixels.ssim(output, task.truth),
            "l1_m": pixels.mean_absolute(output, task.truth, mask),
            "psnr_m": pixels.psnr(output, task.truth, mask),
            "ssim_m": pixels.ssim(output, task.truth, mask),
            "out_l1": pixels.mean_absolute(output, task.image, ~mask),
        }
        if self._lpips is not None:
            found, inside = self._features(output), torch.from_numpy(np.ascontiguousarray(mask))[None]
            figures |= {
                "lpips_w": float(self._lpips.compare(found, truth)),
                "style_w": float(style_distance(found, truth)),
                "lpips_m": float(self._lpips.compare(found, truth, inside)),
                "style_m": float(style_distance(found, truth, inside)),
            }
        return figures

    def _features(self, picture: UInt8) -> tuple[Tensor, ...]:
        if self._lpips is None:
            return ()
        with torch.no_grad():
            features: tuple[Tensor, ...] = self._lpips.network(image_tensor([picture]))
        return features

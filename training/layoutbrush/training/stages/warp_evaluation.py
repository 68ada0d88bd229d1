"""Figures and pictures of the warp on held-out tasks, for each kind of task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from layoutbrush.training.data import KINDS, TaskSampler
from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.sheets import grid
from layoutbrush.training.stages.refine_evaluation import masked_psnr, to_picture
from layoutbrush.training.trainer.stage import Report

SHOWN = 12
"""Tasks on the contact sheet."""


class Evaluation:
    """The first ``count`` tasks of a sampler; LPIPS too where weights are given."""

    def __init__(self, sampler: TaskSampler, count: int, weights: Path | None) -> None:
        self._batches = [sampler.batch(i, 1) for i in range(count)]
        self._lpips: nn.Module | None = None
        if weights is not None:
            from layoutbrush.training.metrics.lpips import load_lpips

            self._lpips = load_lpips(weights)

    def report(self, network: Any) -> Report:
        """Mean PSNR and LPIPS inside the mask by kind; the score is the kinds' mean of LPIPS - 0.01 PSNR."""
        figures: dict[str, list[float]] = {}
        scores: dict[str, list[float]] = {}
        rows: list[list[UInt8]] = []
        for batch in self._batches:
            warped = warp(network, batch)
            kind = KINDS[int(batch["kind"][0])]
            psnr = float(masked_psnr(warped, batch["truth"], batch["mask"])[0])
            figures.setdefault(f"{kind}/psnr", []).append(psnr)
            value = -0.01 * psnr
            if self._lpips is not None:
                distance = float(self._lpips(warped, batch["truth"], batch["mask"])[0])
                figures.setdefault(f"{kind}/lpips", []).append(distance)
                value += distance
            scores.setdefault(kind, []).append(value)
            if len(rows) < SHOWN:
                rows.append([to_picture(picture[0]) for picture in (batch["image"], warped, batch["truth"])])
        means = {name: float(np.mean(values)) for name, values in figures.items()}
        return Report(means, float(np.mean([np.mean(v) for v in scores.values()])), {"warp": grid(rows)})


@torch.no_grad()
def warp(network: Any, batch: dict[str, Tensor]) -> Tensor:
    """The warped picture (B, 3, H, W) of a batch of tasks, seed 0."""
    keys = network.encode_image(batch["image"], batch["layout"])
    inputs = [batch[name] for name in ("image", "layout", "edited", "mask", "source")]
    warped: Tensor = network(*inputs, *keys, torch.zeros(1, dtype=torch.int32))[0]
    return warped

"""Figures and pictures of a refiner on held-out warped tasks, for each kind of task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.data.task import KINDS
from layoutbrush.training.sheets import grid
from layoutbrush.training.stages.warp_cache import WarpCache
from layoutbrush.training.trainer.stage import Report

SHOWN = 12
"""Tasks on the contact sheet."""


def masked_psnr(picture: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """(B,) PSNR in dB inside the mask; picture, truth (B, 3, H, W) in [0, 1], mask (B, H, W) bool. At most 60."""
    hole = mask[:, None].float()
    error = ((picture - truth).square() * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3))).clamp_min(1)
    return -10 * error.clamp_min(1e-6).log10()


def to_picture(x: Tensor) -> UInt8:
    """(3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    picture: UInt8 = (x.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return picture


class Evaluation:
    """The first ``count`` tasks of a cache, spread evenly; LPIPS too where weights are given."""

    def __init__(self, cache: WarpCache, count: int, weights: Path | None, batch: int = 8) -> None:
        self._cache, self._batch = cache, batch
        count = min(count, len(cache))
        self._indices = [int(i) for i in np.linspace(0, len(cache) - 1, count).round()]
        self._lpips: nn.Module | None = None
        if weights is not None:
            from layoutbrush.training.metrics.lpips import load_lpips

            self._lpips = load_lpips(weights)

    def report(self, network: nn.Module) -> Report:
        """Mean PSNR and LPIPS inside the mask of warp, coarse and refined pictures, by kind of task.

        The score is LPIPS - 0.01 PSNR, averaged over the kinds; without LPIPS weights -0.01 PSNR alone.
        """
        device = next(network.parameters()).device
        rows: list[list[UInt8]] = []
        figures: dict[str, list[float]] = {}
        scores: dict[str, list[float]] = {}
        for start in range(0, len(self._indices), self._batch):
            batch = self._cache.tensors(self._indices[start : start + self._batch])
            batch = {name: value.to(device) for name, value in batch.items()}
            coarse, refined = network(
                batch["warped"], batch["image"], batch["edited"], batch["mask"], batch["confidence"]
            )
            pictures = {"warp": batch["warped"], "coarse": coarse, "refined": refined}
            for name, picture in pictures.items():
                psnr = masked_psnr(picture, batch["truth"], batch["mask"])
                lpips = self._distance(picture, batch["truth"], batch["mask"])
                for i, kind in enumerate(batch["kind"].tolist()):
                    label = KINDS[kind]
                    figures.setdefault(f"{label}/{name}/psnr", []).append(float(psnr[i]))
                    if lpips is not None:
                        figures.setdefault(f"{label}/{name}/lpips", []).append(float(lpips[i]))
                    if name == "refined":
                        value = (0.0 if lpips is None else float(lpips[i])) - 0.01 * float(psnr[i])
                        scores.setdefault(label, []).append(value)
            rows += self._rows(batch, coarse, refined, SHOWN - len(rows))
        means = {name: float(np.mean(values)) for name, values in figures.items()}
        score = float(np.mean([np.mean(values) for values in scores.values()]))
        return Report(means, score, {"refine": grid(rows)})

    def _distance(self, picture: Tensor, truth: Tensor, mask: Tensor) -> Tensor | None:
        if self._lpips is None:
            return None
        with torch.no_grad():
            distance: Tensor = self._lpips(picture, truth, mask)
        return distance

    def _rows(self, batch: dict[str, Tensor], coarse: Tensor, refined: Tensor, room: int) -> list[list[UInt8]]:
        """Input, warp, coarse, refined, truth."""
        columns = (batch["image"], batch["warped"], coarse, refined, batch["truth"])
        count = min(max(room, 0), 2, len(coarse))
        return [[to_picture(column[i]) for column in columns] for i in range(count)]

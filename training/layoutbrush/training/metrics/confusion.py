"""Pixel accuracy and intersection over union of label maps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from layoutbrush.training.data.labels import UNKNOWN


class Confusion:
    """Counts of (true, predicted) label pairs; unknown true pixels don't count."""

    def __init__(self, labels: int) -> None:
        self.labels = labels
        self.counts = np.zeros((labels, labels), np.int64)

    def add(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Two label maps of one shape; predictions are known labels."""
        known = truth != UNKNOWN
        pairs = truth[known].astype(np.int64) * self.labels + predicted[known]
        self.counts += np.bincount(pairs, minlength=self.labels**2).reshape(self.labels, self.labels)

    def accuracy(self) -> float:
        """Share of the known pixels that are right; NaN without any."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")

    def iou(self) -> npt.NDArray[np.float64]:
        """(labels,) intersection over union; NaN for labels that the truth never has."""
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        present = self.counts.sum(1) > 0
        return np.where(present, hits / np.maximum(union, 1), np.nan)

    def mean_iou(self) -> float:
        """Mean over the labels that the truth has; NaN without any."""
        values = self.iou()
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

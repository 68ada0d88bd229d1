"""Labels of the segmentation network for photos without label maps, computed once and kept as PNGs."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from layoutbrush.runtime.pipeline.segmenting import segment_photo
from layoutbrush.training.data.cv import Float
from layoutbrush.training.data.labels import UNKNOWN, UInt8
from layoutbrush.training.data.lazy import Entry
from layoutbrush.training.data.photo import DataError

if TYPE_CHECKING:
    from layoutbrush.training.models.segmentation import SegmentationNetwork

CONFIDENT = 0.5
"""Pixels of which the network is less sure become UNKNOWN."""

GRANULE, SMALLEST = 16, 64
"""The network takes sides that are multiples of the first, and no smaller than the second."""


class NetworkLabels:
    """Label maps by a segmentation network, cached below a folder named after its weights. Thread safe.

    Another network's labels never mix in: the folder bears the first digits of the weight file's SHA-256.
    """

    def __init__(self, weights: Path, cache: Path, confident: float = CONFIDENT) -> None:
        if not weights.is_file():
            raise DataError(f"{weights}: no such weights of a segmentation network")
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        self.folder = cache / f"{digest}-{round(100 * confident):02d}"
        self._weights, self._confident = weights, confident
        self._network: SegmentationNetwork | None = None
        self._lock = threading.Lock()

    def labels(self, entry: Entry, image: UInt8) -> UInt8:
        """(H, W) uint8 labels of the entry's photo (H, W, 3)."""
        path = self.folder / f"{entry.name}.png"
        kept = self._kept(path, image)
        if kept is not None:
            return kept
        with self._lock:
            found = self._computed(image)
        self._keep(path, found)
        return found

    def _kept(self, path: Path, image: UInt8) -> UInt8 | None:
        try:
            with Image.open(path) as stored:
                labels = np.asarray(stored)
        except OSError:
            return None
        return labels if labels.shape == image.shape[:2] else None

    def _keep(self, path: Path, labels: UInt8) -> None:
        """Several processes may keep the same labels at once: each file is renamed into place whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
        Image.fromarray(labels).save(partial, format="PNG")
        partial.replace(path)

    def _computed(self, image: UInt8) -> UInt8:
        labels, sure = segment_photo(image, self._answer, GRANULE, SMALLEST)
        return np.where(sure >= self._confident, labels, np.uint8(UNKNOWN))

    def _answer(self, planes: Float) -> tuple[npt.NDArray[np.int32], Float]:
        """The network's labels and confidence, (H, W), of (1, 3, H, W)."""
        import torch

        from layoutbrush.training.models.segmentation import Segment, SegmentationNetwork
        from layoutbrush.training.trainer.weights import load_module

        if self._network is None:
            self._network = load_module(self._weights, SegmentationNetwork)
        with torch.no_grad():
            labels, confidence, _ = Segment(self._network)(torch.from_numpy(planes))
        return labels[0].numpy(), confidence[0].numpy()

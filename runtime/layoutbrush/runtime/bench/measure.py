"""Medians, peak memory and pictures to measure with."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.runtime.geometry import Bounds, Extent


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of `repeats` calls in milliseconds, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


def forget_peak(process: int) -> None:
    """Let the peak memory of a process count from now on, where the system can (Linux)."""
    try:
        Path(f"/proc/{process}/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory(process: int) -> int:
    """Return the peak resident memory of a process in bytes, 0 where it can't be told."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found.group(1)) if found else 0


def landscape(extent: Extent, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a made-up photo, uint8 (H, W, 3), of sky, trees and water with noise at every scale, and its label map."""
    random = np.random.default_rng(seed)
    layout = np.full(extent.shape, 4, np.uint8)
    layout[: extent.height * 6 // 10] = 1
    layout[: extent.height * 3 // 10] = 0
    colors = np.zeros((256, 3), np.float32)
    colors[[0, 1, 4]] = [[150, 190, 230], [40, 90, 40], [50, 90, 130]]
    noise = np.zeros((*extent.shape, 3), np.float32)
    for cells in (8, 64):
        small = Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8))
        noise += np.asarray(small.resize((extent.width, extent.height), Image.Resampling.BILINEAR), np.float32) - 128
    noise += random.integers(-20, 21, (*extent.shape, 1))
    return np.clip(colors[layout] + 0.2 * noise, 0, 255).astype(np.uint8), layout


def painted(layout: NDArray[np.uint8], share: float) -> tuple[NDArray[np.uint8], Bounds]:
    """Return the label map with `share` of its area painted anew in a square or band, and the bounds of that."""
    height, width = layout.shape
    side = (share * height * width) ** 0.5
    wide, high = min(width, max(1, round(side))), min(height, max(1, round(side)))
    bounds = Bounds((width - wide) // 2, (height - high) // 2, wide, high)
    edited = layout.copy()
    edited[bounds.slices] = np.where(layout[bounds.slices] == 4, 1, 4)
    return edited, bounds

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


TEXTURES: dict[int, tuple[tuple[int, int, int], float, float, int]] = {
    0: ((150, 185, 225), 16.0, 0.6, 3),
    1: ((52, 84, 40), 38.0, 0.35, 1),
    3: ((112, 138, 62), 30.0, 0.3, 1),
    4: ((46, 88, 122), 26.0, 0.5, 4),
}
"""Of labels in `country`: colour, contrast, how fast contrast falls with frequency, and how much wider than high
structures are.
"""


def country(extent: Extent, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a made-up photo, uint8 (H, W, 3), that has detail at every scale down to the pixel, and its label map.

    Sky, trees, grass and water with ragged borders; each is noise in octaves whose contrast falls as a power of
    frequency (1/f to 1/f^2 in power), as in photos of such things.
    """
    random = np.random.default_rng(seed)
    height, width = extent.shape
    depth = np.linspace(0, 1, height, dtype=np.float32)[:, None] + 0.04 * _octaves(random, extent, 1.0, 1)
    layout = np.select([depth < 0.3, depth < 0.5, depth < 0.7], [0, 1, 3], 4).astype(np.uint8)
    photo = np.zeros((height, width, 3), np.uint8)
    for label, (color, contrast, fall, stretch) in TEXTURES.items():
        light = contrast * _octaves(random, extent, fall, stretch)
        mine = layout == label
        for channel, level in enumerate(color):
            np.copyto(photo[..., channel], np.clip(level + light, 0, 255).astype(np.uint8), where=mine)
    return photo, layout


def _octaves(random: np.random.Generator, extent: Extent, fall: float, stretch: int) -> NDArray[np.float32]:
    """Return noise of about unit variance, float32 (H, W), coarse octaves first, each enlarged with those before it."""
    octaves = max(1, (extent.shorter // 8).bit_length())
    total = np.zeros((1, 1), np.float32)
    for octave in reversed(range(octaves)):
        cell = 1 << octave
        high, wide = -(-extent.height // cell), -(-extent.width // (cell * stretch))
        enlarged = Image.fromarray(total).resize((wide, high), Image.Resampling.BICUBIC)
        total = np.float32(cell**fall) * random.standard_normal((high, wide), np.float32) + np.asarray(enlarged)
    whole = Image.fromarray(total).resize((extent.width, extent.height), Image.Resampling.BICUBIC)
    noise = np.asarray(whole)
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)

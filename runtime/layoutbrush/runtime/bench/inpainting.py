"""The whole task with other tools that fill holes, on the same pictures: they know nothing of labels, and run alone,
without a server. A tool that isn't installed is skipped by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.bench.measure import landscape, painted
from layoutbrush.runtime.geometry import Extent

PATIENCE_S = 60.0
"""A run that would take longer, going by the smaller one before, is skipped by name."""

RADIUS, PATCH = 5, 7
"""Pixels: what OpenCV looks at around a pixel, and a side of PyPatchMatch's patches."""

Photo = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Fill = Callable[[Photo, Mask], Photo]


def bench_inpainting(
    sizes: tuple[int, ...], shares: tuple[float, ...], repeats: int, threads: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each tool, size and share of the mask, medians of `repeats` (one where it takes seconds)."""
    for name, load in TOOLS.items():
        try:
            fill = load(threads)
        except ImportError as error:
            yield {"tool": name, "skipped": f"the package {error.name or name} isn't installed"}
            continue
        for share in shares:
            each = 0.0
            for size in sorted(sizes):
                row: dict[str, object] = {"tool": name, "size": size, "mask": share}
                photo, layout = landscape(Extent(size, size))
                edited, _ = painted(layout, share)
                mask = edited != layout
                if mask.all():
                    yield {**row, "skipped": "nothing is left to copy from"}
                    continue
                if (expected := each * mask.sum()) > PATIENCE_S:
                    yield {**row, "skipped": f"would take about {expected:.0f} s"}
                    continue
                seconds = _seconds(fill, photo, mask, repeats)
                each = seconds / float(mask.sum())
                yield {**row, "result_ms": round(1000 * seconds, 1)}


def _seconds(fill: Fill, photo: Photo, mask: Mask, repeats: int) -> float:
    times: list[float] = []
    while not times or (len(times) < repeats and sum(times) < PATIENCE_S / 10):
        begun = time.perf_counter()
        filled = fill(photo, mask)
        times.append(time.perf_counter() - begun)
        if filled.shape != photo.shape:
            raise ValueError(f"the picture came back as {filled.shape}")
    return float(np.median(times))


def _opencv(method: str) -> Callable[[int], Fill]:
    def load(threads: int) -> Fill:
        import cv2

        if threads:
            cv2.setNumThreads(threads)
        flag = getattr(cv2, method)

        def fill(photo: Photo, mask: Mask) -> Photo:
            return np.asarray(cv2.inpaint(photo, mask.astype(np.uint8) * np.uint8(255), RADIUS, flag), np.uint8)

        return fill

    return load


def _patch_match(threads: int) -> Fill:
    from patchmatch import inpaint, set_random_seed

    def fill(photo: Photo, mask: Mask) -> Photo:
        set_random_seed(1)
        return np.asarray(inpaint(photo, mask.astype(np.uint8) * np.uint8(255), patch_size=PATCH), np.uint8)

    return fill


TOOLS: dict[str, Callable[[int], Fill]] = {
    "OpenCV, Telea": _opencv("INPAINT_TELEA"),
    "OpenCV, Navier-Stokes": _opencv("INPAINT_NS"),
    "PyPatchMatch": _patch_match,
}

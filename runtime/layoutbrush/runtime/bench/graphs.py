"""How long each graph of a bundle takes, alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from layoutbrush.runtime.bench.measure import landscape, median_ms, painted
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.pipeline import Editor, resample
from layoutbrush.runtime.pipeline.scene import KEYS, Scene
from layoutbrush.runtime.pipeline.warping import KeySide, View, known_pixels, refine, warp_coarse, warp_fine


def bench_graphs(
    editor: Editor, sizes: tuple[int, ...], shares: tuple[float, ...], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each graph, size (a multiple of 16, pixels a side) and, where it matters, share of the mask."""
    engine = editor.engine
    for size in sizes:
        whole = Bounds(0, 0, size, size)
        photo, layout = landscape(whole.extent)
        image: Array = resample.to_planes(photo)
        labels: Array = layout.astype(np.int32)[None]
        encode = {"image": image, "layout": labels}
        if "segment" in editor.manifest.graphs:
            yield _row("segment", size, None, median_ms(partial(engine.run, "segment", {"image": image}), repeats))
        yield _row("encode_image", size, None, median_ms(partial(engine.run, "encode_image", encode), repeats))
        features = engine.run("encode_image", encode, KEYS)
        for share in shares:
            edited, bounds = painted(layout, share)
            mask = np.zeros((1, size, size), np.bool_)
            mask[(0, *bounds.slices)] = True
            follow: Array = edited.astype(np.int32)[None]
            source = np.ones_like(mask)
            place = np.array([0, 0, 1, 1], np.float32)
            keys = KeySide(Scene(whole, whole.extent, whole.extent, image, labels, features), source)
            view = View(image, follow, mask, known_pixels(mask, source, labels, follow), place)
            coarse = partial(warp_coarse, engine, view, keys, 0)
            yield _row("warp_coarse", size, share, median_ms(coarse, repeats))
            fine = partial(warp_fine, engine, view, keys, coarse(), 0)
            yield _row("warp_fine", size, share, median_ms(fine, repeats))
            found = fine()
            last = partial(refine, engine, view, found["warped"], found["confidence"], False)
            yield _row("refine", size, share, median_ms(last, repeats))


def _row(graph: str, size: int, share: float | None, milliseconds: float) -> dict[str, object]:
    return {"graph": graph, "size": size, "mask": share, "ms": round(milliseconds, 2)}

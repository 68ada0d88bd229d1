"""How long each graph of a bundle takes, alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from layoutbrush.runtime.bench.measure import landscape, median_ms, painted
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline import Editor, resample
from layoutbrush.runtime.pipeline.scene import KEYS


def bench_graphs(
    editor: Editor, sizes: tuple[int, ...], shares: tuple[float, ...], repeats: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each graph, size (a multiple of 16, pixels a side) and, where it matters, share of the mask."""
    engine = editor.engine
    for size in sizes:
        photo, layout = landscape(Extent(size, size))
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
            common = {"image": image, "edited": follow, "mask": mask}
            warp = {**common, **features, "layout": labels, "source": np.ones_like(mask), "seed": np.zeros(1, np.int32)}
            yield _row("warp", size, share, median_ms(partial(engine.run, "warp", warp), repeats))
            found = engine.run("warp", warp, ("warped", "confidence"))
            refine = {**common, **found}
            yield _row("refine", size, share, median_ms(partial(engine.run, "refine", refine), repeats))


def _row(graph: str, size: int, share: float | None, milliseconds: float) -> dict[str, object]:
    return {"graph": graph, "size": size, "mask": share, "ms": round(milliseconds, 2)}

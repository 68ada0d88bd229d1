"""Whether what is filled in is as sharp as the photo around it, at the photo's own resolution.

For each large label of a photo a square within it is thrown away and made anew under its own label, out of the rest of
the photo; its power spectrum (`spectrum`) is compared with that of the label everywhere else. What stood there before
is compared in the same way: so much differs from place to place in the photo itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.bench.spectrum import FEWEST, band_powers, decibels
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL
from layoutbrush.runtime.pipeline import Editor, EditRequest, Prepared, Result
from layoutbrush.runtime.pipeline.resample import scale_labels, window_sums

OVERVIEW = 256
"""Longest side of the map in which places are looked for."""
GAP = 16
"""Pixels at the rim of what is filled that count for neither side."""


def bench_sharpness(editor: Editor, name: str, prepared: Prepared, share: float) -> Iterator[dict[str, object]]:
    """Yield a row for each label that has room for a square of that share of the photo, and as much again around it.

    Columns: `filled_db`, the bands' differences in decibels, lowest frequency first; `before_db`, the same of what
    stood there; `worst_db`, the largest of the former; `against_before_db`, the largest difference between what
    is filled in and what stood there; `result_ms`, the edit's time.
    """
    layout = prepared.layout
    about = {"photo": name, "size": str(prepared.extent)}
    measured = False
    for label in editor.manifest.labels:
        place = _place(layout, label.id, share)
        if label.id == UNKNOWN_LABEL or place is None:
            continue
        row = _row(editor, prepared, place, label.id)
        if row is not None:
            measured = True
            yield {**about, "label": label.name, **row}
    if not measured:
        yield {**about, "skipped": f"no label has room for a square of {100 * share:g} % twice"}


def _row(editor: Editor, prepared: Prepared, place: Bounds, label: int) -> dict[str, object] | None:
    mask = np.zeros(prepared.extent.shape, np.bool_)
    mask[place.slices] = prepared.layout[place.slices] == label
    request = EditRequest(prepared.layout, mask=mask, exclude=mask, previews=())
    result = next(event for event in editor.edit(prepared, request) if isinstance(event, Result))
    after = prepared.photo.copy()
    after[result.layer.bounds.slices] = result.layer.pixels
    inner = place.grow(-GAP)
    inside, elsewhere = np.zeros_like(mask), prepared.layout == label
    inside[inner.slices] = mask[inner.slices]
    elsewhere[place.grow(GAP).clamp(prepared.extent).slices] = False
    (filled, windows), (before, _) = band_powers(after, inside), band_powers(prepared.photo, inside)
    around, others = band_powers(prepared.photo, elsewhere)
    if min(windows, others) < FEWEST:
        return None
    difference, natural = decibels(filled, around), decibels(before, around)
    return {
        "filled_db": _told(difference),
        "before_db": _told(natural),
        "worst_db": round(float(np.abs(difference).max()), 1),
        "against_before_db": round(float(np.abs(decibels(filled, before)).max()), 1),
        "result_ms": round(result.timings["total"]),
    }


def _told(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:+.1f}" for value in values)


def _place(layout: NDArray[np.uint8], label: int, share: float) -> Bounds | None:
    """Return a square of a share of the map that lies in a label, where it is fullest, with at least as much of the
    label elsewhere; None where there is no room.
    """
    extent = Extent.of_shape(layout.shape)
    small = extent.scaled(min(1.0, OVERVIEW / extent.longer))
    mine = scale_labels(layout, small) == label
    side = round((share * small.area) ** 0.5)
    if side < 1 or side >= small.shorter or mine.sum() < 2.5 * side * side:
        return None
    counts = window_sums(mine, side, side)
    if counts.max() < 0.9 * side * side:
        return None
    rows, columns = np.nonzero(counts == counts.max())
    middle = len(rows) // 2
    scale = extent.width / small.width
    own = round((share * extent.area) ** 0.5)
    return Bounds(round(int(columns[middle]) * scale), round(int(rows[middle]) * scale), own, own).clamp(extent)

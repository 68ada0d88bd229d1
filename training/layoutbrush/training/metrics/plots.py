"""Plots of the tables with Pillow: a panel a set and figure, a row a method, its mean a dot and its interval a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from layoutbrush.training.data.cv import UInt8
from layoutbrush.training.metrics.bootstrap import Estimate
from layoutbrush.training.metrics.tables import Section
from layoutbrush.training.metrics.tables_text import scaled, title
from layoutbrush.training.sheets import grid

FIGURES = ("lpips_m", "dists_m", "fid_m", "style_m", "psnr_m")
NAMES, AXIS, LINE = 190, 260, 20
"""Pixels: width of the names, width of the axis, height of a row."""
INK, PALE, ACCENT = (30, 30, 30), (200, 200, 200), (190, 60, 30)


def panel(head: str, figure: str, rows: Mapping[str, Estimate], accented: Sequence[str] = ()) -> UInt8:
    """One panel, (h, w, 3) uint8. The axis spans the intervals; rows whose names are accented stand out."""
    height = LINE * (len(rows) + 2)
    image = Image.new("RGB", (NAMES + AXIS + 20, height), "white")
    draw = ImageDraw.Draw(image)
    low = min(scaled(figure, e.low) for e in rows.values())
    high = max(scaled(figure, e.high) for e in rows.values())
    span = max(high - low, 1e-9)

    def place(value: float) -> int:
        return NAMES + round((scaled(figure, value) - low) / span * AXIS)

    draw.text((6, 3), head.replace("↓", "(less is better)").replace("↑", "(more is better)"), fill=INK)
    for index, (name, estimate) in enumerate(rows.items(), 1):
        middle, color = LINE * index + LINE // 2, ACCENT if name in accented else INK
        draw.line([(NAMES, middle), (NAMES + AXIS, middle)], fill=PALE)
        draw.text((6, middle - 6), name[:30], fill=color)
        draw.line([(place(estimate.low), middle), (place(estimate.high), middle)], fill=color, width=2)
        x = place(estimate.mean)
        draw.ellipse([x - 4, middle - 4, x + 4, middle + 4], fill=color)
    for value, x in ((low, NAMES), (high, NAMES + AXIS - 34)):
        draw.text((x, height - LINE + 4), f"{value:.3g}", fill=INK)
    return np.asarray(image)


def plot(sections: Sequence[Section], accented: Sequence[str] = ()) -> UInt8:
    """Panels: a line of them a set, a column a figure. Raises ValueError without sections."""
    if not sections:
        raise ValueError("nothing to plot")
    lines = []
    for section in sections:
        figures = [f for f in FIGURES if all(f in own for own in section.figures.values())]
        lines.append(
            [
                panel(f"{section.name}: {title(f)}", f, {r: own[f] for r, own in section.figures.items()}, accented)
                for f in figures
            ]
        )
    return grid(lines)

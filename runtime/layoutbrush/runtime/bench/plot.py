"""Figures of `layoutbrush bench` as a picture: time against size, both logarithmic, a panel a part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

Rows = Sequence[Mapping[str, object]]
Lines = dict[str, list[tuple[float, float]]]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _KEY = 460, 330, 64, 30, 40, 240
_INK, _PALE = (30, 30, 30), (215, 215, 215)
_COLORS = (
    (190, 60, 30), (30, 100, 190), (40, 140, 70), (150, 80, 170), (200, 140, 20), (20, 150, 160), (120, 120, 120),
    (230, 100, 150), (90, 60, 30), (100, 170, 40), (60, 60, 140), (0, 0, 0),
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """One panel. `lines`: by name, points (size, milliseconds)."""

    title: str
    lines: Lines


def panels(sections: Mapping[str, Rows]) -> list[Panel]:
    """The panels for what was measured; parts without sizes have none."""
    edits, tools = sections.get("edit", ()), sections.get("task", ())
    result = _lines(edits, "result_ms", lambda row: f"result, {_share(row)}")
    preview = _lines(edits, "preview_ms", lambda row: f"preview, {_share(row)}")
    others = _lines(tools, "result_ms", lambda row: f"{row['tool']}, {_share(row)}")
    made = [
        Panel("Whole edits over gRPC: ms against pixels a side", {**preview, **result}),
        Panel("The whole task beside other tools: ms against pixels a side", {**result, **others} if others else {}),
        Panel(
            "Graphs: ms against pixels a side",
            _lines(
                sections.get("graphs", ()),
                "ms",
                lambda row: f"{row['graph']}" + (f", {_share(row)}" if row.get("mask") is not None else ""),
            ),
        ),
        Panel(
            "KeyIndexSampling: ns a query against pixels a side",
            _lines(sections.get("ops", ()), "ns a query", lambda row: "native, fast"),
        ),
        Panel(
            "Both ops beside dense attention: ms against pixels a side",
            _lines(
                [row for row in sections.get("ops", ()) if row.get("op") == "both"],
                "ms",
                lambda row: str(row["what"]).rsplit(",", 1)[0],
            ),
        ),
    ]
    return [panel for panel in made if panel.lines]


def write_plot(path: Path, sections: Mapping[str, Rows]) -> bool:
    """Write the panels as one PNG; False where there is nothing to draw."""
    made = panels(sections)
    if not made:
        return False
    across = min(2, len(made))
    down = -(-len(made) // across)
    sheet = Image.new("RGB", (across * (_WIDTH + _KEY), down * _HEIGHT), "white")
    for index, panel in enumerate(made):
        sheet.paste(_drawn(panel), (index % across * (_WIDTH + _KEY), index // across * _HEIGHT))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")
    return True


def _lines(rows: Rows, figure: str, name: Callable[[Mapping[str, object]], str]) -> Lines:
    lines: Lines = {}
    for row in rows:
        size, value = row.get("size"), row.get(figure)
        if isinstance(size, int | float) and isinstance(value, int | float) and value > 0:
            lines.setdefault(name(row), []).append((float(size), float(value)))
    return lines


def _share(row: Mapping[str, object]) -> str:
    share = row.get("mask")
    return f"{100 * share:g} %" if isinstance(share, int | float) else ""


def _drawn(panel: Panel) -> Image.Image:
    image = Image.new("RGB", (_WIDTH + _KEY, _HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    points = [point for line in panel.lines.values() for point in line]
    low, high = math.floor(math.log10(min(y for _, y in points))), math.ceil(math.log10(max(y for _, y in points)))
    high = max(high, low + 1)
    left, right = math.log2(min(x for x, _ in points)), math.log2(max(x for x, _ in points))
    span = max(right - left, 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log2(x) - left) / span if right > left else 0.5
        up = (math.log10(y) - low) / (high - low)
        return _LEFT + across * (_WIDTH - _LEFT - 24), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    draw.text((6, 8), panel.title, fill=_INK)
    for power in range(low, high + 1):
        _, y = place(2**left, 10.0**power)
        draw.line([(_LEFT, y), (_WIDTH - 12, y)], fill=_PALE)
        draw.text((6, y - 6), f"{10.0**power:g}", fill=_INK)
    for size in sorted({x for x, _ in points}):
        x, _ = place(size, 10.0**low)
        draw.line([(x, _TOP), (x, _HEIGHT - _BOTTOM)], fill=_PALE)
        draw.text((x - 12, _HEIGHT - _BOTTOM + 6), f"{size:g}", fill=_INK)
    for index, (name, line) in enumerate(panel.lines.items()):
        color = _COLORS[index % len(_COLORS)]
        placed = [place(x, y) for x, y in sorted(line)]
        if len(placed) > 1:
            draw.line(placed, fill=color, width=2)
        for x, y in placed:
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=color)
        draw.line([(_WIDTH, _TOP + 8 + 16 * index), (_WIDTH + 14, _TOP + 8 + 16 * index)], fill=color, width=3)
        draw.text((_WIDTH + 20, _TOP + 2 + 16 * index), name[:36], fill=_INK)
    return image

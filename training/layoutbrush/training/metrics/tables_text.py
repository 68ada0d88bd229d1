"""The tables as Markdown and JSON: every figure with its 95 % interval, the best value of a column in bold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from layoutbrush.training.metrics.assembly import best, is_better
from layoutbrush.training.metrics.bootstrap import Estimate
from layoutbrush.training.metrics.tables import Section, Tables

TITLES = {
    "lpips": "LPIPS ↓",
    "dists": "DISTS-like ↓",
    "gabor": "Gabor ↓",
    "gmsd": "GMSD ↓",
    "style": "style ↓",
    "fid": "FID ↓",
    "kid": "KID, thousandths ↓",
    "psnr": "PSNR dB ↑",
    "ssim": "SSIM ↑",
    "l1": "l1 ↓",
    "out_l1": "l1 outside ↓",
}
INSIDE = ("lpips_m", "dists_m", "gabor_m", "gmsd_m", "style_m", "fid_m", "kid_m", "psnr_m", "ssim_m", "l1_m", "out_l1")
WHOLE = ("lpips_w", "dists_w", "gabor_w", "gmsd_w", "style_w", "fid_w", "kid_w", "psnr_w", "ssim_w", "l1_w")


@dataclass(frozen=True)
class Facts:
    """What the reader should know: networks by what they judge ("" = none), what each row is, which rows had the
    judging network in their loss, and the command that made the tables.
    """

    networks: Mapping[str, str]
    rows: Mapping[str, str]
    in_loss: Sequence[str]
    command: str = ""


def digits(figure: str) -> int:
    """Decimals of a figure in the tables."""
    name = figure if figure == "out_l1" else figure[:-2]
    return {"psnr": 2, "fid": 2, "kid": 1, "l1": 4, "out_l1": 4, "gmsd": 4}.get(name, 3)


def scaled(figure: str, value: float) -> float:
    """The value as shown: KID is shown in thousandths."""
    return value * 1000 if figure.startswith("kid") else value


def shown(figure: str, estimate: Estimate, *, signed: bool = False) -> str:
    """`0.289 [0.277, 0.301]`, with the figure's decimals."""
    style = f"{'+' if signed else ''}.{digits(figure)}f"
    mean, low, high = (format(scaled(figure, v), style) for v in (estimate.mean, estimate.low, estimate.high))
    return f"{mean} [{low}, {high}]"


def title(figure: str) -> str:
    """The head of a column."""
    return TITLES[figure if figure in TITLES else figure[:-2]]


def figure_table(section: Section, figures: Sequence[str], *, intervals: bool = True) -> str:
    """A row a method, a column a figure; the best in bold."""
    present = [f for f in figures if all(f in own for own in section.figures.values())]
    if not present:
        return ""
    winners = {f: best(f, {row: own[f].mean for row, own in section.figures.items()}) for f in present}
    lines = ["| | " + " | ".join(title(f) for f in present) + " |", "|---" * (len(present) + 1) + "|"]
    for row, own in section.figures.items():
        cells = []
        for figure in present:
            text = shown(figure, own[figure])
            if not intervals:
                text = text.split(" [")[0]
            ties = figure == "out_l1"
            cells.append(f"**{text}**" if winners[figure] == row and not ties else text)
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference_table(section: Section, subject: str) -> str:
    """Subject minus each other row; bold where the interval excludes 0, a star at the best comparator of a column."""
    against = section.differences[subject]
    figures = list(next(iter(against.values()), {}))
    if not figures:
        return ""
    lines = [f"| {subject} minus | " + " | ".join(title(f) for f in figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for row, own in against.items():
        cells = []
        for figure in figures:
            text = shown(figure, own[figure], signed=True)
            text = f"**{text}**" if own[figure].excludes_zero() else text
            cells.append(text + (" ★" if section.best.get(figure) == row else ""))
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdict_lines(section: Section, subject: str) -> list[str]:
    """A sentence a figure: the subject against the best comparator."""
    lines = []
    for figure, rival in section.best.items():
        own = section.differences[subject].get(rival, {}).get(figure)
        if own is not None:
            word = "better" if is_better(figure, own.mean, 0.0) else "worse"
            sure = "" if own.excludes_zero() else ", not beyond chance"
            lines.append(f"{title(figure)[:-2]} {word} than {rival} by {shown(figure, own, signed=True)}{sure}")
    return lines


def _sections(heading: str, what: str, sections: Sequence[Section]) -> list[str]:
    if not sections:
        return []
    parts = [f"## {heading}", what]
    for section in sections:
        parts += [f"### {section.name}, {section.tasks} tasks", "Inside the mask:", figure_table(section, INSIDE)]
        parts += ["Whole picture:", figure_table(section, WHOLE, intervals=False)]
        for subject in section.differences:
            lines = "; ".join(verdict_lines(section, subject))
            parts += [f"**{subject}** against the best comparator (★): {lines}." if lines else "", ""]
            parts += [difference_table(section, subject)]
    return parts


def markdown(tables: Tables, facts: Facts) -> str:
    """All tables, with what one needs to read them."""
    parts = ["# Tables", *_reading(facts)]
    parts += _sections(
        "Table 1: reconstruction", "Foreign content covers the photo; it is to be undone.", tables.reconstruction
    )
    parts += _sections(
        "Table 2: manipulation", "A region was moved, grown or shrunk; the way back is asked for.", tables.manipulation
    )
    if tables.ablation:
        parts += [
            "## Table 3: ablation",
            "Each rung has one thing more than the one before; sets of one collection joined.",
        ]
        for section in tables.ablation:
            parts += [f"### {section.name}, {section.tasks} tasks", figure_table(section, INSIDE)]
        parts += ["Upper rung minus lower rung:", _rung_table(tables)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rung_table(tables: Tables) -> str:
    lines = ["| set | rungs | figure | difference | |", "|---|---|---|---|---|"]
    for rung in tables.rungs:
        sure = rung.difference.excludes_zero()
        word = ("better" if rung.better else "worse") + ("" if sure else ", within chance")
        text = shown(rung.figure, rung.difference, signed=True)
        lines.append(f"| {rung.section} | {rung.upper} - {rung.lower} | {title(rung.figure)} | {text} | {word} |")
    return "\n".join(lines)


def _reading(facts: Facts) -> list[str]:
    n = facts.networks
    words = []
    if n.get("perceptual"):
        words += [f"LPIPS and style by {n['perceptual']}; FID and KID by the deepest features of {n['sets']},"]
        if n["sets"] != "inception":
            words += ["in units of the truth's root mean square and"]
        words += ["averaged over the mask. FID is biased upwards on sets as small as these: compare it only within"]
        words += ["a set. KID has no such bias."]
    else:
        words += ["No LPIPS, style, FID and KID: no feature network's weights were given."]
    if facts.in_loss:
        words += [f"**{n['perceptual']} was part of the losses of {', '.join(facts.in_loss)}**, so it may not judge"]
        words += ["them alone:"]
        if n.get("dists"):
            words += ["DISTS-like asks the decoder of a segmentation network, whose goal was label maps;"]
        words += ["Gabor asks oriented filters, with DISTS' comparison of structure and texture, and GMSD gradients:"]
        words += ["no network."]
    words += ["Brackets: 95 % bootstrap interval over the tasks. Differences are paired: both rows are resampled"]
    words += ["together."]
    rows = "| row | what |\n|---|---|\n" + "\n".join(f"| {name} | {what} |" for name, what in facts.rows.items())
    made = [f"Made by:\n\n```\n{facts.command}\n```"] if facts.command else []
    return [" ".join(words), rows, *made]


def to_json(tables: Tables, facts: Facts) -> str:
    """Everything, with all digits."""
    return json.dumps({"facts": asdict(facts), **asdict(tables)}, indent=1) + "\n"

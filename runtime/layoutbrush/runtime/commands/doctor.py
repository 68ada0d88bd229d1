"""Say what is installed, which engines and instruction sets are used, what is missing and how to get it.

The exit status is 0 where photos can be edited here, 1 where not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layoutbrush.runtime.examination import Finding


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush doctor`."""

    bundle: str = "scenes"
    """Bundle to check: the name of a shipped one, or a path."""

    json: bool = False
    """Print JSON instead of a table."""


def run(config: Config) -> int:
    """Examine and print; returns the exit status."""
    from layoutbrush.runtime.examination import BROKEN, examine

    findings = examine(config.bundle)
    if config.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _print(findings)
    return int(any(finding.state == BROKEN for finding in findings))


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    area = ""
    for finding in findings:
        mark = {"ok": "[green]ok[/green]", "missing": "[yellow]--[/yellow]"}.get(finding.state, "[red]BROKEN[/red]")
        remedy = f"\n[dim]-> {escape(finding.remedy)}[/dim]" if finding.remedy else ""
        first = finding.area if finding.area != area else ""
        area = finding.area
        table.add_row(f"[bold]{first}[/bold]", mark, finding.name, escape(finding.detail) + remedy)
    Console(highlight=False).print(table)

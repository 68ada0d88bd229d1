"""Validate a bundle or checkpoints: torch, ONNX, native and CUDA kernels, TensorRT on the same inputs, one table.

Each row names what was compared, the worst difference and the tolerance; what can't run here is skipped with its
reason. Checkpoints are exported first. The exit status is 1 when a row is out of tolerance.

    layoutbrush validate scenes
    layoutbrush validate bundles/scenes --checkpoints runs --json report.json
    layoutbrush validate drafts --checkpoints runs/drafts
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from torch import nn

    from layoutbrush.export.validation.rows import Row
    from layoutbrush.runtime.bundle import Bundle


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush validate`."""

    target: Annotated[str, tyro.conf.Positional]
    """A bundle (the name of a shipped one, a folder, a zip), or a folder of checkpoints."""
    checkpoints: Path | None = None
    """The checkpoints that a bundle was exported from: without them the rows of torch are skipped."""
    ops: bool = True
    """Compare the two ops on their case tables too."""
    threads: int = 0
    """CPU threads; 0 for all cores."""
    json: Path | None = None
    """Write the table as JSON too."""


def run(config: Config) -> int:
    """Validate and print; returns the exit status: 1 when a row is out of tolerance."""
    from layoutbrush.export.to_onnx import ExportError
    from layoutbrush.runtime.cli import check_output
    from layoutbrush.training.trainer.weights import WeightsError

    check_output(config.json, "--json")
    try:
        with _opened(config) as (bundle, modules):
            rows = _rows(config, bundle, modules)
    except (ExportError, WeightsError, FileNotFoundError) as error:
        print(f"Nothing was validated: {error}", file=sys.stderr)
        return 1
    _print(rows)
    if config.json:
        config.json.write_text(json.dumps([_plain(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.failed for row in rows) else 0


@contextmanager
def _opened(config: Config) -> Iterator[tuple[Bundle, dict[str, nn.Module]]]:
    """The bundle, and the modules of its graphs where checkpoints are given; checkpoints alone are exported."""
    import onnx

    from layoutbrush.export.bundling import BundleFacts, scenes_labels, write_bundle
    from layoutbrush.export.half import has_half_weights, round_weights
    from layoutbrush.export.networks import load_networks
    from layoutbrush.runtime.bundle import MANIFEST_FILE, Bundle, ModelCard

    target = Path(config.target)
    if target.is_dir() and not (target / MANIFEST_FILE).is_file():
        modules = load_networks(target)
        facts = BundleFacts("validated", "0", scenes_labels(), ModelCard("Exported to be validated.", ""))
        with tempfile.TemporaryDirectory() as folder:
            yield write_bundle(Path(folder) / "bundle", modules, facts, report=print), modules
        return
    bundle = Bundle.load(config.target)
    edits = "draft" not in bundle.manifest.graphs
    modules = load_networks(config.checkpoints) if config.checkpoints and edits else {}
    for name, module in modules.items():
        if name in bundle.manifest.graphs and has_half_weights(onnx.load_from_string(bundle.read_graph(name))):
            round_weights(module)
    yield bundle, modules


def _rows(config: Config, bundle: Bundle, modules: dict[str, nn.Module]) -> list[Row]:
    import onnx
    import torch

    from layoutbrush.export.examples import edit_example
    from layoutbrush.export.graphs import GRAPHS
    from layoutbrush.export.validation import graph_rows, node_rows, op_rows, tensorrt_backend, tensorrt_rows
    from layoutbrush.export.validation.backends import BODY, onnx_backend, torch_backend
    from layoutbrush.export.validation.rows import Row
    from layoutbrush.export.validation.tolerances import PICTURE

    if config.threads:
        torch.set_num_threads(config.threads)
    if "draft" in bundle.manifest.graphs:
        from layoutbrush.export.drafting import draft_network
        from layoutbrush.export.validation.draft_rows import draft_rows

        network = draft_network(config.checkpoints) if config.checkpoints else None
        return draft_rows(bundle, network, config.threads)
    models = {n: onnx.load_from_string(bundle.read_graph(n)) for n in GRAPHS if n in bundle.manifest.graphs}
    backends = [
        torch_backend(modules),
        onnx_backend(models, library=False, threads=config.threads),
        onnx_backend(models, library=True, threads=config.threads),
    ]
    rows = list(op_rows()) if config.ops else []
    rows += tensorrt_rows(bundle)
    engines = tensorrt_backend(bundle)
    if missing := engines.lacks(""):
        rows.append(Row("all graphs", engines.name, PICTURE, skipped=missing))
    else:
        backends.append(engines)
    labels = len(bundle.labels)
    if "warp_fine" in models:
        examples = edit_example(1, 64, 80, labels)
        body = next(backend for backend in backends if backend.name == BODY)
        for graph in ("encode_image", "warp_coarse", "warp_fine"):
            rows += node_rows(models[graph], examples, graph, config.threads)
            examples |= body.run(graph, "jump_flood", examples)
    return rows + graph_rows(list(models), backends, labels)


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("compared", "backends", "measure", "worst", "tolerance", "of", "result"):
        table.add_column(name, justify="right" if name in ("worst", "tolerance", "of") else "left")
    for row in rows:
        measured = ("", "") if row.skipped else (f"{row.value:.3g}", str(row.count))
        bound = f"{'>=' if row.tolerance.least else '<='} {row.tolerance.bound:g}"
        style = "red" if row.failed else "dim" if row.skipped else ""
        cells = (row.subject, row.pair, row.tolerance.measure, measured[0], bound, measured[1], row.result)
        table.add_row(*cells, style=style)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    failed, skipped = sum(row.failed for row in rows), sum(bool(row.skipped) for row in rows)
    print(f"{len(rows) - failed - skipped} within tolerance, {failed} not, {skipped} skipped")


def _plain(row: Row) -> dict[str, Any]:
    return asdict(row) | {"result": row.result, "value": None if row.skipped else row.value}

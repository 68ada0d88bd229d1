"""`layoutbrush bench` measures what it says, on the stand-in for networks; no figure is judged here."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from layoutbrush.plugin_bridge.private_server import ServerProblem, private_server
from layoutbrush.runtime import cli
from layoutbrush.runtime.bench.graphs import bench_graphs
from layoutbrush.runtime.bench.measure import landscape, median_ms, painted, peak_memory
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.pipeline import open_editor

needs_commands = pytest.mark.skipif(
    not metadata.entry_points(group=cli.GROUP), reason="layoutbrush is not installed here: no commands are registered"
)


def test_painted_share_is_the_share() -> None:
    photo, layout = landscape(Extent(200, 100))
    assert photo.shape == (100, 200, 3)
    for share in (0.01, 0.1, 0.5):
        edited, bounds = painted(layout, share)
        assert abs((edited != layout).mean() - share) < 0.02
        assert bounds.area == (edited != layout).sum()


def test_median_leaves_the_first_call_out() -> None:
    calls: list[int] = []
    assert median_ms(lambda: calls.append(1), 3) >= 0
    assert len(calls) == 4


def test_graphs_have_a_row_each() -> None:
    rows = list(bench_graphs(open_editor("stand-in"), (64,), (0.1, 1.0), 1))
    assert [row["graph"] for row in rows] == ["segment", "encode_image", "warp", "refine", "warp", "refine"]
    assert all(isinstance(row["ms"], float) for row in rows)


@needs_commands
def test_edits_are_measured_through_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    words = ["bench", "edit", "--bundle", "stand-in", "--sizes", "96", "--masks", "0.1", "--repeats", "1"]
    assert cli.main([*words, "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert 0 < row["preview_ms"] <= row["result_ms"]
    assert row["sent_bytes"] >= 96 * 96
    assert row["received_bytes"] > 0.1 * 96 * 96
    assert "preview_ms" in capsys.readouterr().out


@needs_commands
def test_drafts_are_measured_through_a_server(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    words = ["bench", "drafts", "--drafts", "stand-in", "--boxes", "1", "30", "--counts", "2", "--repeats", "1"]
    assert cli.main([*words, "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["boxes"], row["drafts"]) for row in rows] == [(1, 2), (30, 2)]
    assert all(0 < row["first_ms"] <= row["all_ms"] for row in rows)


@needs_commands
def test_private_server_comes_and_goes() -> None:
    with private_server("stand-in") as address:
        assert address.startswith("127.0.0.1:")
    with pytest.raises(ServerProblem, match="no-such-bundle"), private_server("no-such-bundle"):
        pass


def test_peak_memory_of_a_process_that_is_gone_is_unknown() -> None:
    assert peak_memory(2**22 + 1) == 0

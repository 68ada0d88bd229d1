"""`layoutbrush bench` measures what it says, on the stand-in for networks; no figure is judged here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from layoutbrush.plugin_bridge.private_server import ServerProblem, private_server
from layoutbrush.runtime import cli
from layoutbrush.runtime.bench import inpainting
from layoutbrush.runtime.bench.edits import bench_edits, own_server
from layoutbrush.runtime.bench.graphs import bench_graphs
from layoutbrush.runtime.bench.measure import landscape, median_ms, painted, peak_memory
from layoutbrush.runtime.bench.plot import panels
from layoutbrush.runtime.commands import bench
from layoutbrush.runtime.errors import FailedPrecondition, NotFound
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.ops import benchmark, native
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
    edit = ["warp_coarse", "warp_fine", "refine"]
    assert [row["graph"] for row in rows] == ["segment", "encode_image", *edit, *edit]
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


@needs_commands
def test_strokes_that_supersede_are_measured_beside_an_idle_server(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    words = ["bench", "supersede", "--bundle", "stand-in", "--sizes", "96", "--masks", "0.1", "--repeats", "2"]
    assert cli.main([*words, "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    idle, hurried = row["idle_preview_ms"], row["superseding_preview_ms"]  # rounded to tenths, the ratio to hundredths
    assert (hurried - 0.05) / (idle + 0.05) - 0.005 <= row["ratio"] <= (hurried + 0.05) / (idle - 0.05) + 0.005
    assert row["worst_ms"] >= row["superseding_preview_ms"] > 0


@needs_commands
def test_other_tools_fill_the_same_holes_or_are_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "patchmatch", None)  # not installed
    out, plot = tmp_path / "bench.json", tmp_path / "plots" / "bench.png"
    words = ["bench", "task", "--sizes", "64", "96", "--masks", "0.1", "1", "--repeats", "1"]
    assert cli.main([*words, "--json", str(out), "--plot", str(plot)]) == 0
    found = json.loads(out.read_text())
    assert found["machine"]["cores"] >= 1
    rows = {(row["tool"], row.get("size"), row.get("mask")): row for row in found["sections"]["task"]}
    assert "patchmatch" in rows["PyPatchMatch", None, None]["skipped"]
    if "skipped" not in rows.get(("OpenCV, Telea", None, None), {}):
        assert rows["OpenCV, Telea", 96, 0.1]["result_ms"] > 0
        assert "copy from" in rows["OpenCV, Telea", 64, 1.0]["skipped"]
        with Image.open(plot) as picture:
            assert picture.width > 300


def test_a_tool_that_would_take_too_long_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fill(photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        asked.append(photo.shape[0])
        return photo

    monkeypatch.setattr(inpainting, "TOOLS", {"slow": lambda threads: fill})
    monkeypatch.setattr(inpainting, "PATIENCE_S", 1e-9)
    rows = list(inpainting.bench_inpainting((128, 64), (0.1,), 3, 1))
    assert asked == [64]
    assert "would take about" in str(rows[1]["skipped"])


@needs_commands
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["graphs", "--sizes", "65"], "--sizes"),
        (["edit", "--masks", "nan"], "--masks"),
        (["large", "--megapixels", "0"], "--megapixels"),
        (["drafts", "--boxes", "65"], "--boxes"),
        (["drafts", "--counts", "0"], "--counts"),
        (["edit", "--repeats", "0"], "--repeats"),
        (["graphs", "--json", "FOLDER"], "--json"),
        (["graphs", "--plot", "FILE/plot.png"], "--plot"),
        (["sharpness", "--photos", "nowhere.png"], "nowhere.png"),
        (["sharpness", "--photos", "FILE"], "--photos text.png"),
        (["graphs", "--bundle", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    given = [word.replace("FOLDER", str(tmp_path)).replace("FILE", str(tmp_path / "text.png")) for word in words]
    assert cli.main(["bench", "--bundle", "stand-in", *given]) != 0
    found = capsys.readouterr().err
    assert said in found
    assert "Traceback" not in found


@needs_commands
def test_what_the_server_refuses_is_said_in_its_words() -> None:
    with own_server("stand-in", 1) as server, pytest.raises(FailedPrecondition, match="at least 64 a side"):
        list(bench_edits(server, (32,), (0.1,), 1))


def test_rows_become_panels_of_lines() -> None:
    edits = [{"size": s, "mask": m, "preview_ms": s / 4, "result_ms": s * 1.0} for s in (256, 512) for m in (0.1, 1.0)]
    tools: list[dict[str, object]] = [
        {"tool": "other", "size": 256, "mask": 0.1, "result_ms": 900.0},
        {"tool": "none", "skipped": "no"},
    ]
    made = panels({"edit": edits, "task": tools, "drafts": [{"boxes": 8, "all_ms": 3.0}]})
    assert [len(panel.lines) for panel in made] == [4, 3]
    assert made[0].lines["result, 10 %"] == [(256.0, 256.0), (512.0, 512.0)]
    assert made[1].lines["other, 10 %"] == [(256.0, 900.0)]
    assert panels({"drafts": [{"boxes": 8, "all_ms": 3.0}]}) == []


def test_other_tools_are_compared_with_the_edit_of_their_size_and_mask() -> None:
    rows: list[dict[str, object]] = [
        {"tool": "a", "size": 64, "mask": 0.1, "result_ms": 50.0},
        {"tool": "b", "size": 64, "mask": 0.5, "result_ms": 50.0},
        {"tool": "c", "skipped": "no"},
    ]
    bench._compare(rows, [{"size": 64, "mask": 0.1, "result_ms": 20.0}])
    assert [row.get("times") for row in rows] == [2.5, None, None]


@pytest.mark.skipif(not native.available(), reason="the native kernels aren't built")
def test_the_cost_of_a_query_is_followed_over_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(benchmark.scaling_rows((96, 64), 1, 1))
    assert [row["size"] for row in rows] == [64, 96]
    assert rows[0]["times"] == 1.0
    assert all(float(str(row["ns a query"])) > 0 for row in rows)
    monkeypatch.setattr(benchmark, "_free_bytes", lambda: 1e6)
    assert ["skipped" in row for row in benchmark.scaling_rows((64, 512), 1, 1)] == [False, True]


@pytest.mark.skipif(not native.available(), reason="the native kernels aren't built")
def test_dense_attention_is_what_sparse_attention_stands_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = pytest.importorskip("layoutbrush.training.ops.dense", reason="the extra training isn't installed")
    rng = np.random.default_rng(0)
    query, key = (rng.normal(size=(1, 6, 5, 8)).astype(np.float32) for _ in range(2))
    values = rng.random((1, 6, 5, 3), np.float32)
    scores = np.exp(2.0 * query.reshape(30, 8) @ key.reshape(30, 8).T)
    expected = (scores / scores.sum(1, keepdims=True)) @ values.reshape(30, 3)
    found = dense.dense_attention(query, key, values, 2.0)
    np.testing.assert_allclose(found.reshape(30, 3), expected, atol=1e-5)
    monkeypatch.setattr(benchmark, "DENSE_SIZES", (32,))
    monkeypatch.setattr(benchmark, "_registered", lambda name: iter([dense]))
    assert [row["op"] for row in benchmark.dense_rows(1, 1)] == ["both", "both"]


def test_all_parts_are_measured_in_one_run_and_what_cannot_be_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drafts(config: bench.Config) -> Iterator[dict[str, object]]:
        yield from ()
        raise NotFound("There is no bundle 'drafts'.")

    edits = {"size": 64, "mask": 0.1, "preview_ms": 4.0, "result_ms": 20.0}
    tools = {"tool": "a", "size": 64, "mask": 0.1, "result_ms": 50.0}
    parts = {"edit": lambda config: iter([dict(edits)]), "task": lambda config: iter([dict(tools)]), "drafts": drafts}
    monkeypatch.setattr(bench, "PARTS", parts)
    monkeypatch.setattr(bench, "IN_ALL", tuple(parts))
    out, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    assert bench.run(bench.Config(json=out, plot=plot)) == 0
    sections = json.loads(out.read_text())["sections"]
    assert sections["edit"] == [edits]
    assert sections["task"] == [{**tools, "times": 2.5}]
    assert "no bundle" in sections["drafts"][0]["skipped"]
    assert plot.stat().st_size > 1000
    assert "skipped" in capsys.readouterr().out
    with pytest.raises(NotFound):
        bench.run(bench.Config("drafts"))

"""`layoutbrush validate`: a sound bundle passes, a graph that computes something else is found, skips have reasons."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from layoutbrush.runtime.bundle import Bundle, write
from layoutbrush.runtime.engines.tensorrt.package import installed
from layoutbrush.runtime.ops import native

pytestmark = pytest.mark.timeout(1800)  # the first to run exports all graphs: minutes on a busy machine


def test_bundle_and_checkpoints_agree(
    bundle: Path, checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from layoutbrush.export.commands.validate import Config, run

    report = tmp_path / "report.json"
    assert run(Config(str(bundle), checkpoints=checkpoints, threads=2, json=report, ops=False)) == 0
    found = json.loads(report.read_text())
    without_card = [row for row in found if row["pair"].startswith(("TensorRT parse", "TensorRT build"))]
    assert len(without_card) == 2 * 6  # each graph is parsed and built
    if installed() == "tensorrt_rtx":
        assert {row["result"] for row in without_card} == {"ok"}
    else:
        assert all(row["skipped"] for row in without_card)
    rows = [row for row in found if "TensorRT" not in row["pair"]]
    assert {row["subject"] for row in rows} == {
        "warp_coarse, KeyIndexSampling nodes",
        "warp_fine, KeyIndexSampling nodes",
        "warp_coarse, SparseAttentionWarp nodes",
        "warp_fine, SparseAttentionWarp nodes",
        "encode_image",
        "warp_coarse, jump_flood",
        "warp_coarse, fast",
        "warp_fine, jump_flood",
        "warp_fine, fast",
        "refine",
        "segment",
        "complete",
    }
    measured = [row for row in rows if not row["skipped"]]
    assert all(row["result"] == "ok" for row in measured)
    assert all("torch" not in row["pair"] for row in rows if row["skipped"])
    if native.available():
        assert measured == rows
    exact = [row for row in measured if row["subject"].endswith(", KeyIndexSampling nodes")]
    assert all(row["value"] == 0 for row in exact)
    assert "within tolerance, 0 not" in capsys.readouterr().out


def test_torch_is_skipped_without_checkpoints(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from layoutbrush.export.commands.validate import Config, run

    report = tmp_path / "report.json"
    assert run(Config(str(bundle), threads=2, json=report, ops=False)) == 0
    rows = [row for row in json.loads(report.read_text()) if "torch" in row["pair"]]
    assert rows
    assert {row["skipped"] for row in rows} == {"no checkpoint was given"}
    assert "skipped: no checkpoint was given" in capsys.readouterr().out


def test_a_changed_weight_is_found(
    bundle: Path, checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx
    from onnx import numpy_helper

    from layoutbrush.export.commands.validate import Config, run

    opened = Bundle.load(bundle)
    files = {name: opened.read(name) for name in opened.manifest.hashes}
    model = onnx.load_from_string(files["refine.onnx"])
    for initializer in model.graph.initializer:
        weights = numpy_helper.to_array(initializer)
        if weights.ndim == 4 and weights.size > 256:
            initializer.CopyFrom(numpy_helper.from_array(weights * np.asarray(1.5, weights.dtype), initializer.name))
    files["refine.onnx"] = model.SerializeToString()
    write(tmp_path / "changed", opened.manifest, files)
    assert run(Config(str(tmp_path / "changed"), checkpoints=checkpoints, threads=2, ops=False)) == 1
    found = capsys.readouterr().out
    assert "differs" in found
    assert all("refine" in line for line in found.splitlines() if line.rstrip().endswith("differs"))


def test_ops_rows_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    from layoutbrush.export.validation import backends

    module = importlib.import_module("layoutbrush.export.validation.op_rows")

    cases = {"sampling_cases": module.sampling_cases()[:3], "warp_cases": module.warp_cases()[:3]}
    for name, few in cases.items():
        monkeypatch.setattr(module, name, lambda few=few: few)
    monkeypatch.setattr(native, "available", lambda: False)
    rows = list(module.op_rows())
    skipped = {row.pair.removeprefix("NumPy / ") for row in rows if row.skipped}
    assert skipped == {backends.KERNEL, "CUDA emulated", "CUDA", *(f"C++ {isa}" for isa in module.ISAS)}
    reasons = {row.skipped for row in rows if row.skipped and row.pair != "NumPy / CUDA"}
    assert reasons == {"the native library is not built"}
    assert not any(row.failed for row in rows)


def test_nothing_to_validate_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("torch", "onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    from layoutbrush.export.commands.validate import Config, run

    assert run(Config(str(tmp_path))) == 1
    assert "Nothing was validated" in capsys.readouterr().err


def test_a_value_that_is_no_number_never_passes() -> None:
    pytest.importorskip("onnx", reason="the extra `export` is not installed")
    from layoutbrush.export.validation.rows import Row, Tolerance, merged

    tolerance = Tolerance("largest difference", 1.0)
    rows = [Row("op", "a / b", tolerance, value, 1) for value in (0.5, float("nan"), 0.2)]
    (row,) = merged(rows)
    assert row.failed
    assert row.count == 3
    assert Tolerance("PSNR", 30, least=True).worse(31, 40) == 31

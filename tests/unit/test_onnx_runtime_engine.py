"""The ONNX Runtime engine on tiny graphs: function bodies, checks against the manifest, shared threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from layoutbrush.runtime.bundle import Bundle, GraphSpec, Label, Manifest, ModelCard, TensorSpec, write
from layoutbrush.runtime.engines import open_engine
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.errors import DamagedBundle, Internal, InvalidArgument, NotFound

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra: export)")

X = TensorSpec("x", "float32", ("B", "N"))
DOUBLED, TRIPLED = TensorSpec("doubled", "float32", ("B", "N")), TensorSpec("tripled", "float32", ("B", "N"))


def graph(with_body: bool = False) -> bytes:
    """doubled = 2 x, tripled = 3 x; the latter through a custom op that has a function body only."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("Add", ["x", "x"], ["doubled"])]
    functions = []
    imports = [helper.make_opsetid("", 18)]
    if with_body:
        nodes.append(helper.make_node("Thrice", ["x"], ["tripled"], domain="layoutbrush.test"))
        body = [helper.make_node("Add", ["x", "x"], ["t"]), helper.make_node("Add", ["t", "x"], ["y"])]
        functions.append(helper.make_function("layoutbrush.test", "Thrice", ["x"], ["y"], body, imports))
        imports = [*imports, helper.make_opsetid("layoutbrush.test", 1)]
    else:
        nodes.append(helper.make_node("Add", ["doubled", "x"], ["tripled"]))
    values = [helper.make_tensor_value_info(name, kind, ["B", "N"]) for name in ("x", "doubled", "tripled")]
    made = helper.make_graph(nodes, "g", values[:1], values[1:])
    model = helper.make_model(made, opset_imports=imports, functions=functions, ir_version=9)
    return bytes(model.SerializeToString())


def bundle(folder: Path, data: bytes, **changes: Any) -> Bundle:
    values = {"file": "g.onnx", "sha256": "", "inputs": (X,), "outputs": (DOUBLED, TRIPLED)} | changes
    card = ModelCard("A test.", "Apache-2.0")
    labels = (Label(0, "sky", "#000000"),)
    manifest = Manifest("tiny", "1", labels, {"g": GraphSpec(**values)}, {}, card)
    return write(folder / "tiny", manifest, {"g.onnx": data})


@pytest.mark.parametrize("with_body", [False, True])
def test_graph_runs_with_selected_outputs(tmp_path: Path, with_body: bool) -> None:
    engine = OnnxRuntimeEngine(bundle(tmp_path, graph(with_body)), threads=1, library=None)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = engine.run("g", {"x": x})
    np.testing.assert_array_equal(found["doubled"], 2 * x)
    np.testing.assert_array_equal(found["tripled"], 3 * x)
    assert set(engine.run("g", {"x": x}, ("tripled",))) == {"tripled"}
    # A view that is not contiguous is taken too.
    np.testing.assert_array_equal(engine.run("g", {"x": x[:, ::2]}, ("doubled",))["doubled"], 2 * x[:, ::2])


def test_faults_have_names(tmp_path: Path) -> None:
    engine = open_engine(bundle(tmp_path, graph()), threads=1)
    with pytest.raises(NotFound):
        engine.run("other", {})
    with pytest.raises(Internal):
        engine.run("g", {"x": np.zeros((2, 3), np.int32)})
    with pytest.raises(Internal):
        engine.run("g", {})


def test_graph_must_be_what_the_manifest_says(tmp_path: Path) -> None:
    with pytest.raises(DamagedBundle, match="inputs and outputs"):
        open_engine(bundle(tmp_path, graph(), outputs=(DOUBLED,)), threads=1)
    with pytest.raises(DamagedBundle, match="inputs and outputs"):
        open_engine(bundle(tmp_path, graph(), inputs=(TensorSpec("x", "int32", ("B", "N")),)), threads=1)
    with pytest.raises(DamagedBundle, match="can't load"):
        open_engine(bundle(tmp_path, b"no graph at all"), threads=1)


def test_providers_are_checked(tmp_path: Path) -> None:
    tiny = bundle(tmp_path, graph())
    with pytest.raises(InvalidArgument):
        open_engine(tiny, provider="abacus")
    with pytest.raises(InvalidArgument) as refused:
        open_engine(tiny, threads=-1)
    assert refused.value.field == "threads"
    assert open_engine(tiny, threads=2, provider="cpu").name == "onnxruntime-cpu"
    assert "2 threads" in open_engine(tiny, threads=2).note


def test_many_threads_may_call_one_engine(tmp_path: Path) -> None:
    engine = open_engine(bundle(tmp_path, graph()), threads=2)
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            x = np.full((4, 5), k, np.float32)
            if not (engine.run("g", {"x": x})["tripled"] == 3 * k).all():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("version", "spins"), [("1.23.2", False), ("1.31.0", True), ("2.0.0rc1", True)])
def test_threads_spin_only_where_that_is_bounded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, spins: bool
) -> None:
    options = onnxruntime.SessionOptions()
    monkeypatch.setattr(onnxruntime, "SessionOptions", lambda: options)
    monkeypatch.setattr(onnxruntime, "__version__", version)
    OnnxRuntimeEngine(bundle(tmp_path, graph()), threads=1, library=None)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == str(int(spins))
    if spins:
        assert int(options.get_session_config_entry("session.intra_op.spin_duration_us")) <= 1000
        assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_native_library_outlives_its_last_session(tmp_path: Path) -> None:
    """Threads of its pool may still be at work: in a process of its own, as a failure would end this one."""
    from layoutbrush.runtime.ops import native

    if not native.available():
        pytest.skip("the native library is not built")
    code = """
import gc
from pathlib import Path
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.ops.native import library_path
name = Path(library_path()).name
for _ in range(2):
    engine = OnnxRuntimeEngine(Bundle.load("scenes"), threads=2)
    del engine
    gc.collect()
    print(name in Path("/proc/self/maps").read_text())
"""
    if not Path("/proc/self/maps").exists():
        pytest.skip("linux: no /proc to look at")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() == ["True", "True"]

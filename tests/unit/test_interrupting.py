"""Runs that nobody waits for any more end inside their graph; what comes after them finds the engine free."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.bundle import Bundle, GraphSpec, Label, Manifest, ModelCard, TensorSpec, write
from layoutbrush.runtime.engines import Array, Arrays
from layoutbrush.runtime.engines.interrupting import Interruptible, asked
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import Cancelled
from layoutbrush.runtime.pipeline import Editor, EditRequest, Preview, Result

X = TensorSpec("x", "float32", ("N",))
Y = TensorSpec("y", "float32", ("N",))


def bundle(folder: Path) -> Bundle:
    """One graph that adds x to itself once, and one that would do so for about ten thousand years."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra: export)")
    helper, kind = onnx.helper, onnx.TensorProto

    def model(nodes: Sequence[Any], constants: Sequence[Any] = ()) -> bytes:
        x, y = (helper.make_tensor_value_info(name, kind.FLOAT, ["N"]) for name in "xy")
        made = helper.make_graph(nodes, "g", [x], [y], constants)
        return bytes(
            helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
        )

    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes_on"]), helper.make_node("Add", ["sum", "x"], ["more"])],
        "body",
        [
            helper.make_tensor_value_info("i", kind.INT64, []),
            helper.make_tensor_value_info("going", kind.BOOL, []),
            helper.make_tensor_value_info("sum", kind.FLOAT, ["N"]),
        ],
        [
            helper.make_tensor_value_info("goes_on", kind.BOOL, []),
            helper.make_tensor_value_info("more", kind.FLOAT, ["N"]),
        ],
    )
    loop = helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)
    count = helper.make_tensor("count", kind.INT64, [], [1 << 58])
    files = {
        "once.onnx": model([helper.make_node("Add", ["x", "x"], ["y"])]),
        "endless.onnx": model([loop], [count]),
    }
    graphs = {file.removesuffix(".onnx"): GraphSpec(file, "", (X,), (Y,)) for file in files}
    card = ModelCard("A test.", "Apache-2.0")
    manifest = Manifest("tiny", "1", (Label(0, "sky", "#000000"),), graphs, {}, card)
    return write(folder / "tiny", manifest, files)


def test_a_run_ends_inside_its_graph_and_the_next_one_is_as_if_nothing_had_been(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(bundle(tmp_path), threads=1, library=None)
    x = np.ones(3, np.float32)
    stop, asked_for = threading.Event(), threading.Event()

    def cancelled() -> bool:
        asked_for.set()
        return stop.is_set()

    found: list[BaseException | Arrays] = []

    def work() -> None:
        try:
            found.append(Interruptible(engine, cancelled).run("endless", {"x": x}))
        except BaseException as error:  # noqa: BLE001  # told to the main thread
            found.append(error)

    first = threading.Thread(target=work, daemon=True)  # endless where this fails
    first.start()
    assert asked_for.wait(60)
    second: list[Arrays] = []
    waiting = threading.Thread(target=lambda: second.append(engine.run("once", {"x": x})), daemon=True)
    waiting.start()
    stop.set()
    first.join(60)
    waiting.join(60)
    assert isinstance(found[0], Cancelled)
    np.testing.assert_array_equal(second[0]["y"], 2 * x)
    assert Interruptible(engine, lambda: False).run("once", {"x": x})["y"][0] == 2


def test_a_run_that_waits_for_its_turn_gives_up_too(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(bundle(tmp_path), threads=1, library=None)
    x = np.ones(3, np.float32)
    stop, asked_for = threading.Event(), threading.Event()

    def cancelled() -> bool:
        asked_for.set()
        return stop.is_set()

    ended: list[bool] = []

    def endless() -> None:
        try:
            Interruptible(engine, cancelled).run("endless", {"x": x})
        except Cancelled:
            ended.append(stop.is_set())

    holder = threading.Thread(target=endless, daemon=True)  # endless where this fails
    holder.start()
    assert asked_for.wait(60)
    with pytest.raises(Cancelled):
        Interruptible(engine, lambda: True).run("once", {"x": x})
    assert not ended
    stop.set()
    holder.join(60)
    assert ended == [True]


class Listening(StandInEngine):
    """Notes the graphs that run, and whether they may be interrupted; in `held` it waits until it is cancelled."""

    def __init__(self, held: str) -> None:
        self.held = held
        self.begun = threading.Event()
        self.graphs: list[tuple[str, bool]] = []

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        cancelled = asked()
        self.graphs.append((graph, cancelled is not None))
        if graph == self.held:
            self.held = ""
            self.begun.set()
            assert cancelled is not None
            while not cancelled():
                threading.Event().wait(0.001)
            raise Cancelled
        return super().run(graph, inputs, outputs)


@pytest.mark.parametrize("held", ["warp_coarse", "warp_fine", "refine"])
def test_the_edit_after_a_superseded_one_runs_its_own_graphs_and_no_other(held: str) -> None:
    """What it costs is counted: the superseded edit ends in the graph that it is at, and the photo's features stay."""
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    layout = np.zeros((96, 128), np.uint8)
    layout[48:] = 3
    edited = layout.copy()
    edited[30:60, 40:80] = 4
    engine = Listening(held)
    editor = Editor(engine, STAND_IN_MANIFEST)
    prepared = editor.open(photo, layout)
    superseded = threading.Event()
    raised: list[BaseException] = []

    def older() -> None:
        try:
            list(editor.edit(prepared, EditRequest(edited), superseded.is_set))
        except Cancelled as error:
            raised.append(error)

    thread = threading.Thread(target=older, daemon=True)
    thread.start()
    assert engine.begun.wait(60)
    superseded.set()
    thread.join(60)
    assert raised
    steps = [(graph, True) for graph in ("warp_coarse", "warp_fine", "refine")]
    before = steps[: steps.index((held, True)) + 1]
    assert engine.graphs == [("encode_image", False), *before]
    events = list(editor.edit(prepared, EditRequest(edited)))
    assert [type(event) for event in events if not hasattr(event, "done")] == [Preview, Preview, Result]
    assert engine.graphs == [("encode_image", False), *before, *steps]

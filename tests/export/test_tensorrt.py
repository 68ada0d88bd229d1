"""TensorRT without a card: both plugins are found by the parser, and engines are built for several cards at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from layoutbrush.runtime.engines.tensorrt import package

pytestmark = pytest.mark.skipif(package.installed() != "tensorrt_rtx", reason="tensorrt: tensorrt_rtx is not installed")

CAPABILITIES = ("8.6", "8.9", "12.0")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty cache, for a process of its own: TensorRT ends a process that it fails in."""
    return {**os.environ, "LAYOUTBRUSH_CACHE": str(tmp_path / "cache")}


def _python(code: str, environment: dict[str, str]) -> str:
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_engines_of_the_shipped_bundle_are_built_for_three_cards(environment: dict[str, str], precision: str) -> None:
    from layoutbrush.runtime.bundle import Bundle

    code = f"""
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.tensorrt import building, store
bundle = Bundle.load("scenes")
for graph in bundle.manifest.graphs:
    building.build(bundle, graph, {CAPABILITIES!r}, {precision!r})
for engine in store.stored():
    assert len(engine.read()) > 100_000
    print(engine.key.graph, *engine.key.capabilities)
"""
    printed = _python(code, environment).splitlines()
    assert printed == [f"{graph} {' '.join(CAPABILITIES)}" for graph in sorted(Bundle.load("scenes").manifest.graphs)]


def test_every_node_of_the_two_ops_is_a_plugin_layer(environment: dict[str, str]) -> None:
    import onnx

    from layoutbrush.runtime.bundle import Bundle

    bundle = Bundle.load("scenes")
    models = [onnx.load_from_string(bundle.read_graph(graph)) for graph in ("warp_coarse", "warp_fine")]
    nodes = [sum(node.domain == "layoutbrush" for node in model.graph.node) for model in models]
    assert all(nodes)
    code = """
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.tensorrt import building
for graph in ("warp_coarse", "warp_fine"):
    kinds = building.layers(Bundle.load("scenes"), graph)
    print(sum(count for kind, count in kinds.items() if kind.startswith("PLUGIN")))
"""
    assert [int(line) for line in _python(code, environment).split()] == nodes


def test_what_an_engine_keeps_of_a_plugin_makes_the_same_plugin(environment: dict[str, str]) -> None:
    code = """
import numpy as np
from layoutbrush.runtime.engines.tensorrt import package, plugins
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING
trt = package.load()
plugins.register()
creator = trt.get_plugin_registry().get_creator("KeyIndexSampling", "1", "layoutbrush")
values = dict(particles=3, windows=[0, 8, 4], samples=2, strides=[1, 4, 2], propagations=1, label_penalty=0.25,
              scale=280.5, ignore_label=255, keep=2, schedule="fast")
first = creator.plugin(values)
again = creator.create_plugin("again", first.get_fields_to_serialize(), trt.TensorRTPhase.RUNTIME)
assert again.values == values, again.values
assert first.clone().values == values
print("same")
"""
    assert _python(code, environment).strip() == "same"


def test_a_card_that_tensorrt_does_not_know_is_refused(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "layoutbrush.runtime.cli", "engine", "build", "--compute-capability", "9.9"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 2
    assert "compute_capability" in found.stderr
    assert "8.9" in found.stderr

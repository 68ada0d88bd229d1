"""TensorRT: whether the parser takes each graph with its plugins, whether engines are built, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from layoutbrush.export.validation.backends import Backend
from layoutbrush.export.validation.rows import Row
from layoutbrush.export.validation.tolerances import BUILT, PARSED
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.engines.tensorrt import building, package
from layoutbrush.runtime.engines.tensorrt.running import TensorRTEngine
from layoutbrush.runtime.errors import LayoutbrushError

NAME = "TensorRT"
CAPABILITIES = ("8.6", "8.9", "12.0")
"""Cards that the build is tried for: those of RTX 30, 40 and 50."""


def tensorrt_rows(bundle: Bundle) -> Iterator[Row]:
    """Two rows a graph: parsed with every custom op as a plugin, and built ahead of time."""
    name = package.installed()
    missing = {None: "TensorRT is not installed", "tensorrt": "only TensorRT-RTX builds without a card"}.get(name, "")
    for graph in bundle.manifest.graphs:
        if missing:
            yield Row(graph, f"{NAME} parse", PARSED, skipped=missing)
            yield Row(graph, f"{NAME} build", BUILT, skipped=missing)
            continue
        nodes = onnx.load_from_string(bundle.read_graph(graph)).graph.node
        custom = sum(node.domain == "layoutbrush" for node in nodes)
        yield Row(graph, f"{NAME} parse", PARSED, float(custom - _plugins(bundle, graph)), custom)
        yield Row(graph, f"{NAME} build, {', '.join(CAPABILITIES)}", BUILT, float(_refused(bundle, graph)), 1)


def tensorrt_backend(bundle: Bundle) -> Backend:
    """The engines of this machine as a way to run graphs; lacking, with the reason, where there is no card."""
    try:
        engine = TensorRTEngine(bundle)
    except LayoutbrushError as error:
        reason = str(error).rstrip(".")
        return Backend(f"{NAME} run", lambda _graph, _schedule, _inputs: {}, lambda _graph: reason)

    def run(graph: str, _schedule: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        given = {tensor.name: inputs[tensor.name] for tensor in bundle.manifest.graphs[graph].inputs}
        return engine.run(graph, given)

    return Backend(f"{NAME} run", run, lambda _graph: "")


def _plugins(bundle: Bundle, graph: str) -> int:
    try:
        kinds = building.layers(bundle, graph)
    except building.BuildFailed:
        return -1
    return sum(count for kind, count in kinds.items() if kind.startswith("PLUGIN"))


def _refused(bundle: Bundle, graph: str) -> bool:
    try:
        building.serialized(bundle, graph, CAPABILITIES)
    except building.BuildFailed:
        return True
    return False

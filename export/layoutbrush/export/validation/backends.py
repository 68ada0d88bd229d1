"""Ways to run the graphs: torch, ONNX Runtime with the function bodies, ONNX Runtime with the native library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto
from torch import Tensor, nn

from layoutbrush.export.graphs import GRAPHS
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.ops import native
from layoutbrush.training.ops import forced_schedule

Run = Callable[[str, str, Mapping[str, Array]], dict[str, Array]]
"""(graph, schedule, inputs) -> outputs."""
TORCH, BODY, KERNEL = "torch", "ONNX body", "ONNX kernel"


@dataclass(frozen=True)
class Backend:
    """A way to run graphs; `lacks` gives the reason why it can't run one here, empty where it can."""

    name: str
    run: Run
    lacks: Callable[[str], str]


def native_missing() -> str:
    """Why the native library can't be used, or an empty string."""
    return "" if native.available() else "the native library is not built"


def open_session(model: ModelProto | bytes, library: bool, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the CPU; `library`: with the native library registered."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if library:
        options.register_custom_ops_library(str(native.library_path()))
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def with_schedule(model: ModelProto, schedule: str) -> ModelProto:
    """A copy whose KeyIndexSampling nodes all have this schedule."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if node.op_type == "KeyIndexSampling" and attribute.name == "schedule":
                attribute.s = schedule.encode()
    return copy


def torch_backend(modules: Mapping[str, nn.Module]) -> Backend:
    """The modules themselves, by graph."""

    def run(graph: str, schedule: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        signature = GRAPHS[graph]
        given = [torch.from_numpy(np.ascontiguousarray(inputs[tensor.name])) for tensor in signature.inputs]
        with torch.no_grad(), forced_schedule(schedule):
            outputs = modules[graph].eval()(*given)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        return {tensor.name: value.numpy() for tensor, value in zip(signature.outputs, outputs, strict=True)}

    return Backend(TORCH, run, lambda graph: "" if graph in modules else "no checkpoint was given")


def onnx_backend(models: Mapping[str, ModelProto], *, library: bool, threads: int = 0) -> Backend:
    """The graphs in ONNX Runtime; sessions are opened once for each schedule."""
    sessions: dict[tuple[str, str], onnxruntime.InferenceSession] = {}

    def run(graph: str, schedule: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        place = (graph, schedule)
        if place not in sessions:
            sessions[place] = open_session(with_schedule(models[graph], schedule), library, threads)
        signature = GRAPHS[graph]
        outputs = [tensor.name for tensor in signature.outputs]
        found = sessions[place].run(outputs, {tensor.name: inputs[tensor.name] for tensor in signature.inputs})
        return dict(zip(outputs, found, strict=True))

    return Backend(KERNEL if library else BODY, run, lambda graph: native_missing() if library else "")

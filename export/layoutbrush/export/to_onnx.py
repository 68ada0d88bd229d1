"""From a torch module with a graph's signature to the graph: dynamic in batch, height and width."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper
from torch import Tensor, nn

from layoutbrush.export.functions.tracer import OPSET
from layoutbrush.export.graphs import ALIGNMENT, SMALLEST, GraphSignature, divisor
from layoutbrush.export.half import halve_weights
from layoutbrush.export.schemas import IR_VERSION, attach_functions
from layoutbrush.export.translate import translation_table
from layoutbrush.runtime.bundle import TensorSpec
from layoutbrush.runtime.engines import Array

LARGEST = 8192
"""Sides up to this are promised to torch's tracer; the graph itself has no bound."""
_ELEMENTS = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}


class ExportError(RuntimeError):
    """A module can't be made into the graph that it should be."""


def export_graph(
    module: nn.Module, graph: GraphSignature, examples: Mapping[str, Array], *, half_weights: bool = True
) -> tuple[ModelProto, GraphSignature]:
    """Traces a module into an ONNX model with the bodies of our ops.

    Args:
        module: takes the graph's inputs in order and gives its outputs in order.
        graph: its signature; channels such as C8 may still be open.
        examples: one array an input, by name; a batch of at least 2, sizes that differ from one another.
        half_weights: store large weights as float16.

    Returns:
        The checked model and the signature with every fixed size put in.

    Raises:
        ExportError: the module's outputs are not the graph's, or it can't be traced with free sizes.
    """
    module.eval()
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(examples[tensor.name])) for tensor in graph.inputs)
    with torch.no_grad():
        outputs = module(*inputs)
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    graph = graph.resolved(_fixed_sizes(graph, (*inputs, *outputs)))
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                opset_version=OPSET,
                optimize=True,
                verbose=False,
                input_names=[tensor.name for tensor in graph.inputs],
                output_names=[tensor.name for tensor in graph.outputs],
                dynamic_shapes=tuple(_dynamic(graph.inputs)),
                custom_translation_table=translation_table(),
            )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f"{graph.name} can't be exported: {error}") from error
    if program is None:
        raise ExportError(f"{graph.name} can't be exported")
    model = _cleaned(program.model_proto, graph)
    model = attach_functions(halve_weights(model) if half_weights else model)
    onnx.checker.check_model(model)
    return model, graph


def _fixed_sizes(graph: GraphSignature, tensors: tuple[Tensor, ...]) -> dict[str, int]:
    """Channels such as C8, as the module has them."""
    specs = (*graph.inputs, *graph.outputs)
    if len(tensors) != len(specs):
        raise ExportError(f"{graph.name} should give {len(graph.outputs)} outputs")
    sizes: dict[str, int] = {}
    for spec, tensor in zip(specs, tensors, strict=True):
        if tensor.dim() != len(spec.shape) or str(tensor.dtype).removeprefix("torch.") != spec.type:
            raise ExportError(f"{graph.name}: {spec.name} should be {spec.type} of {len(spec.shape)} dimensions")
        open_sizes = (entry for entry in zip(spec.shape, tensor.shape, strict=True) if str(entry[0]).startswith("C"))
        sizes.update((str(name), size) for name, size in open_sizes)
    return sizes


def _dynamic(tensors: tuple[TensorSpec, ...]) -> Iterator[dict[int, object]]:
    """The free axes of each tensor, in steps of the alignment."""
    steps = {"min": SMALLEST // ALIGNMENT, "max": LARGEST // ALIGNMENT}
    axes = {
        "B": torch.export.Dim("B", min=1, max=64),
        "O": torch.export.Dim("O", min=1, max=64),
        "H": torch.export.Dim("H16", **steps),
        "W": torch.export.Dim("W16", **steps),
        "h": torch.export.Dim("view_H16", **steps),
        "w": torch.export.Dim("view_W16", **steps),
    }
    for tensor in tensors:
        free: dict[int, object] = {}
        for axis, size in enumerate(tensor.shape):
            if isinstance(size, str):
                letter, factor = divisor(size)
                free[axis] = axes[letter] if letter in "BO" else axes[letter] * (ALIGNMENT // factor)
        yield free


def _cleaned(model: ModelProto, graph: GraphSignature) -> ModelProto:
    """Without the tracer's notes (they hold stack traces and paths), with the signature's names of sizes."""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for entry in (model, model.graph):
        entry.doc_string = ""
        del entry.metadata_props[:]
    for initializer in model.graph.initializer:
        initializer.doc_string = ""
        del initializer.metadata_props[:]
    del model.graph.value_info[:]
    model.graph.name = graph.name
    model.producer_name, model.producer_version, model.ir_version = "layoutbrush", "", IR_VERSION
    for values, tensors in ((model.graph.input, graph.inputs), (model.graph.output, graph.outputs)):
        if [value.name for value in values] != [tensor.name for tensor in tensors]:
            raise ExportError(f"{graph.name}: traced {[value.name for value in values]}")
        del values[:]
        values.extend(_value_info(tensor) for tensor in tensors)
    return model


def _value_info(tensor: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, _ELEMENTS[tensor.type], list(tensor.shape))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about itself and about packages that it looks for."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

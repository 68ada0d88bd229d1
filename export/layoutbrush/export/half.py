"""Weights kept as float16 in a model's file; a Cast before each gives back float32, and a session folds it at load."""

from __future__ import annotations

import numpy as np
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

SMALLEST = 256
"""Smaller tensors (biases, constants) stay as they are: nothing to gain."""
LARGEST_HALF = 65504.0
_SUFFIX = ".half"


def round_weights(module: nn.Module) -> None:
    """Rounds the weights of a module as `halve_weights` does those of its graph, so that both compute alike."""
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.dtype == torch.float32 and tensor.numel() >= SMALLEST and tensor.abs().max() <= LARGEST_HALF:
                tensor.copy_(tensor.half().float())


def halve_weights(model: ModelProto) -> ModelProto:
    """Stores float32 initialisers of at least SMALLEST elements as float16; the model itself, changed."""
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(initializer)
        if weights.size < SMALLEST or not np.abs(weights).max() <= LARGEST_HALF:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), name + _SUFFIX))
        casts.append(helper.make_node("Cast", [name + _SUFFIX], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def has_half_weights(model: ModelProto) -> bool:
    """Whether `halve_weights` made this model."""
    return any(initializer.name.endswith(_SUFFIX) for initializer in model.graph.initializer)

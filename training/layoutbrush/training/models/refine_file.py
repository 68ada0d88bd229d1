"""Refiners and visual-semantic encoders from their weight files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from layoutbrush.training.models.refine import Refine, RefineConfig
from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
from layoutbrush.training.trainer.weights import load_weights, stored_arguments


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where arguments are tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}


def _config(fields: Mapping[str, Any]) -> RefineConfig:
    """Raises TypeError for an unknown field."""
    return RefineConfig(**_tuples(fields))


def new_visual_semantic(arguments: Mapping[str, Any]) -> VisualSemanticEncoder:
    """An untrained visual-semantic encoder."""
    return VisualSemanticEncoder(**_tuples(arguments))


def load_visual_semantic(path: Path) -> tuple[nn.Module, tuple[int, ...]]:
    """A trained visual-semantic encoder and the channels of its f1..f4. Raises WeightsError."""
    encoder = new_visual_semantic(stored_arguments(path))
    load_weights(path, encoder)
    return encoder, tuple(int(n) for n in encoder.channels)


def new_refine(arguments: Mapping[str, Any]) -> Refine:
    """An untrained refiner, its visual-semantic encoder included."""
    config = _config(arguments["config"])
    return Refine(config, new_visual_semantic(arguments["visual_semantic"]) if config.semantic else None)


def load_refine(path: Path, **changes: Any) -> Refine:
    """A refiner in eval mode, its visual-semantic encoder included, from ``refine.safetensors`` and its ``.json``.

    ``changes``: fields of the config that shall be others. Raises WeightsError.
    """
    arguments = stored_arguments(path)
    network = new_refine({**arguments, "config": {**arguments["config"], **changes}})
    load_weights(path, network)
    network.eval()
    return network

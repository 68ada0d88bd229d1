"""Weights of one module: ``<name>.safetensors`` with the arguments that build the module in ``<name>.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor, nn

from layoutbrush.training.trainer.files import read_json, write_bytes, write_json


class WeightsError(ValueError):
    """A weight file does not fit the module it is meant for."""


def contiguous(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors wants them: on the CPU, contiguous, no memory shared."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}


def save_weights(path: Path, module: nn.Module, facts: Mapping[str, object] | None = None) -> None:
    """Write ``path`` (``.safetensors``) and, beside it, ``.json`` with ``facts`` and the module's ``arguments``.

    A module that can be rebuilt from plain arguments keeps them in an attribute ``arguments`` (a dict).
    """
    arguments = getattr(module, "arguments", {})
    write_json(path.with_suffix(".json"), {"class": type(module).__name__, "arguments": arguments, **(facts or {})})
    write_bytes(path, save(contiguous(module.state_dict())))


def load_weights(path: Path, module: nn.Module) -> None:
    """Fill ``module`` from a file. Raises WeightsError that names what is missing, unknown or of another shape."""
    stored = load_file(path)
    own = module.state_dict()
    missing = sorted(set(own) - set(stored))
    unknown = sorted(set(stored) - set(own))
    shapes = sorted(name for name in set(own) & set(stored) if own[name].shape != stored[name].shape)
    if missing or unknown or shapes:
        raise WeightsError(
            f"{path.name} does not fit {type(module).__name__}: "
            f"missing {missing[:4]}, unknown {unknown[:4]}, other shape {shapes[:4]}"
        )
    module.load_state_dict(stored)


def stored_arguments(path: Path) -> dict[str, Any]:
    """The ``arguments`` that :func:`save_weights` wrote beside ``path``."""
    arguments = read_json(path.with_suffix(".json")).get("arguments", {})
    if not isinstance(arguments, dict):
        raise WeightsError(f"{path.with_suffix('.json').name}: arguments should be an object")
    return arguments

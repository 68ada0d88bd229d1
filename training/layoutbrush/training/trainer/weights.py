"""Weights of one module: ``<name>.safetensors`` with the arguments that build the module in ``<name>.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from layoutbrush.training.trainer.files import read_json, write_bytes, write_json

Module = TypeVar("Module", bound=nn.Module)


class WeightsError(ValueError):
    """A weight file can't be read, or does not fit the module it is meant for; the message names the file."""


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
    """Fill ``module`` from a file. Raises WeightsError that names what is missing, unknown or of another shape;
    FileNotFoundError.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights")
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a readable weight file: {error}") from error
    own = module.state_dict()
    missing = sorted(set(own) - set(stored))
    unknown = sorted(set(stored) - set(own))
    shapes = sorted(name for name in set(own) & set(stored) if own[name].shape != stored[name].shape)
    if missing or unknown or shapes:
        raise WeightsError(
            f"{path} does not fit {type(module).__name__}: "
            f"missing {missing[:4]}, unknown {unknown[:4]}, other shape {shapes[:4]}"
        )
    module.load_state_dict(stored)


def stored_arguments(path: Path) -> dict[str, Any]:
    """The ``arguments`` that :func:`save_weights` wrote beside ``path``. Raises WeightsError, FileNotFoundError."""
    described = path.with_suffix(".json")
    if not described.is_file():
        lacking = f"no {described.name} beside it" if path.is_file() else "no such weights"
        raise FileNotFoundError(f"{path}: {lacking}")
    try:
        arguments = read_json(described).get("arguments", {})
    except ValueError as error:
        raise WeightsError(f"{described}: not a readable description of weights: {error}") from error
    if not isinstance(arguments, dict):
        raise WeightsError(f"{described}: arguments should be an object")
    return arguments


def load_module(path: Path, build: Callable[..., Module]) -> Module:
    """The module of a weight file, in eval mode: ``build`` called with the arguments beside it, and filled.

    Raises WeightsError, FileNotFoundError.
    """
    try:
        module = build(**stored_arguments(path))
    except TypeError as error:
        raise WeightsError(f"{path.with_suffix('.json')}: not the arguments of what is wanted: {error}") from error
    load_weights(path, module)
    return module.eval()

"""Dataclasses from what JSON has of them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any


def from_fields(kind: Any, value: Any) -> Any:
    """A dataclass, with the dataclasses and tuples in it, from what JSON has of it (`dataclasses.asdict`).

    Raises TypeError for an unknown field.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(from_fields(arguments[0], item) for item in value)
    if origin in (types.UnionType, typing.Union):
        inner = [argument for argument in arguments if argument is not types.NoneType]
        return None if value is None else from_fields(inner[0], value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
        hints = typing.get_type_hints(kind)
        unknown = sorted(set(value) - set(hints))
        if unknown:
            raise TypeError(f"unknown {', '.join(unknown)}")
        return kind(**{name: from_fields(hints[name], item) for name, item in value.items()})
    return value

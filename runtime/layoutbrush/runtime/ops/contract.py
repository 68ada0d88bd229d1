"""The contract files of the two ops, as data: `KEY_INDEX_SAMPLING` and `SPARSE_ATTENTION_WARP`.

From them come the C++ header (see `header`), the ONNX schemas, the checks of arguments and the case table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final

AttributeValue = int | float | str


@dataclass(frozen=True)
class Port:
    """An input or output: its element type ("float32", "int32", "bool") and shape in the letters of `sizes`."""

    name: str
    type: str
    shape: tuple[str, ...]
    doc: str
    optional: bool = False


@dataclass(frozen=True)
class Attribute:
    """An attribute: type "int", "ints", "float" or "string"; `default` None means required.

    `range` bounds numbers (each entry of "ints"), both ends included; `values` lists what a string may be.
    """

    name: str
    type: str
    doc: str
    default: AttributeValue | None = None
    range: tuple[float, float] | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """One op."""

    name: str
    domain: str
    version: int
    summary: str
    source: str
    sizes: Mapping[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    attributes: tuple[Attribute, ...]
    limits: Mapping[str, int]
    filler: Mapping[str, float]
    rules: Mapping[str, str]
    tolerances: Mapping[str, Mapping[str, float]]
    cases: tuple[Mapping[str, Any], ...]
    random: Mapping[str, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name. Raises KeyError."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(name)

    def input(self, name: str) -> Port:
        """The input of this name. Raises KeyError."""
        for port in self.inputs:
            if port.name == name:
                return port
        raise KeyError(name)


def load(name: str) -> Contract:
    """Reads `<name>.toml` of this package; an unknown key is an error."""
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    for side in ("inputs", "outputs"):
        data[side] = tuple(Port(**_with_tuples(entry, "shape")) for entry in data[side])
    data["attributes"] = tuple(Attribute(**_with_tuples(entry, "range", "values")) for entry in data["attributes"])
    return Contract(**_with_tuples(data, "cases"))


def _with_tuples(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return entry | {key: tuple(entry[key]) for key in keys if key in entry}


KEY_INDEX_SAMPLING: Final = load("key_index_sampling")
SPARSE_ATTENTION_WARP: Final = load("sparse_attention_warp")
CONTRACTS: Final = (KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP)

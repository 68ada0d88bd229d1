"""The C++ header of the contracts: `python -m layoutbrush.runtime.ops.header > runtime/native/src/contract.h`.

A test holds the written file against the one made anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from layoutbrush.runtime.ops.contract import CONTRACTS, KEY_INDEX_SAMPLING, Attribute, Contract, Port

_PREAMBLE = """\
// Generated from the contract files by layoutbrush.runtime.ops.header; not edited by hand.
#pragma once
#include <cstdint>

namespace layoutbrush::contract {

struct PortInfo {
  const char* name;
  const char* type;
  bool optional;
};
"""


def render() -> str:
    """The text of contract.h."""
    lines = [_PREAMBLE, f'constexpr char kDomain[] = "{KEY_INDEX_SAMPLING.domain}";', *_random()]
    for contract in CONTRACTS:
        lines += [
            "",
            f"namespace {_snake(contract.name)} {{",
            *_op(contract),
            f"}}  // namespace {_snake(contract.name)}",
        ]
    return "\n".join([*lines, "", "}  // namespace layoutbrush::contract", ""])


def _random() -> Iterator[str]:
    rule = KEY_INDEX_SAMPLING.random
    for i, (shift, multiplier) in enumerate(zip(rule["shifts"], rule["multipliers"], strict=True)):
        yield f"constexpr int kMixShift{i} = {shift};"
        yield f"constexpr uint32_t kMixMultiplier{i} = {multiplier:#010x}u;"
    yield f"constexpr int kMixLastShift = {rule['last_shift']};"
    yield f"constexpr uint32_t kSeedSalt = {rule['seed_salt']:#010x}u;"
    yield f"constexpr uint32_t kIterationSalt = {rule['iteration_salt']:#010x}u;"


def _op(contract: Contract) -> Iterator[str]:
    yield f'constexpr char kName[] = "{contract.name}";'
    yield f"constexpr int kVersion = {contract.version};"
    for limit, value in contract.limits.items():
        yield f"constexpr int kMax{_camel(limit)} = {value};"
    yield f"constexpr float kFillerScore = {contract.filler['score']}f;"
    yield f"constexpr float kValidAbove = {contract.filler['valid_above']}f;"
    yield from _ports("Input", contract.inputs)
    yield from _ports("Output", contract.outputs)
    for attribute in contract.attributes:
        yield from _attribute(attribute)


def _ports(side: str, ports: tuple[Port, ...]) -> Iterator[str]:
    yield f"enum {side} {{ {', '.join(f'k{side}{_camel(port.name)}' for port in ports)}, k{side}Count }};"
    yield f"constexpr PortInfo k{side}s[] = {{"
    for port in ports:
        yield f'    {{"{port.name}", "{port.type}", {str(port.optional).lower()}}},'
    yield "};"


def _attribute(attribute: Attribute) -> Iterator[str]:
    kind = {"float": "double", "string": "char"}.get(attribute.type, "int64_t")
    name = _camel(attribute.name)
    if attribute.range:
        low, high = (int(end) if kind == "int64_t" else float(end) for end in attribute.range)
        yield f"constexpr {kind} k{name}Min = {low}, k{name}Max = {high};"
    if attribute.type == "string":
        yield f'constexpr char k{name}Default[] = "{attribute.default}";'
    elif attribute.default is not None:
        yield f"constexpr {kind} k{name}Default = {attribute.default};"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


if __name__ == "__main__":
    print(render(), end="")

"""Settings of a stage from NAME=VALUE words; an unknown name is an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any


class OptionError(ValueError):
    """A word is no NAME=VALUE, names nothing, or its value is of the wrong kind."""


def pairs(words: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE words as a mapping. Raises OptionError."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise OptionError(f"{word!r} should be NAME=VALUE")
        found[name] = value
    return found


def settings_from(kind: type[Any], words: Sequence[str]) -> Any:
    """An instance of the frozen dataclass ``kind``, its defaults changed by the words. Raises OptionError."""
    defaults = {entry.name: getattr(kind(), entry.name) for entry in fields(kind)}
    changes: dict[str, Any] = {}
    for name, text in pairs(words).items():
        if name not in defaults:
            raise OptionError(f"unknown setting {name!r}; there are {', '.join(sorted(defaults))}")
        changes[name] = _value(name, text, defaults[name])
    return kind(**changes)


def _value(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, tuple):
            return tuple(json.loads(f"[{text}]"))
    except (KeyError, ValueError) as error:
        raise OptionError(f"{name} should be like {default!r}, not {text!r}") from error
    return text


def describe(kind: type[Any]) -> str:
    """Each setting with its default, a line each, after the class's own words."""
    lines = [(kind.__doc__ or "").strip(), ""]
    lines += [f"  {entry.name}={getattr(kind(), entry.name)!r}" for entry in fields(kind)]
    return "\n".join(lines)

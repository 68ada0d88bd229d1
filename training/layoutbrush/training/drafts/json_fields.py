"""JSON files of data sets, read with errors that name the file and the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layoutbrush.training.data.photo import DataError


class Fields:
    """A JSON object and where it stands: `instances_val2017.json: annotations[3]`."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values, self.where = values, where

    def error(self, field: str, problem: str) -> DataError:
        """An error about one field."""
        return DataError(f"{self.at(field)}: {problem}")

    def at(self, field: str) -> str:
        """File and field, for messages."""
        return f"{self.where}.{field}" if "[" in self.where.rsplit("/", 1)[-1] else f"{self.where}: {field}"

    def get(self, field: str) -> Any:
        """The value as it is. Raises DataError where there is none."""
        if field not in self.values:
            raise self.error(field, "is missing")
        return self.values[field]

    def integer(self, field: str, least: int | None = None) -> int:
        """A whole number, at least ``least``. Raises DataError."""
        value = self.get(field)
        if isinstance(value, float) and value.is_integer():  # Visual Genome has a few ids as 12.0
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            bound = "" if least is None else f" of at least {least}"
            raise self.error(field, f"should be a whole number{bound}, not {value!r}")
        return value

    def text(self, field: str) -> str:
        """A string that is not empty. Raises DataError."""
        value = self.get(field)
        if not isinstance(value, str) or not value:
            raise self.error(field, f"should be a string, not {value!r}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of strings, or nothing for a field that is absent. Raises DataError."""
        value = self.values.get(field) or []
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.error(field, f"should be a list of strings, not {value!r}")
        return tuple(value)

    def each(self, field: str) -> Iterator[Fields]:
        """The objects of a list. Raises DataError."""
        return _objects(self.get(field), self.at(field))


def read_fields(path: Path) -> Fields:
    """A file that holds a JSON object. Raises DataError."""
    values = read_json_file(path)
    if not isinstance(values, dict):
        raise DataError(f"{path}: should hold a JSON object")
    return Fields(values, str(path))


def read_list(path: Path) -> Iterator[Fields]:
    """The objects of a file that holds a JSON list. Raises DataError."""
    return _objects(read_json_file(path), f"{path}: ")


def read_json_file(path: Path) -> Any:
    """Raises DataError for a file that is absent or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable JSON file: {error}") from error


def _objects(values: Any, where: str) -> Iterator[Fields]:
    if not isinstance(values, list):
        raise DataError(f"{where.removesuffix(': ')}: should be a list")
    for index, entry in enumerate(values):
        if not isinstance(entry, dict):
            raise DataError(f"{where}[{index}]: should be an object, not {entry!r}")
        yield Fields(entry, f"{where}[{index}]")

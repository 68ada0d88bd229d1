"""Files that are either whole or absent: write beside, flush to disk, then rename."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"
"""Prefix of names that a killed process may leave behind; :func:`sweep` removes them."""


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step. Raises OSError."""
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path: Path, value: object) -> None:
    """Replace ``path`` by ``value`` as indented JSON in one step; paths become strings."""
    write_bytes(path, (json.dumps(value, indent=2, default=str) + "\n").encode())


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file. Raises ValueError if it holds anything else."""
    value = json.loads(path.read_text())
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} should hold a JSON object")
    return value


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder that appears under its name only when the block has ended well. ``path`` may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written in ``folder``. Call it when no one else writes there."""
    for stray in folder.glob(f"{PARTIAL}*"):
        if stray.is_dir():
            shutil.rmtree(stray, ignore_errors=True)
        else:
            stray.unlink(missing_ok=True)


def plain(mapping: Mapping[str, object]) -> dict[str, object]:
    """The same mapping with everything that JSON can't hold turned into strings."""
    value: dict[str, object] = json.loads(json.dumps(dict(mapping), default=str))
    return value

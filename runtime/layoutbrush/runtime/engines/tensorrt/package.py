"""TensorRT, whichever of its two packages is installed: `tensorrt_rtx` (from PyPI) or the full `tensorrt`."""

from __future__ import annotations

import ctypes
import importlib
import logging
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.errors import FailedPrecondition

NAMES = ("tensorrt_rtx", "tensorrt")


class TensorRTUnavailable(FailedPrecondition):
    """Neither package of TensorRT is installed, or it does not load."""


def installed() -> str | None:
    """Name of the package that `load` would take, None where there is none."""
    return next((name for name in NAMES if find_spec(name)), None)


@cache
def load() -> Any:
    """Import TensorRT; the same module each time.

    Raises:
        TensorRTUnavailable: it is not installed, or it does not load.
    """
    name = installed()
    if name is None:
        raise TensorRTUnavailable("TensorRT is not installed: pip install 'layoutbrush[tensorrt]'.")
    if name == "tensorrt_rtx":
        _name_the_library()
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise TensorRTUnavailable(f"{name} is installed, but does not load: see `layoutbrush doctor`.") from error


def _name_the_library() -> None:
    """Load the libraries of TensorRT-RTX under the names that they look for each other by.

    On a plugin node the parser opens `libtensorrt_rtx.so`, but the package holds only `libtensorrt_rtx.so.1`, and the
    process dies of it. The parser looks in its own folder first, so it is loaded from a folder of links that has both.
    """
    spec = find_spec("tensorrt_rtx_libs")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or (folder / "libtensorrt_rtx.so").exists():
        return
    libraries = sorted(folder.glob("*.so.*"))
    links = private_cache.cache_folder("tensorrt-libraries")
    for library in libraries:
        for name in (library.name, library.name.partition(".so")[0] + ".so"):
            _link(links / name, library)
    for library in sorted(libraries, key=lambda path: "parser" in path.name):  # the parser needs the other one
        try:
            ctypes.CDLL(str(links / library.name), ctypes.RTLD_GLOBAL)
        except OSError as error:
            logging.getLogger(__name__).warning("%s does not load: %s", library.name, error)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    with suppress(FileNotFoundError):
        link.unlink()
    with suppress(FileExistsError):  # another process was first
        link.symlink_to(target)

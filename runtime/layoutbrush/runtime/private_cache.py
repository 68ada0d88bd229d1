"""Folders for what is made on this machine and can be made again: compiled kernels, engines. Code is loaded from them,
so nobody but their owner may write or read there.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from layoutbrush.runtime.errors import FailedPrecondition

_PARTIAL = ".partial-"


def cache_folder(name: str) -> Path:
    """Return the folder `name` below LAYOUTBRUSH_CACHE, or below the user's cache; made for its owner only.

    Raises:
        FailedPrecondition: it can't be made, belongs to somebody else, or others may write to it.
    """
    given = os.environ.get("LAYOUTBRUSH_CACHE")
    home = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layoutbrush"
    folder = home / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        raise FailedPrecondition(f"The cache folder {name} can't be made in {home}.", "LAYOUTBRUSH_CACHE") from None
    for checked in (home, folder):
        found = checked.lstat()
        mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if not mine or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or stat.S_ISLNK(found.st_mode):
            raise FailedPrecondition(f"The cache folder {checked.name} must belong to you alone.", "LAYOUTBRUSH_CACHE")
    folder.chmod(0o700)
    return folder


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    handle, partial = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(partial).unlink()
        raise


def sweep(folder: Path) -> None:
    """Remove what interrupted writes have left behind."""
    for stray in folder.glob(f"{_PARTIAL}*"):
        with suppress(OSError):
            stray.unlink()

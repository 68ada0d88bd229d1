"""A folder of photos: which files there are, when they changed, and their pixels.

Files are named, never addressed: a name that comes from elsewhere is looked up among what the folder was seen to hold.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.errors import DamagedData, InvalidArgument, LimitExceeded, NotFound, UnsupportedPixels
from layoutbrush.runtime.layers.files import load, photo_pixels
from layoutbrush.runtime.layers.header import Encoding
from layoutbrush.runtime.layers.sniff import PNG_SIGNATURE, kind_of
from layoutbrush.runtime.limits import Limits

READ = (".jpg", ".jpeg", ".png")
"""File names that end so are read."""

PICTURES = (*READ, ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".psd")
"""File names that end so are photos to people: those that aren't read are reported. Other files aren't mentioned."""

MOST = 100_000
"""Photos of one folder that are looked at."""

LONGEST_NAME = 1024
"""Characters of a name at most."""


@dataclass(frozen=True)
class Stamp:
    """What of a file changes when its content does: size in bytes, time of the last change in nanoseconds."""

    size: int
    changed: int


@dataclass(frozen=True)
class Skipped:
    """A file that isn't looked at, and why: a sentence for people."""

    name: str
    why: str


def check_folder(folder: Path) -> None:
    """Refuse what is no folder to read from.

    Raises:
        NotFound: there is no such folder.
        InvalidArgument: it can't be read.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder.name!r}.", "folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InvalidArgument(f"The folder {folder.name!r} can't be read.", "folder")


def files_of(folder: Path) -> tuple[dict[str, Stamp], list[Skipped]]:
    """Return the photos below a folder by name (parts joined by "/"), and pictures that are left out.

    Hidden files and folders are passed over, links to folders aren't followed, and a link to a file that lies outside
    the folder is left out.

    Raises:
        NotFound, InvalidArgument: as `check_folder`.
    """
    check_folder(folder)
    root = folder.resolve()
    found: dict[str, Stamp] = {}
    skipped: list[Skipped] = []
    for path in _walk(root):
        name = path.relative_to(root).as_posix()
        why = _objection(path, root, name)
        if why:
            skipped.append(Skipped(name.encode("utf-8", "replace").decode(), why))
        elif len(found) == MOST:
            skipped.append(Skipped(name, f"The folder holds more than {MOST} photos."))
            break
        else:
            about = path.stat()
            found[name] = Stamp(about.st_size, about.st_mtime_ns)
    return found, skipped


def _walk(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(PICTURES):
                yield Path(parent, name)


def _objection(path: Path, root: Path, name: str) -> str:
    """Why a picture isn't looked at; empty where it is."""
    if not path.name.lower().endswith(READ):
        return "Photos are read as JPEG and PNG."
    try:
        name.encode("utf-8")
        if not path.resolve().is_relative_to(root):
            return "It is a link that leads out of the folder."
        if not stat.S_ISREG(path.stat().st_mode):
            return "It is no plain file."
    except UnicodeEncodeError:
        return "Its name isn't UTF-8."
    except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself, until Python 3.12
        return "It can't be read."
    return f"Its name is longer than {LONGEST_NAME} characters." if len(name) > LONGEST_NAME else ""


def read_bytes(folder: Path, name: str, limits: Limits) -> bytes:
    """Return a photo's file, `name` being one that `files_of` gave.

    Raises:
        NotFound: it is gone, or no longer what it was (a link that leads elsewhere).
        LimitExceeded: it is larger than the limits.
    """
    root = folder.resolve()
    path = root / name
    if _objection(path, root, name):
        raise NotFound("The photo is gone.", "name")
    try:
        limits.check_bytes(path.stat().st_size, "name")
        return path.read_bytes()
    except OSError:
        raise NotFound("The photo is gone.", "name") from None


def decode_photo(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Return a file's colours, upright, uint8 (H, W, 3).

    Raises:
        DamagedData, UnsupportedPixels, LimitExceeded, InvalidArgument: what is wrong with it, for people.
    """
    if data.startswith(PNG_SIGNATURE):
        encoding = Encoding.PNG
    elif data.startswith(b"\xff\xd8\xff"):
        encoding = Encoding.JPEG
    else:
        raise UnsupportedPixels(f"It is {kind_of(data[:32])}.", "name")
    colors, _ = photo_pixels(load(data, encoding, limits, "name"))
    if min(colors.shape[:2]) < limits.min_side:
        raise InvalidArgument(f"It is smaller than {limits.min_side} pixels a side.", "name")
    return colors


def digest(data: bytes) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(data).hexdigest()


UNREADABLE = (DamagedData, UnsupportedPixels, LimitExceeded, InvalidArgument, NotFound)
"""What `read_bytes` and `decode_photo` raise where a photo is to be passed over."""

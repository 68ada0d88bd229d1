"""What a reader of a published format finds: photos with their label files, and what does not pair up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layoutbrush.training.data.decoders import Decoder
from layoutbrush.training.data.lazy import Entry
from layoutbrush.training.data.photo import DataError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SPLITS = ("train", "val")
HELD_OUT = 10
"""Where a format has no lists, every tenth photo of the sorted names is for validation."""


@dataclass(frozen=True)
class Listing:
    """``entries`` sorted by name; ``missing``: label files that should be there; ``orphans``: those without a photo."""

    entries: Sequence[Entry]
    decoder: Decoder
    missing: tuple[Path, ...] = ()
    orphans: tuple[Path, ...] = ()


Reader = Callable[[Path, str], Listing]
"""(root of the data set, `train` or `val`) -> Listing. Raises DataError."""


def first_folder(root: Path, *names: str) -> Path:
    """The first of the folders below ``root`` that exists. Raises DataError that names them all."""
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise DataError(f"{root}: holds no folder {' or '.join(names)}")


def files(folder: Path, suffixes: Sequence[str], ending: str = "") -> dict[str, Path]:
    """Files by their names without ``ending`` (or without suffix), sorted. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes or not path.name.endswith(ending):
            continue
        stem = path.name.removesuffix(ending) if ending else path.stem
        if stem in found:
            raise DataError(f"{folder}: both {found[stem].name} and {path.name}")
        found[stem] = path
    return found


def paired(
    photos: dict[str, Path], labels: dict[str, Path], decoder: Decoder, expected: Callable[[str], Path]
) -> Listing:
    """Photos and label files of one name; ``expected`` says where a missing label file should lie."""
    entries = tuple(Entry(name, path, labels.get(name)) for name, path in sorted(photos.items()))
    missing = tuple(expected(name) for name in sorted(photos) if name not in labels)
    orphans = tuple(path for name, path in sorted(labels.items()) if name not in photos)
    return Listing(entries, decoder, missing, orphans)


def names_of(path: Path) -> list[str]:
    """The names in a list of photos, a line each. Raises DataError for one that is missing, unreadable or empty."""
    if not path.is_file():
        raise DataError(f"{path}: no such list")
    try:
        names = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list: {error}") from error
    if not names:
        raise DataError(f"{path}: names no photos")
    return names


def listed(root: Path, split: str, names: Iterable[str]) -> list[str]:
    """The names of a split: those of <root>/<split>.txt where lists are there, else all but every tenth (`val`).

    Raises DataError for a list that is missing beside another, empty, or that names what is not there.
    """
    present = sorted(names)
    lists = [root / f"{name}.txt" for name in SPLITS]
    if not any(path.is_file() for path in lists):
        return [name for i, name in enumerate(present) if (i % HELD_OUT == HELD_OUT - 1) == (split == "val")]
    path = root / f"{split}.txt"
    wanted = names_of(path)
    absent = sorted(set(wanted) - set(present))
    if absent:
        raise DataError(f"{path}: {absent[0]}: no such photo ({len(absent)} in all)")
    return sorted(set(wanted))

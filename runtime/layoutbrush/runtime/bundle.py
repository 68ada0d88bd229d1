"""Bundles: a folder or a zip that holds `manifest.json` and the graphs, each with its SHA-256.

Nothing in a bundle is pickled or run as code. Whatever does not match its manifest is refused: a flipped
byte, a missing file, a file that the manifest does not name, a link, a name that leads out of the folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from layoutbrush.runtime.errors import DamagedBundle, NotFound
from layoutbrush.runtime.manifest import (
    FORMAT,
    MANIFEST_FILE,
    UNKNOWN_LABEL,
    DataSource,
    GraphSpec,
    Label,
    Manifest,
    ModelCard,
    TensorSpec,
    dump,
    parse,
    validate,
)

__all__ = [
    "FORMAT",
    "MANIFEST_FILE",
    "SHIPPED",
    "UNKNOWN_LABEL",
    "Bundle",
    "DataSource",
    "GraphSpec",
    "Label",
    "Manifest",
    "ModelCard",
    "TensorSpec",
    "find",
    "write",
]

SHIPPED = Path(__file__).parent / "bundles"
"""Folder of the bundles that come with the package."""

MAX_FILE_BYTES = 1 << 30
"""A larger file is refused unread (a zip could promise anything)."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file was checked against its manifest.

    `path`: the folder or zip. `archived`: True for a zip.
    """

    path: Path
    manifest: Manifest
    archived: bool = False

    @classmethod
    def load(cls, path_or_name: str | os.PathLike[str]) -> Bundle:
        """Open and verify a bundle: a folder, a zip, or the name of a shipped one (`scenes`).

        Raises:
            NotFound: there is no such bundle.
            DamagedBundle: a file is missing, unexpected, or does not match its SHA-256.
        """
        path = find(path_or_name)
        archived = path.is_file()
        present = _zip_names(path) if archived else _folder_names(path)
        if MANIFEST_FILE not in present:
            raise DamagedBundle("This is no bundle: it holds no manifest.json.", "bundle")
        manifest = parse(_read(path, MANIFEST_FILE, archived))
        expected = set(manifest.hashes) | {MANIFEST_FILE}
        for name in sorted(present - expected):
            raise DamagedBundle("The bundle holds a file that its manifest does not name.", name)
        for name in sorted(expected - present):
            raise DamagedBundle("A file that the manifest names is missing.", name)
        bundle = cls(path=path, manifest=manifest, archived=archived)
        for name in manifest.hashes:
            bundle.read(name)
        return bundle

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels that a label map may hold, besides 255 for unknown."""
        return self.manifest.labels

    @property
    def graphs(self) -> dict[str, Path]:
        """Where each graph lies; inside a zip such a path can't be opened, `read_graph` can always be
        used.
        """
        return {name: self.path / graph.file for name, graph in self.manifest.graphs.items()}

    def read(self, file: str) -> bytes:
        """Return the bytes of one of the bundle's files, checked again, so that nothing can change in
        between.

        Raises:
            NotFound: the manifest names no such file.
            DamagedBundle: the bytes do not match their SHA-256.
        """
        if file not in self.manifest.hashes:
            raise NotFound("The bundle has no such file.", file)
        data = _read(self.path, file, self.archived)
        if hashlib.sha256(data).hexdigest() != self.manifest.hashes[file]:
            raise DamagedBundle("The file does not match the SHA-256 in its manifest.", file)
        return data

    def read_graph(self, name: str) -> bytes:
        """Return the verified ONNX bytes of the graph `name`.

        Raises:
            NotFound: the bundle has no such graph.
            DamagedBundle: the bytes do not match their SHA-256.
        """
        if name not in self.manifest.graphs:
            raise NotFound("The bundle has no such graph.", name)
        return self.read(self.manifest.graphs[name].file)


def find(path_or_name: str | os.PathLike[str]) -> Path:
    """Return the folder or zip that is meant: an existing path, or the name of a shipped bundle.

    Raises:
        NotFound: neither.
    """
    path = Path(path_or_name)
    plain = path.name == str(path_or_name)
    if plain and (SHIPPED / path / MANIFEST_FILE).is_file():
        return SHIPPED / path
    if path.exists():
        return path
    shipped = sorted(item.parent.name for item in SHIPPED.glob(f"*/{MANIFEST_FILE}"))
    known = f"; shipped: {', '.join(shipped)}" if shipped else ""
    raise NotFound(f"There is no bundle {path.name!r}{known}.", "bundle")


def write(folder: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle folder and return it verified; what was there is replaced, and nothing half written
    remains.

    `manifest`: hashes in it may be empty, they are computed. `files`: the bytes of each graph's file and of
    every further file; those that no graph names are listed under `files`.

    Raises:
        DamagedBundle: the manifest is not sound, or a graph's bytes are not among `files`.
    """
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    graph_files = {graph.file for graph in manifest.graphs.values()}
    for name in sorted(graph_files - set(files)):
        raise DamagedBundle("The bytes of a graph are missing.", name)
    graphs = {name: replace(graph, sha256=hashes[graph.file]) for name, graph in manifest.graphs.items()}
    others = {name: digest for name, digest in hashes.items() if name not in graph_files}
    manifest = replace(manifest, graphs=graphs, files=others, digest="")
    validate(manifest)
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, data in {**files, MANIFEST_FILE: dump(manifest)}.items():
            (draft / name).write_bytes(data)
        draft.chmod(0o755)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.replace(old / target.name)
            draft.replace(target)
            shutil.rmtree(old)
        else:
            draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(target)


def _folder_names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise DamagedBundle("A bundle is a folder or a zip.", "bundle")
    for item in folder.iterdir():
        if item.is_symlink() or not item.is_file():
            raise DamagedBundle("A bundle holds plain files only.", item.name)
    return {item.name for item in folder.iterdir()}


def _zip_names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise DamagedBundle("A bundle is a folder or a zip.", "bundle") from error
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise DamagedBundle("The zip holds a file twice.", "bundle")
    return names


def _read(path: Path, name: str, archived: bool) -> bytes:
    """Return at most MAX_FILE_BYTES bytes of a file whose name was checked; nothing is ever unpacked to
    disk.
    """
    try:
        if archived:
            with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        else:
            with (path / name).open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DamagedBundle("The file can't be read.", name) from error
    except Exception as error:  # zlib.error and its like differ between Python versions
        raise DamagedBundle("The file can't be unpacked.", name) from error
    if len(data) > MAX_FILE_BYTES:
        raise DamagedBundle("The file is larger than 1 GiB.", name)
    return data

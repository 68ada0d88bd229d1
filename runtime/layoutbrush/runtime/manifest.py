"""What a bundle says about itself: labels, graphs, op versions, model card; strict reading and one way of
writing.

`manifest.json` is UTF-8 JSON. An unknown key, a missing key or a value of another type is an error that names
its place. The text is canonical: `dump` writes it in exactly one way and `parse` accepts no other, and
`digest` is the SHA-256 of the same text with an empty digest, so that a flipped byte of the manifest is found
just as one of a graph is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layoutbrush.runtime.errors import DamagedBundle

FORMAT = "layoutbrush-bundle/1"
MANIFEST_FILE = "manifest.json"
UNKNOWN_LABEL = 255

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HASH = re.compile(r"[0-9a-f]{64}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_TYPES = ("float32", "float16", "int32", "bool")


@dataclass(frozen=True)
class Label:
    """One label: `id` 0 to 254 as label maps hold it, a name for people, a display colour `#rrggbb`."""

    id: int
    name: str
    color: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers, 0 to 255."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


def in_words(label: int, labels: Iterable[Label]) -> str:
    """Return a label's id as people know it: `label 8 (car)`."""
    return next((f"label {label} ({known.name})" for known in labels if known.id == label), f"label {label}")


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph; a string in `shape` names a dimension that may vary, e.g. `("B", 3, "H",
    "W")`.
    """

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class GraphSpec:
    """One ONNX graph: its file in the bundle, the file's SHA-256 (64 hex digits), its inputs and outputs in
    order.
    """

    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class DataSource:
    """A data set that a bundle was trained on, with the terms stated at its source."""

    name: str
    licence: str
    photos: int = 0
    note: str = ""


@dataclass(frozen=True)
class ModelCard:
    """Where the weights come from and what to expect of them.

    `steps`: training steps by stage. `metrics`: by task set, by metric, e.g. `{"R-scenes": {"lpips_mask":
    0.31}}`.
    """

    summary: str
    licence: str
    data: tuple[DataSource, ...] = ()
    steps: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    limits: str = ""


@dataclass(frozen=True)
class Manifest:
    """The manifest of a bundle.

    `op_versions`: version of each custom op of the domain `layoutbrush` that the graphs hold. `alignment`:
    heights and widths given to the graphs are multiples of it, in pixels. `smallest`: the least height and
    width. `scale`: the longer side in pixels that the networks were made for; larger regions are worked on at
    this scale. `files`: SHA-256 of every further file (contact sheet, model card in prose). `digest`: see the
    module; left empty by whoever makes a manifest.
    """

    name: str
    version: str
    labels: tuple[Label, ...]
    graphs: dict[str, GraphSpec]
    op_versions: dict[str, int]
    model_card: ModelCard
    alignment: int = 16
    smallest: int = 64
    scale: int = 512
    files: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT
    digest: str = ""

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 by file, of every file that belongs to the bundle, the manifest itself excepted."""
        return {graph.file: graph.sha256 for graph in self.graphs.values()} | self.files


def dump(manifest: Manifest) -> bytes:
    """Return the canonical text of `manifest` with its digest filled in."""
    digest = hashlib.sha256(_text(dataclasses.replace(manifest, digest=""))).hexdigest()
    return _text(dataclasses.replace(manifest, digest=digest))


def parse(data: bytes) -> Manifest:
    """Return the manifest that `data` holds.

    Raises:
        DamagedBundle: not JSON, not of this schema, not canonical, or its digest does not match.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DamagedBundle("The manifest is not JSON.", MANIFEST_FILE) from error
    manifest = _decode(Manifest, value, "manifest")
    validate(manifest)
    if dump(manifest) != data:
        raise DamagedBundle(
            "The manifest does not match its digest: it was changed after it was written.", "manifest.digest"
        )
    return typing.cast(Manifest, manifest)


def validate(manifest: Manifest) -> None:
    """Check what the types alone don't say.

    Raises:
        DamagedBundle: names the value at fault.
    """
    _require(manifest.format == FORMAT, f"This version reads {FORMAT} only.", "manifest.format")
    _require(bool(_NAME.fullmatch(manifest.name)), "A name is a-z, 0-9, - and _.", "manifest.name")
    _require(bool(manifest.version), "The version is empty.", "manifest.version")
    _check_labels(manifest.labels)
    for number, name in ((manifest.alignment, "alignment"), (manifest.smallest, "smallest")):
        _require(1 <= number <= 1024, "Must be 1 to 1024.", f"manifest.{name}")
    _require(manifest.smallest % manifest.alignment == 0, "Not aligned.", "manifest.smallest")
    _require(manifest.smallest <= manifest.scale <= 8192, "Out of range.", "manifest.scale")
    _require(bool(manifest.graphs), "A bundle has at least one graph.", "manifest.graphs")
    for name, graph in manifest.graphs.items():
        _require(bool(_NAME.fullmatch(name)), "A graph's name is a-z, 0-9, - and _.", "manifest.graphs")
        for tensor in (*graph.inputs, *graph.outputs):
            where = f"manifest.graphs.{name}.{tensor.name}"
            _require(tensor.type in _TYPES, f"The type is none of {', '.join(_TYPES)}.", where)
    files = [graph.file for graph in manifest.graphs.values()] + list(manifest.files)
    _require(len(set(files)) == len(files), "A file is named twice.", "manifest.files")
    for file, digest in manifest.hashes.items():
        sound = bool(_FILE.fullmatch(file)) and file != MANIFEST_FILE
        _require(sound, "A file lies in the bundle itself and has a plain name.", "manifest.files")
        _require(bool(_HASH.fullmatch(digest)), "A SHA-256 has 64 hex digits.", f"manifest.files.{file}")


def _check_labels(labels: tuple[Label, ...]) -> None:
    _require(bool(labels), "A bundle has at least one label.", "manifest.labels")
    for label in labels:
        _require(0 <= label.id < UNKNOWN_LABEL, "A label's id is 0 to 254.", "manifest.labels.id")
        _require(bool(label.name), "A label has a name.", "manifest.labels.name")
        _require(bool(_COLOR.fullmatch(label.color)), "A colour is #rrggbb.", "manifest.labels.color")
    for values in ({label.id for label in labels}, {label.name for label in labels}):
        _require(len(values) == len(labels), "Labels have ids and names of their own.", "manifest.labels")


def _require(held: bool, message: str, where: str) -> None:
    if not held:
        raise DamagedBundle(message, where)


def _text(manifest: Manifest) -> bytes:
    return (json.dumps(dataclasses.asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _require(len(found) == len(pairs), "A key stands twice in one object.", "manifest")
    return found


def _decode(kind: Any, value: Any, where: str) -> Any:
    """Return `value` (as `json` reads it) as `kind`: a dataclass, tuple[T, ...], dict[str, T], a union or a
    scalar.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_dataclass(kind, value, where)
    if origin is tuple:
        _require(isinstance(value, list), "Must be a list.", where)
        return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        _require(isinstance(value, Mapping), "Must be an object.", where)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    allowed = arguments if origin is types.UnionType else (kind,)
    if float in allowed and type(value) is int:
        return value  # JSON writes 1.0 as 1 in other hands; kept, so that the text stays what it was
    _require(type(value) in allowed, f"Must be {' or '.join(k.__name__ for k in allowed)}.", where)
    return value


def _decode_dataclass(kind: type[Any], value: Any, where: str) -> Any:
    _require(isinstance(value, Mapping), "Must be an object.", where)
    hints = typing.get_type_hints(kind)
    names = {item.name for item in dataclasses.fields(kind)}
    for key in value:
        _require(key in names, "Unknown key.", f"{where}.{key}")
    for name in names:
        _require(name in value, "Missing key.", f"{where}.{name}")
    return kind(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in names})

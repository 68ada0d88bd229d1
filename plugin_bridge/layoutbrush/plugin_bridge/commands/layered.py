"""Files of layers as the commands see them: which layer is which, and how a file is written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from layoutbrush.plugin_bridge.commands.files import FileProblem

ROLES = {
    "photo": ("photo", "background"),
    "labels": ("labels", "layoutbrush labels"),
    "layout": ("layout",),
    "mask": ("mask",),
    "exclude": ("exclude", "layoutbrush exclude"),
    "reference": ("reference",),
    "reference_layout": ("reference layout", "reference labels"),
}
"""Names by which layers are found; case doesn't matter."""


@dataclass(frozen=True)
class Place:
    """A rectangle on the canvas, pixels; may reach beyond it."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class FileLayer:
    """A layer with pixels. `index`: its place in the file, 0 = lowest. `name`: as the file has it, without NULs."""

    index: int
    name: str
    visible: bool
    place: Place


@dataclass(frozen=True, eq=False)
class NewLayer:
    """`pixels`: uint8 (h, w, 3) RGB. `mask`: uint8 (h, w), 255 = shown. `x`, `y`: where on the canvas."""

    name: str
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    x: int
    y: int


class LayeredFile(Protocol):
    """`layers`: those with pixels, from the bottom up. `width`, `height`: of the canvas."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def layers(self) -> Sequence[FileLayer]: ...

    def pixels(self, layer: FileLayer) -> NDArray[np.uint8]:
        """RGBA of a layer over the canvas, uint8 (H, W, 4), straight alpha, clear where it has no pixels.

        Raises:
            FileProblem: the layer can't be read.
        """

    def with_layer(self, new: NewLayer, above: FileLayer) -> bytes:
        """The whole file with a layer more, above another one; every other byte of a layer stays what it was."""


def choose(file: LayeredFile, path: Path, options: dict[str, str]) -> dict[str, FileLayer]:
    """Return the layer of each role that has one, by the name in `options`, else by the names in ROLES.

    Of several layers of one name, the topmost visible one is taken. Without a layer of such a name, the photo is the
    lowest layer that has no other role.

    Raises:
        FileProblem: a layer that an option names isn't there.
    """
    found: dict[str, FileLayer] = {}
    for role, names in ROLES.items():
        wanted = options.get(role, "")
        layer = _named(file.layers, [wanted] if wanted else names)
        if wanted and layer is None:
            has = ", ".join(f'"{layer.name}"' for layer in file.layers) or "no layers with pixels"
            raise FileProblem(f'--{role.replace("_", "-")}: {path.name} has no layer named "{wanted}". It has {has}.')
        if layer is not None:
            found[role] = layer
    others = {layer.index for role, layer in found.items() if role != "photo"}
    if "photo" not in found or (not options.get("photo") and found["photo"].index in others):
        rest = [layer for layer in file.layers if layer.index not in others]
        if not rest:
            raise FileProblem(f"--photo: {path.name} has no layer that could be the photo.")
        found["photo"] = next((layer for layer in rest if layer.visible), rest[0])
    return found


def on_canvas(pixels: NDArray[np.uint8], place: Place, width: int, height: int) -> NDArray[np.uint8]:
    """Return a layer's RGBA (h, w, 4) over the whole canvas (height, width, 4), cut at its edges, clear elsewhere."""
    whole = np.zeros((height, width, 4), np.uint8)
    left, top = max(place.x, 0), max(place.y, 0)
    right, bottom = min(place.x + place.width, width), min(place.y + place.height, height)
    if left < right and top < bottom:
        whole[top:bottom, left:right] = pixels[top - place.y : bottom - place.y, left - place.x : right - place.x]
    return whole


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        FileProblem: the folder can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise FileProblem(f"{path} can't be written: {error.strerror or 'no room or no permission'}.") from error


def _named(layers: Iterable[FileLayer], names: Sequence[str]) -> FileLayer | None:
    """The topmost visible layer of the first name that any layer has."""
    for name in names:
        same = [layer for layer in layers if layer.name.strip().casefold() == name.strip().casefold()]
        if same:
            return max(same, key=lambda layer: (layer.visible, layer.index))
    return None

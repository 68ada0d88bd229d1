"""The layers of a file as a server wants them, and the edit itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.plugin_bridge import Client, Picture, Reference, RemoteError, Result
from layoutbrush.plugin_bridge.commands.files import FileProblem, Photo
from layoutbrush.plugin_bridge.commands.layered import FileLayer, LayeredFile
from layoutbrush.plugin_bridge.commands.mixing import UNKNOWN, ReferencePhoto, Take, draws
from layoutbrush.plugin_bridge.commands.ora import OraFile
from layoutbrush.plugin_bridge.commands.psd import SIGNATURE, PsdFile
from layoutbrush.plugin_bridge.commands.rendering import Options, map_picture
from layoutbrush.plugin_bridge.events import Event
from layoutbrush.plugin_bridge.host import HostProblem, Palette, label_layer
from layoutbrush.plugin_bridge.private_server import ServerProblem

_FLAGS = {
    "edit.sources": "--take",
    "edit.label_map": "--labels",
    "edit.mask": "--mask",
    "edit.exclude": "--exclude",
    "options.seed": "--seed",
    "options.grow": "--grow",
    "layers": "--photo",
}
"""Fields of the wire contract as the command calls them."""


def open_layered(path: Path) -> LayeredFile:
    """Read a layered file by what it holds, whatever it is called.

    Raises:
        FileProblem: no such file, or none that can be edited.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileProblem(f"There is no file {path}.") from error
    except OSError as error:
        raise FileProblem(f"{path} can't be read: {error.strerror}.") from error
    if data.startswith(SIGNATURE):
        return PsdFile(data, path.name)
    if data.startswith(b"PK"):
        return OraFile(data, path.name)
    raise FileProblem(f"{path.name} is neither a PSD nor an ORA file.")


def edited_layers(
    client: Client,
    file: LayeredFile,
    name: str,
    parts: Mapping[str, FileLayer],
    options: Options,
    heard: Callable[[Event], None],
    takes: Sequence[Take] = (),
) -> Result:
    """Edit a file's photo by its other layers. `parts`: the layer of each role, see `layered.choose`. `takes`: what is
    drawn from the reference, besides what is painted where there are none.

    Raises:
        FileProblem: a layer can't be used; its role's flag is named.
        RemoteError: the server's answer, its field as the command calls it.
    """
    if not {"labels", "mask"} & set(parts) and not takes:
        raise FileProblem(f'--labels: {name} has no layer "labels" (painted label map), and none called "mask".')
    layers = _Layers(file, name, parts, Palette.of(client.info().bundle.labels))
    try:
        return _edit(client, layers, options, heard, takes)
    except RemoteError as error:
        error.field = next((flag for field, flag in _FLAGS.items() if error.field.startswith(field)), error.field)
        raise


def _edit(
    client: Client, layers: _Layers, options: Options, heard: Callable[[Event], None], takes: Sequence[Take]
) -> Result:
    layout = layers.ids("layout", None)
    reference = layers.reference()
    named = [Reference("1", layers.picture("reference"), map_picture(reference.layout))] if reference else []
    with client.open(layers.photo(), map_picture(layout), references=named) as document:
        before = document.segment(store=True).data if layout is None else layout.tobytes()
        edited = layers.ids("labels", before)
        mask = layers.mask()
        if reference is not None:
            start = np.frombuffer(before, np.uint8).reshape(layers.shape)
            after = start if edited is None else edited
            sources = draws(client, document, after, start, mask, options.bound, [reference], takes)
            edited, options = after, replace(options, sources=tuple(sources))
        edit = document.edit(
            map_picture(edited),
            mask=map_picture(mask),
            bound=options.bound,
            exclude=map_picture(layers.excluded()),
            sources=options.sources,
            seed=options.seed,
            grow=options.grow,
        )
        for event in edit:
            heard(event)
            if isinstance(event, Result):
                return event
    raise ServerProblem("The server ended the edit without a result.")


class _Layers:
    """The layers of each role, over the canvas."""

    def __init__(self, file: LayeredFile, name: str, parts: Mapping[str, FileLayer], palette: Palette) -> None:
        self._file, self._name, self._parts, self._palette = file, name, parts, palette

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the canvas."""
        return self._file.height, self._file.width

    def photo(self) -> Picture:
        """See `picture`."""
        return self.picture("photo")

    def reference(self) -> ReferencePhoto | None:
        """The reference over the canvas, where there is one; clear pixels are not drawn from."""
        if "reference" not in self._parts:
            return None
        pixels = self._file.pixels(self._parts["reference"])
        labels = self.ids("reference_layout", bytes([UNKNOWN]) * (self._file.width * self._file.height))
        photo = Photo(np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3]))
        return ReferencePhoto(photo, labels, (0, 0, self._file.width, self._file.height))

    def picture(self, role: str) -> Picture:
        """A layer over the canvas: RGB, or RGBA where it is not opaque everywhere."""
        pixels = self._file.pixels(self._parts[role])
        opaque = bool((pixels[..., 3] == 255).all())
        data = np.ascontiguousarray(pixels[..., :3]) if opaque else pixels
        return Picture(data.tobytes(), self._file.width, self._file.height, "RGB" if opaque else "RGBA")

    def ids(self, role: str, before: bytes | None) -> NDArray[np.uint8] | None:
        """Ids of a painted layer; None where there is none. `before`: ids of its clear pixels."""
        if role not in self._parts:
            return None
        width, height = self._file.width, self._file.height
        painted = self._file.pixels(self._parts[role]).tobytes()
        try:
            reading = label_layer.read(painted, width, height, self._palette, before, "RGBA")
            reading.check(self._palette)
        except HostProblem as problem:
            raise FileProblem(f"--{role.replace('_', '-')}: {self._name}: {problem}") from problem
        return np.frombuffer(reading.ids, np.uint8).reshape(height, width)

    def mask(self) -> NDArray[np.bool_] | None:
        """Where the mask layer is bright and opaque."""
        if "mask" not in self._parts:
            return None
        pixels = self._file.pixels(self._parts["mask"])
        found: NDArray[np.bool_] = (pixels[..., 3] >= 128) & (pixels[..., :3].max(axis=-1) >= 128)
        return found

    def excluded(self) -> NDArray[np.bool_] | None:
        """Where the exclude layer is opaque."""
        if "exclude" not in self._parts:
            return None
        found: NDArray[np.bool_] = self._file.pixels(self._parts["exclude"])[..., 3] >= 128
        return found

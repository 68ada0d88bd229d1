"""Edit a layered file: PSD, PSB or ORA with a photo and a painted label layer in, the same with a result layer out.

    layoutbrush edit-file picture.psd --out edited.psd

Layers are found by name, whatever their case: "photo" or "Background", "labels" (painted in the colours of
`layoutbrush segment`; clear where nothing is to change), and, where there are any, "layout" (the photo's own labels in
the same colours), "mask" (bright and opaque where the photo may change), "exclude" (opaque where nothing may be copied
from), "reference" (a second photo, placed where it is to be drawn from) and "reference layout" (its labels in the same
colours). Flags name others. With a reference, what was painted is drawn from it as far as it has the label there, at
the place where it lies, and --take says what else is.

The result lies above the photo, with its mask; in ORA, which knows no masks, its alpha is the mask. All other layers,
profiles and settings keep their bytes, and so does the flattened picture inside the file, which an editor renews when
it saves. Without --server a private server is started for this one edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush edit-file`."""

    file: Annotated[Path, tyro.conf.Positional]
    """The layered file: PSD or PSB (RGB, 8 bits a channel), or ORA (8 bits a channel)."""

    out: Path
    """File to write, of the same kind; may be the file itself."""

    photo: str = ""
    """Name of the photo's layer. Left out: "photo", "background", or the lowest layer without another part."""

    labels: str = ""
    """Name of the painted label layer. Left out: "labels" or "Layoutbrush labels"."""

    layout: str = ""
    """Name of the layer with the photo's own labels. Left out: "layout", or the server finds them."""

    mask: str = ""
    """Name of the layer that says where the photo may change. Left out: "mask", or where the labels differ."""

    exclude: str = ""
    """Name of the layer that marks what must not be copied from. Left out: "exclude" or "Layoutbrush exclude"."""

    reference: str = ""
    """Name of the layer with a second photo to draw from. Left out: "reference"."""

    reference_layout: str = ""
    """Name of the layer with its labels. Left out: "reference layout", or the server finds them."""

    take: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """LABEL[:1[:LABEL_THERE]]: all of this label is drawn from the reference, as in `layoutbrush edit`."""

    name: str = "Layoutbrush"
    """Name of the new layer."""

    bound: bool = False
    """The mask layer only bounds the difference of the labels instead of replacing it."""

    seed: int = 0
    """The same seed gives the same picture; try another one for another fill."""

    grow: float | None = None
    """How far the difference is grown: share of the square root of its area, 0 to 1; 0.1 where left out."""

    server: str = ""
    """HOST:PORT of a running server. Left out: a private one."""

    bundle: str = "scenes"
    """Trained networks of a private server."""

    threads: int = 0
    """Cores of a private server; 0 = all."""


def run(config: Config) -> int:
    """Edit; returns the exit status."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _edit(config))


def _edit(config: Config) -> int:
    from layoutbrush.plugin_bridge.commands import layered, mixing, rendering
    from layoutbrush.plugin_bridge.commands.files import FileProblem
    from layoutbrush.plugin_bridge.commands.layered_edit import edited_layers, open_layered

    options = rendering.Options(config.seed, config.grow, config.bound)
    file = open_layered(config.file)
    if config.out.suffix.lower() != config.file.suffix.lower():
        raise FileProblem(f"--out: {config.out.name} must be of the same kind as {config.file.name}.")
    parts = layered.choose(file, config.file, {role: getattr(config, role) for role in layered.ROLES})
    takes = mixing.parse_takes(config.take, int("reference" in parts))
    choice = rendering.ServerChoice(config.server, config.bundle, config.threads)
    with rendering.progress_bar(config.file.name) as shown, rendering.connected(choice) as client:
        result = edited_layers(client, file, config.file.name, parts, options, shown, takes)
    pixels, mask = rendering.array_of(result.picture)[..., :3], rendering.array_of(result.mask)[..., 0]
    new = layered.NewLayer(config.name, pixels, mask, result.picture.x, result.picture.y)
    layered.write_bytes(config.out, file.with_layer(new, parts["photo"]))
    place = f"{mask.shape[1]} x {mask.shape[0]} pixels at {new.x}, {new.y}"
    seconds = result.timings.get("total", 0) / 1000
    print(f'{config.out}: new layer "{config.name}", {place}, above "{parts["photo"].name}", in {seconds:.2f} s')
    return 0

"""Find a photo's label map: what is where.

    layoutbrush segment photo.jpg --out layout.png

The PNG holds one label id a pixel, 8 bit, with the bundle's colours as its palette, so that any viewer shows it;
repaint it and give it to `layoutbrush edit --edited-layout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush segment`."""

    photo: Annotated[Path, tyro.conf.Positional]
    """The photo: PNG, JPEG, WebP, TIFF or BMP, 8 bits a channel."""

    out: Path
    """PNG to write, of the photo's size (upright)."""

    palette: bool = True
    """Write a palette PNG with the bundle's colours; without it, a grey one."""

    server: str = ""
    """HOST:PORT of a running server. Left out: a private one."""

    bundle: str = "scenes"
    """Trained networks of a private server."""

    threads: int = 0
    """Cores of a private server; 0 = all."""


def run(config: Config) -> int:
    """Segment; returns the exit status."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _segment(config))


def _segment(config: Config) -> int:
    from layoutbrush.plugin_bridge.commands import rendering
    from layoutbrush.plugin_bridge.commands.files import check_output, read_photo, write_labels

    check_output(config.out)
    photo = read_photo(config.photo)
    choice = rendering.ServerChoice(config.server, config.bundle, config.threads)
    with rendering.connected(choice) as client:
        labels = {label.id: label for label in client.info().bundle.labels}
        with client.open(rendering.photo_picture(photo)) as document:
            found = rendering.array_of(document.segment())[..., 0]
    colors = {label.id: (label.color.red, label.color.green, label.color.blue) for label in labels.values()}
    write_labels(config.out, found, colors if config.palette else {})
    shares = {labels[i].name: 100 * float((found == i).mean()) for i in labels if (found == i).any()}
    told = ", ".join(f"{name} {share:.0f} %" for name, share in sorted(shares.items(), key=lambda item: -item[1]))
    print(f"{config.out}: {told}")
    return 0

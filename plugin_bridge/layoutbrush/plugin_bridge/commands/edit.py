"""Edit a photo: paint its label map, and the photo follows.

    layoutbrush segment photo.jpg --out layout.png
    (repaint layout.png in any editor that keeps label ids, save as edited.png)
    layoutbrush edit photo.jpg --layout layout.png --edited-layout edited.png --out result.png

What may change is where the two label maps differ, grown a little; --mask says otherwise. Everything else comes back
bit for bit. Label maps are 8-bit PNGs with one channel of label ids (palette PNGs by their index), 255 = unknown;
`layoutbrush doctor` lists the ids. Without --server a private server is started for this one edit.

Textures can come from other photos: --reference other.jpg draws what was painted from there, as far as that photo has
the label, and --take says it label by label:

    layoutbrush edit photo.jpg --edited-layout layout.png --reference dusk.jpg --take sky --out dusk_sky.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush edit`."""

    photo: Annotated[Path, tyro.conf.Positional]
    """The photo: PNG, JPEG, WebP, TIFF or BMP, 8 bits a channel, 64 px to 64 megapixels."""

    edited_layout: Path
    """The label map that the photo shall follow, of the photo's size (upright)."""

    out: Path
    """PNG to write: the whole photo with the edit, its alpha kept."""

    layout: Path | None = None
    """The photo's own label map. Left out: the server finds one by segmentation."""

    mask: Path | None = None
    """Where the photo may change: 255 = may, 0 = may not. Replaces the difference of the label maps."""

    bound: bool = False
    """--mask only bounds the difference of the label maps instead of replacing it."""

    exclude: Path | None = None
    """255 = never copy from here, such as the thing that is being removed."""

    reference: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """A further photo to draw from; may be given several times."""

    reference_layout: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Label map of each --reference, in their order. Left out: the server finds them by segmentation."""

    take: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """LABEL[:REF[:LABEL_THERE]]: all of this label (name or id) in the edited layout is drawn from reference REF (1, 2,
    ...), from what is LABEL_THERE there. May be given several times. Left out, with one reference: what the label maps
    change is drawn from it, as far as it has the label."""

    place: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """X,Y,WIDTH,HEIGHT: where each --reference lies on the photo when it is stretched over it; things are then put in
    at that place and size. Left out: chosen by what is drawn and what is filled."""

    seed: int = 0
    """The same seed gives the same picture; try another one for another fill."""

    grow: float | None = None
    """How far the difference is grown: share of the square root of its area, 0 to 1; 0.1 where left out."""

    previews: Path | None = None
    """Folder for the pictures on the way: warped.png, coarse.png."""

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
    from layoutbrush.plugin_bridge.commands import mixing, rendering
    from layoutbrush.plugin_bridge.commands.files import check_output, write_png
    from layoutbrush.plugin_bridge.events import Event, Preview

    check_output(config.out)
    references = mixing.read_references(config.reference, config.reference_layout, config.place)
    takes = mixing.parse_takes(config.take, len(references))
    task = rendering.read_task(config.photo, config.edited_layout, config.layout, config.mask, config.exclude)
    options = rendering.Options(config.seed, config.grow, config.bound, ("warped", "coarse") if config.previews else ())
    choice = rendering.ServerChoice(config.server, config.bundle, config.threads)
    with rendering.progress_bar(config.photo.name) as shown, rendering.connected(choice) as client:

        def heard(event: Event) -> None:
            shown(event)
            if isinstance(event, Preview) and config.previews:
                write_png(config.previews / f"{event.kind}.png", rendering.array_of(event.picture))

        rendered = mixing.mixed(client, task, options, references, takes, heard)
    write_png(config.out, rendered.pixels, task.photo.profile)
    share = 100 * rendered.mask.mean()
    print(f"{config.out}: {share:.1f} % of the photo redrawn in {rendered.timings.get('total', 0) / 1000:.2f} s")
    return 0

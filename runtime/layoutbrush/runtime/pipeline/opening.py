"""From the name of a bundle to an editor that runs it."""

from __future__ import annotations

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines import open_engine
from layoutbrush.runtime.engines.stand_in import STAND_IN, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.errors import DamagedBundle
from layoutbrush.runtime.manifest import Manifest
from layoutbrush.runtime.pipeline.editor import Editor, EditorOptions

NEEDED = ("encode_image", "warp_coarse", "warp_fine", "refine")
"""Graphs without which no photo can be edited."""


def open_editor(
    bundle: str = "scenes", threads: int = 0, provider: str = "auto", options: EditorOptions | None = None
) -> Editor:
    """Return an editor for a bundle: a path, the name of a shipped one, or `stand-in` for none (no networks at all).

    `threads`: see `open_engine`.

    Raises:
        NotFound, DamagedBundle: the bundle.
        InvalidArgument: the provider.
    """
    if bundle == STAND_IN:
        return Editor(StandInEngine(), STAND_IN_MANIFEST, options)
    opened = Bundle.load(bundle)
    _check(opened.manifest)
    return Editor(open_engine(opened, threads, provider), opened.manifest, options)


def _check(manifest: Manifest) -> None:
    """Raise DamagedBundle for a bundle of another kind, such as one that makes drafts, or of an older version."""
    for graph in NEEDED:
        if graph not in manifest.graphs:
            text = f"The bundle {manifest.name} {manifest.version} can't edit photos: it has no graph {graph!r}."
            raise DamagedBundle(text, "bundle")

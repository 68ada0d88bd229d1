"""From the name of a bundle to an editor that runs it."""

from __future__ import annotations

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines import open_engine
from layoutbrush.runtime.engines.stand_in import STAND_IN, STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.pipeline.editor import Editor, EditorOptions


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
    return Editor(open_engine(opened, threads, provider), opened.manifest, options)

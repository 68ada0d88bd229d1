"""From the name of a bundle to an editor that runs it."""

from __future__ import annotations

import os

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines import open_engine
from layoutbrush.runtime.engines.cores import available_cores
from layoutbrush.runtime.engines.stand_in import STAND_IN_MANIFEST, StandInEngine
from layoutbrush.runtime.pipeline.editor import Editor, EditorOptions

STAND_IN = "stand-in"


def open_editor(
    bundle: str = "scenes", threads: int = 0, provider: str = "auto", options: EditorOptions | None = None
) -> Editor:
    """Return an editor for a bundle: a path, the name of a shipped one, or `stand-in` for none (no networks at all).

    `threads`: for the networks and the native kernels of the whole process; 0 = one a core.

    Raises:
        NotFound, DamagedBundle: the bundle.
        InvalidArgument: the provider.
    """
    if bundle == STAND_IN:
        return Editor(StandInEngine(), STAND_IN_MANIFEST, options)
    # The kernels inside a graph have no argument for it; they read this each time they start.
    os.environ["LAYOUTBRUSH_NUM_THREADS"] = str(threads or available_cores())
    opened = Bundle.load(bundle)
    return Editor(open_engine(opened, threads, provider), opened.manifest, options)

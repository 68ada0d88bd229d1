"""From a photo and an edited label map to a new layer: mask, region of interest, graphs, composite, previews."""

from __future__ import annotations

from layoutbrush.runtime.pipeline.editor import Editor, EditorOptions
from layoutbrush.runtime.pipeline.events import (
    PREVIEWS,
    EditRequest,
    Event,
    Layer,
    Preview,
    Progress,
    Result,
    Source,
    Tile,
)
from layoutbrush.runtime.pipeline.opening import open_editor
from layoutbrush.runtime.pipeline.scene import Prepared

__all__ = [
    "PREVIEWS",
    "EditRequest",
    "Editor",
    "EditorOptions",
    "Event",
    "Layer",
    "Prepared",
    "Preview",
    "Progress",
    "Result",
    "Source",
    "Tile",
    "open_editor",
]

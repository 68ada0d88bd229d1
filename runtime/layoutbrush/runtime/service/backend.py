"""What the service asks of the pipeline. `pipeline.Editor` is one; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.drafts.boxes import DraftRequest
from layoutbrush.runtime.finding import Library
from layoutbrush.runtime.manifest import Label
from layoutbrush.runtime.pipeline.events import EditRequest, Event

Poll = Callable[[], bool]


class Prepared(Protocol):
    """What is computed once a photo. `layout`: the label map it was computed with, uint8 (H, W)."""

    @property
    def layout(self) -> NDArray[np.uint8]:
        """The label map given, or the one found by segmentation."""


class Editor(Protocol):
    """Edits photos; called from worker threads, several at a time.

    Every method polls `cancelled` between steps and raises `errors.Cancelled` once it is True. Bad input raises
    `errors.InvalidArgument` with a field of `EditRequest`.
    """

    def open(self, photo: NDArray[np.uint8], layout: NDArray[np.uint8] | None, cancelled: Poll) -> Any:
        """Prepare a photo uint8 (H, W, 3) with its label map uint8 (H, W), or segment it where None."""

    def segment(self, photo: NDArray[np.uint8], cancelled: Poll) -> NDArray[np.uint8]:
        """Return the label map uint8 (H, W) of a photo."""

    def edit(self, prepared: Any, request: EditRequest, cancelled: Poll) -> Iterator[Event]:
        """Yield progress, previews and, last, the result."""


class Drafter(Protocol):
    """Makes pictures from boxes; called from worker threads, several at a time."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that boxes may have."""

    def draft(self, request: DraftRequest, cancelled: Poll) -> Iterator[NDArray[np.uint8]]:
        """Yield `request.count` pictures uint8 (S, S, 3); polls `cancelled` between them, as an editor does."""


@dataclass(frozen=True)
class EngineNote:
    """One way of running the networks, for GetServerInfo."""

    name: str
    version: str = ""
    active: bool = True
    note: str = ""


@dataclass(frozen=True)
class Backend:
    """An editor and what is to be said about it. `references`: whether it draws from other photos.

    `drafter`: None where no drafts are made; `no_drafts` is then a sentence that says what is missing, or empty where
    nobody wants any. `library`: photos that references are found in, None where the owner names no folder.
    """

    editor: Editor
    bundle_name: str
    bundle_version: str
    labels: tuple[Label, ...]
    engines: Sequence[EngineNote] = ()
    references: bool = False
    drafter: Drafter | None = None
    no_drafts: str = ""
    library: Library | None = None

    @property
    def label_ids(self) -> frozenset[int]:
        """Ids that a label map may hold, besides 255."""
        return frozenset(label.id for label in self.labels)

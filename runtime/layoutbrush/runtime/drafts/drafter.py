"""Runs a bundle of drafts: boxes in, pictures out, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.drafts.boxes import Box, DraftRequest, in_sight
from layoutbrush.runtime.drafts.changes import blended, change_weights
from layoutbrush.runtime.drafts.looks import latent_codes
from layoutbrush.runtime.engines import Engine, open_engine
from layoutbrush.runtime.engines.stand_in import STAND_IN, STAND_IN_DRAFTS, StandInEngine
from layoutbrush.runtime.errors import Cancelled, DamagedBundle, UnknownLabel
from layoutbrush.runtime.manifest import Manifest
from layoutbrush.runtime.pipeline.resample import to_bytes

GRAPH = "draft"
_INPUTS = {"labels": "int32", "boxes": "float32", "latents": "float32"}
_OUTPUT = "drafts"


class Drafter:
    """Makes drafts with the graph `draft` that `engine` runs for the bundle of `manifest`. Safe to use from several
    threads.

    The graph takes labels (O,) int32, boxes (O, 4) float32 (left, top, right, bottom as shares) and latents (B, O, Z)
    float32, and gives drafts (B, 3, S, S) float32 in [0, 1]; Z and S are numbers in the manifest.
    """

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Raises:
        DamagedBundle: the bundle makes no drafts.
        """
        self.engine = engine
        self.manifest = manifest
        self._ids = {label.name: label.id for label in manifest.labels}
        self._code, self.size = _shapes(manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that boxes may have."""
        return tuple(label.name for label in self.manifest.labels)

    def draft(
        self, request: DraftRequest, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield `request.count` pictures, uint8 (S, S, 3).

        Each draft is a run of its own: it is there as soon as it can be, its bytes cannot depend on how many follow,
        and on a CPU a batch of eight saved no more than an eighth of the time (the graph's small maps keep one core
        busy, whatever their number). Layouts that came before are drawn again, one run each: the request alone decides
        what a draft was.

        Raises:
            UnknownLabel: `boxes[i].label`, or `before[j].boxes[i].label`, isn't one of `labels`.
            Cancelled: `cancelled()` turned True between two runs.
        """
        for index, layout in enumerate(request.before):
            self._check(layout, f"before[{index}].boxes")
        self._check(request.boxes, "boxes")
        layouts = request.layouts
        edits = [change_weights(old, new, self.size) for old, new in pairwise(layouts)]
        for number in range(request.count):
            picture = self._draw(layouts[0], request.seed, number, cancelled)
            for layout, weights in zip(layouts[1:], edits, strict=True):
                picture = blended(picture, self._draw(layout, request.seed, number, cancelled), weights)
            yield picture

    def _draw(self, layout: Sequence[Box], seed: int, number: int, cancelled: Callable[[], bool]) -> NDArray[np.uint8]:
        """One draft of one layout, made anew. Networks tend to show a small box through a larger one that lies in front
        of it; what is hidden altogether is not theirs to see.
        """
        if cancelled():
            raise Cancelled
        layout = in_sight(layout)
        codes = latent_codes(seed, number, [box.look for box in layout], self._code)
        inputs = {
            "labels": np.array([self._ids[box.label] for box in layout], np.int32),
            "boxes": np.array([(box.left, box.top, box.right, box.bottom) for box in layout], np.float32),
            "latents": codes,
        }
        return to_bytes(self.engine.run(GRAPH, inputs, (_OUTPUT,))[_OUTPUT][0])

    def _check(self, layout: Sequence[Box], field: str) -> None:
        for index, box in enumerate(layout):
            if box.label not in self._ids:
                raise UnknownLabel(f"It is none of {', '.join(self.labels)}.", f"{field}[{index}].label")


def open_drafter(bundle: str = "drafts", threads: int = 0) -> Drafter:
    """Return what makes drafts with a bundle: a path, the name of a shipped one, or `stand-in` for no networks at all.

    It runs on the CPU whatever renders: a draft takes milliseconds there. `threads`: see `open_engine`.

    Raises:
        NotFound, DamagedBundle: the bundle.
    """
    if bundle == STAND_IN:
        return Drafter(StandInEngine(), STAND_IN_DRAFTS)
    opened = Bundle.load(bundle)
    _shapes(opened.manifest)  # before its graphs are loaded: another kind of bundle is large
    return Drafter(open_engine(opened, threads, "cpu"), opened.manifest)


def _shapes(manifest: Manifest) -> tuple[int, int]:
    """Return Z and S of the class."""
    if GRAPH not in manifest.graphs:
        raise DamagedBundle(f"The bundle {manifest.name} makes no drafts: it has no graph {GRAPH!r}.", "bundle")
    graph = manifest.graphs[GRAPH]
    given = {tensor.name: tensor for tensor in graph.inputs}
    made = {tensor.name: tensor.shape for tensor in graph.outputs}
    sound = {name: tensor.type for name, tensor in given.items()} == _INPUTS and _OUTPUT in made
    code = given["latents"].shape[-1] if sound else 0
    side = made[_OUTPUT][-1] if sound else 0
    if not (isinstance(code, int) and isinstance(side, int) and code > 0 and side > 0):
        raise DamagedBundle("The graph's inputs and outputs are not those of drafts.", graph.file)
    return code, side

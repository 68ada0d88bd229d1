"""What a client remembers of a document, so that a server that has forgotten it can be told again; free of I/O.

Servers are restarted, and forget documents when memory is short. The layers are sent again then, and an edit that was
painted over an earlier state of the label map brings everything along that was painted since.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import grpc

from layoutbrush import v1
from layoutbrush.plugin_bridge.errors import DOCUMENT_NOT_FOUND, STALE_REVISION, RemoteError
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import EditRequest, Steps, open_steps

LONGEST_WAIT = 30.0
"""Seconds: a server that asks for a longer pause before a retry is not waited for."""
MAX_PAINTED = 2048
"""Layers of paint that are remembered, of 4096 that an edit may bring along."""
MAX_PAINTED_BYTES = 32 << 20


class Memory:
    """A document's layers and what was painted. `id`: the server's name for it. `photo`: where its photo lies."""

    def __init__(self, layers: Sequence[v1.Layer]) -> None:
        self.id = ""
        self.photo: v1.Bounds | None = None
        self.layers = list(layers)
        self._revision = 0
        self._painted: list[v1.Layer] | None = []

    def open(self) -> Steps[None]:
        """The calls that make the document, on this server or another."""
        self.id, self.photo = yield from open_steps(self.layers)

    def put(self, layer: v1.Layer) -> None:
        """Remember a layer in place of the one of its kind. A new label map makes an end of what was painted."""
        others = [old for old in self.layers if (old.kind, old.reference_id) != (layer.kind, layer.reference_id)]
        self.layers = [*others, layer]
        if layer.kind in (v1.LAYER_KIND_LABEL_MAP, v1.LAYER_KIND_EDITED_LABEL_MAP):
            self._revision, self._painted = 0, []

    def accepted(self, edit: EditRequest, revision: int) -> None:
        """Remember what an edit painted; the server calls the state after it `revision`."""
        if edit.label_map is not None:
            self._painted = [self._placed(edit.label_map.packed().layer(v1.LAYER_KIND_EDITED_LABEL_MAP))]
        elif edit.tiles:
            base = self._base(edit)
            self._painted = None if base is None else [*base, *_layers(edit.tiles)]
        else:
            edited = [layer for layer in self.layers if layer.kind == v1.LAYER_KIND_EDITED_LABEL_MAP]
            self._painted = [self._placed(layer) for layer in edited]
        if self._painted is not None and not _bearable(self._painted):
            self._painted = None  # from here on only a whole label map can be told again
        self._revision = revision

    def again(self, edit: EditRequest) -> v1.RenderRequest | None:
        """The request of an edit for a server that knows no earlier state; None where too much was painted since."""
        if not edit.tiles:
            return edit.message(self.id)
        base = self._base(edit)
        if base is None:
            return None
        request = edit.message(self.id)
        request.edit.tiles.CopyFrom(v1.TileEdit(tiles=[*base, *_layers(edit.tiles)]))
        return request

    def _base(self, edit: EditRequest) -> list[v1.Layer] | None:
        """What was painted before an edit of tiles."""
        if edit.base_revision == 0:
            return []
        return self._painted if edit.base_revision == self._revision else None

    def _placed(self, layer: v1.Layer) -> v1.Layer:
        """A whole label map as a tile, which must say where it lies: where the photo does."""
        if layer.HasField("bounds") or self.photo is None:
            return layer
        placed = v1.Layer(bounds=self.photo)
        placed.MergeFrom(layer)
        return placed


class Next(enum.Enum):
    """What to do after an edit was refused."""

    RAISE = enum.auto()
    WAIT = enum.auto()
    REOPEN = enum.auto()
    RESEND = enum.auto()


class Attempts:
    """Decides how often and how an edit is tried. `retries`: after which a busy server is given up."""

    def __init__(self, memory: Memory, edit: EditRequest, retries: int) -> None:
        self._memory = memory
        self._edit = edit
        self._retries = retries
        self._told_again = False
        self._reopened = False

    def message(self) -> v1.RenderRequest:
        """The request to send now."""
        again = self._memory.again(self._edit) if self._told_again else None
        return again or self._edit.message(self._memory.id)

    def after(self, error: RemoteError, started: bool) -> Next:
        """What to do after `error`. `started`: events had arrived."""
        if error.reason == DOCUMENT_NOT_FOUND and not self._reopened:
            self._reopened = self._told_again = True
            return Next.REOPEN
        if error.reason == STALE_REVISION and not self._told_again and self._memory.again(self._edit) is not None:
            self._told_again = True
            return Next.RESEND
        if started or self._retries <= 0 or not worth_waiting(error):
            return Next.RAISE
        self._retries -= 1
        return Next.WAIT


def worth_waiting(error: RemoteError) -> bool:
    """True where the same call may work after the pause that the server asked for."""
    return error.retry_after_s is not None and error.retry_after_s <= LONGEST_WAIT


def cancelled(sentence: str = "The edit was cancelled.") -> RemoteError:
    """The error of work that its caller ended."""
    return RemoteError(grpc.StatusCode.CANCELLED, sentence)


def lost_on_the_way(error: RemoteError, address: str) -> RemoteError:
    """The same error in words for an edit that had begun."""
    if not error.lost:
        return error
    text = f"The server at {address} went away in the middle of the edit; your painting is safe."
    return RemoteError(error.code, f"{text} Start it again with `layoutbrush serve`, and try once more.")


def _layers(tiles: Sequence[Picture]) -> list[v1.Layer]:
    return [tile.layer(v1.LAYER_KIND_EDITED_LABEL_MAP) for tile in tiles]


def _bearable(painted: Sequence[v1.Layer]) -> bool:
    return len(painted) <= MAX_PAINTED and sum(len(layer.data) for layer in painted) <= MAX_PAINTED_BYTES

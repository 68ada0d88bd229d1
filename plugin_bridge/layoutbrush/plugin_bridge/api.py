"""What a plugin needs of a client, as abstract classes: the real one and the mock are both of these.

A plugin that takes an `AbstractClient` is tested without a server (`mock.MockClient`) and without an editor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypedDict

from layoutbrush import v1
from layoutbrush.plugin_bridge.boxes import Box
from layoutbrush.plugin_bridge.errors import ended_early
from layoutbrush.plugin_bridge.events import Draft, DraftEvent, Event, Result
from layoutbrush.plugin_bridge.found import FoundReferences
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import Reference, Source, objection

if TYPE_CHECKING:
    from typing import Unpack


class EditOptions(TypedDict, total=False):
    """How an edit is made; see the fields of `requests.EditRequest`."""

    tiles: Sequence[Picture]
    base_revision: int
    mask: Picture | None
    bound: bool
    exclude: Picture | None
    sources: Sequence[Source]
    seed: int
    grow: float | None
    previews: Sequence[str]
    preview_side: int
    png: bool
    channels: str
    supersede: bool
    stream_tiles: bool


class DraftOptions(TypedDict, total=False):
    """How drafts are made; see the fields of `boxes.DraftRequest`."""

    count: int
    seed: int
    layout_size: tuple[int, int] | None
    png: bool
    before: Sequence[Sequence[Box]]


class AbstractClient(ABC):
    """A connection to one server. Safe to use from several threads."""

    def __enter__(self) -> AbstractClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the connection; edits that still run end, and nothing is waited for any more."""

    @abstractmethod
    def info(self) -> v1.GetServerInfoResponse:
        """What the server is: bundle, labels, limits, engines.

        Raises:
            RemoteError: it doesn't answer; the message is for people.
        """

    @abstractmethod
    def check(self, needs: Sequence[str] = ()) -> str:
        """Test the connection; returns one sentence about the server.

        `needs`: capabilities that the plugin can't do without, such as "polling" or "references".

        Raises:
            RemoteError: one sentence says why it can't be used: nothing listens there, no such machine, TLS on one side
                only, an unknown certificate, a missing token, an older server.
        """

    def objection(self, width: int, height: int) -> str:
        """Why the server wouldn't take a photo of that size, for people; empty where it would.

        To be asked before a large canvas is read out of an editor.

        Raises:
            RemoteError: it doesn't answer.
        """
        return objection(self.info().limits, width, height)

    @abstractmethod
    def open(
        self,
        photo: Picture,
        label_map: Picture | None = None,
        *,
        mask: Picture | None = None,
        exclude: Picture | None = None,
        references: Sequence[Reference] = (),
    ) -> AbstractDocument:
        """Upload a photo and what belongs to it. Without a label map the server finds one.

        Raises:
            RemoteError: the server refused; `field` names what is wrong.
        """

    @abstractmethod
    def find_references(
        self,
        label_map: Picture | None = None,
        picture: Picture | None = None,
        *,
        count: int = 0,
        thumbnail_side: int = 0,
        png: bool = False,
    ) -> FoundReferences:
        """Search the server's folder of photos for those that are like a layout, a picture, or both.

        `label_map`: GRAY, ids of the bundle, 255 = anything. `picture`: a draft or a photo. 512 pixels a side are
        plenty. `count`: photos at most, 0 = the server's choice. `thumbnail_side`: pixels, likewise. `png`:
        thumbnails come as PNG. Servers that can have the capability "found_references".

        Raises:
            RemoteError: the server can't, or refused; `field` names what is wrong.
        """

    @abstractmethod
    def fetch_reference(self, name: str, max_side: int = 0, *, timeout: float | None = None) -> Reference:
        """Return a photo that was found, with its label map, ready to be a reference of a document.

        `max_side`: longer side in pixels, 0 = as the photo is. `timeout`: seconds.

        Raises:
            RemoteError: the server can't, or has no photo of that name (any more).
        """

    @abstractmethod
    def draft(
        self,
        boxes: Sequence[Box],
        width: int,
        height: int,
        *,
        timeout: float | None = None,
        **options: Unpack[DraftOptions],
    ) -> AbstractDrafting:
        """Make pictures from labelled boxes of a canvas of that size; returns an iterator of events.

        `timeout`: seconds. `options`: see `boxes.DraftRequest`. Servers that can have the capability "drafts".
        """


class AbstractDocument(ABC):
    """A photo on the server."""

    id: str

    def __enter__(self) -> AbstractDocument:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let the server forget the document. Never raises: it forgets by itself, too."""

    @abstractmethod
    def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """Add or replace a layer.

        Raises:
            RemoteError: the server refused it; the document keeps what it had.
        """

    @abstractmethod
    def edit(
        self, label_map: Picture | None = None, *, timeout: float | None = None, **options: Unpack[EditOptions]
    ) -> AbstractEdit:
        """Edit the photo; returns an iterator of events whose last one is the `Result`.

        `label_map`: the painted label map. `timeout`: seconds. `options`: see `requests.EditRequest`.
        """

    @abstractmethod
    def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """Return the label map that the server finds (GRAY); `store`: it also becomes the document's.

        Raises:
            RemoteError: the server can't.
        """


class AbstractEdit(ABC):
    """An edit: iterate over its events, or take its `result`. Nothing is sent before the first event is asked for.

    `revision`: state of the edited label map that this edit shows; base of further tiles.
    """

    revision: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Event]:
        """The events; raises RemoteError where there is no result."""

    @abstractmethod
    def cancel(self) -> None:
        """End the edit; its iterator then raises RemoteError with code CANCELLED. From any thread."""

    def result(self) -> Result:
        """Wait for the result, passing over all other events.

        Raises:
            RemoteError: there is none.
        """
        for event in self:
            if isinstance(event, Result):
                return event
        raise ended_early()


class AbstractDrafting(ABC):
    """Drafts on their way: iterate over the events, or take all `drafts`. Nothing is sent before that."""

    @abstractmethod
    def __iter__(self) -> Iterator[DraftEvent]:
        """The events, each draft as soon as it is done; raises RemoteError where not all could be made."""

    @abstractmethod
    def cancel(self) -> None:
        """End the work; the iterator then raises RemoteError with code CANCELLED. From any thread."""

    def drafts(self) -> list[Draft]:
        """Wait for all drafts, in their order.

        Raises:
            RemoteError: not all could be made.
        """
        return [event for event in self if isinstance(event, Draft)]

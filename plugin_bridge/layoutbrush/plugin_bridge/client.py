"""The synchronous client. Safe to use from several threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from layoutbrush import v1
from layoutbrush.plugin_bridge.api import AbstractClient, AbstractDocument, AbstractEdit, DraftOptions, EditOptions
from layoutbrush.plugin_bridge.boxes import Box, DraftRequest
from layoutbrush.plugin_bridge.connection import Tls, channel, diagnose
from layoutbrush.plugin_bridge.drafting import Drafting
from layoutbrush.plugin_bridge.errors import DOCUMENT_NOT_FOUND, RemoteError, ended_early, remote_error
from layoutbrush.plugin_bridge.events import Assembler, Draft, Event, LabelMap
from layoutbrush.plugin_bridge.found import Fetched, FoundReferences, fetch_message, read_answer, search_message
from layoutbrush.plugin_bridge.memory import Attempts, Memory, Next, cancelled, lost_on_the_way, worth_waiting
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import (
    EditRequest,
    Reference,
    Step,
    Steps,
    describe,
    document_layers,
    lacking,
    upload_steps,
)

if TYPE_CHECKING:
    from typing import Self, Unpack

R = TypeVar("R")


class Client(AbstractClient):
    """A connection to one server.

    `address`: host:port. `token`: where the server wants one. `timeout`: seconds for calls other than edits. `retries`:
    how often a call that a busy server sent away is tried again, after the pause that it asked for. `tls`: True, or the
    certificate authorities to trust as PEM.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        token: str = "",
        timeout: float = 60.0,
        retries: int = 3,
        tls: Tls = False,
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.retries = retries
        self._tls = tls
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = channel(address, tls)
        self._stub = v1.LayoutbrushServiceStub(self._channel)
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """See `AbstractClient`."""
        self._closed.set()
        self._channel.close()

    def info(self) -> v1.GetServerInfoResponse:
        """See `AbstractClient`."""
        response: v1.GetServerInfoResponse = self.call(Step("GetServerInfo", v1.GetServerInfoRequest()))
        return response

    def check(self, needs: Sequence[str] = ()) -> str:
        """See `AbstractClient`."""
        try:
            info = self.info()
        except RemoteError as error:
            if error.lost:
                raise RemoteError(error.code, diagnose(self.address, self._tls)) from None
            raise
        if missing := lacking(info, needs):
            raise too_old(self.address, missing)
        return describe(info)

    def open(
        self,
        photo: Picture,
        label_map: Picture | None = None,
        *,
        mask: Picture | None = None,
        exclude: Picture | None = None,
        references: Sequence[Reference] = (),
    ) -> Document:
        """See `AbstractClient`."""
        return Document(self, document_layers(photo, label_map, mask, exclude, references))

    def find_references(
        self,
        label_map: Picture | None = None,
        picture: Picture | None = None,
        *,
        count: int = 0,
        thumbnail_side: int = 0,
        png: bool = False,
    ) -> FoundReferences:
        """See `AbstractClient`."""
        request = search_message(label_map, picture, count, thumbnail_side, png)
        return read_answer(self.call(Step("FindReferences", request)))

    def fetch_reference(self, name: str, max_side: int = 0, *, timeout: float | None = None) -> Reference:
        """See `AbstractClient`."""
        fetched = Fetched(name)
        try:
            for response in self.stream("FetchReference", fetch_message(name, max_side), timeout):
                if (reference := fetched.feed(response)) is not None:
                    return reference
        except grpc.RpcError as failed:
            raise remote_error(failed, self.address) from None
        raise ended_early()

    def draft(
        self,
        boxes: Sequence[Box],
        width: int,
        height: int,
        *,
        timeout: float | None = None,
        **options: Unpack[DraftOptions],
    ) -> Drafting:
        """See `AbstractClient`."""
        return Drafting(self, DraftRequest(boxes, width, height, **options), timeout)

    def call(self, step: Step) -> Any:
        """Make one unary call of the contract, with retries.

        Raises:
            RemoteError: it failed.
        """
        method = getattr(self._stub, step.method)
        for left in range(self.retries, -1, -1):
            try:
                return method(step.request, timeout=self.timeout, metadata=self._metadata)
            except grpc.RpcError as failed:
                error = remote_error(failed, self.address)
            except ValueError:  # how grpcio says that the channel was closed
                raise closed() from None
            if not left or not worth_waiting(error) or not self.pause(error, self._closed):
                raise error
        raise AssertionError("the last attempt returns or raises")

    def stream(self, method: str, request: Any, timeout: float | None) -> Any:
        """Start a streaming call of the contract."""
        try:
            return getattr(self._stub, method)(request, timeout=timeout, metadata=self._metadata)
        except ValueError:
            raise closed() from None

    def run(self, steps: Steps[R]) -> R:
        """Make the calls of a sequence."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self.call(step))
        except StopIteration as end:
            result: R = end.value
            return result

    def pause(self, error: RemoteError, stop: threading.Event) -> bool:
        """Wait as the server asked; False where `stop` was set meanwhile, or the client closed."""
        ended = stop.wait(error.retry_after_s or 0.0)
        return not ended and not self._closed.is_set()


class Document(AbstractDocument):
    """A photo on the server. Opened again by itself when the server has forgotten it."""

    def __init__(self, client: Client, layers: list[v1.Layer]) -> None:
        self._client = client
        self._opening = threading.Lock()
        self.memory = Memory(layers)
        client.run(self.memory.open())

    def __enter__(self) -> Self:
        return self

    @property
    def id(self) -> str:  # type: ignore[override]  # it may change
        """The server's name for the document."""
        return self.memory.id

    def close(self) -> None:
        """See `AbstractDocument`."""
        with contextlib.suppress(RemoteError):
            self._client.call(Step("CloseDocument", v1.CloseDocumentRequest(document_id=self.id)))

    def reopen(self, stale: str = "") -> None:
        """Upload the document again, for a server that has forgotten it under the name `stale`."""
        with self._opening:
            if not stale or self.memory.id == stale:  # otherwise another thread was faster
                self._client.run(self.memory.open())

    def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """See `AbstractDocument`."""
        layer, stale = picture.packed().layer(kind, reference_id), self.id
        try:
            self._client.run(upload_steps(stale, layer))
        except RemoteError as error:
            if error.reason != DOCUMENT_NOT_FOUND:
                raise
            self.reopen(stale)
            self._client.run(upload_steps(self.id, layer))
        self.memory.put(layer)

    def edit(
        self, label_map: Picture | None = None, *, timeout: float | None = None, **options: Unpack[EditOptions]
    ) -> Edit:
        """See `AbstractDocument`."""
        return Edit(self._client, self, EditRequest(label_map, **options), timeout)

    def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """See `AbstractDocument`."""
        stale = self.id
        try:
            found = self._segment(store, reference_id)
        except RemoteError as error:
            if error.reason != DOCUMENT_NOT_FOUND:
                raise
            self.reopen(stale)
            found = self._segment(store, reference_id)
        if store:
            kind = v1.LAYER_KIND_REFERENCE_LABEL_MAP if reference_id else v1.LAYER_KIND_LABEL_MAP
            self.memory.put(found.packed().layer(kind, reference_id))
        return found

    def _segment(self, store: bool, reference_id: str) -> Picture:
        request = v1.SegmentRequest(document_id=self.id, reference_id=reference_id, store=store)
        assembler = Assembler()
        try:
            for response in self._client.stream("Segment", request, None):
                for event in assembler.feed(response):
                    if isinstance(event, LabelMap):
                        return event.picture
        except grpc.RpcError as failed:
            raise remote_error(failed, self._client.address) from None
        raise ended_early()


class Edit(AbstractEdit):
    """See `AbstractEdit`."""

    def __init__(self, client: Client, document: Document, request: EditRequest, timeout: float | None) -> None:
        self._client = client
        self._document = document
        self._request = request
        self._timeout = timeout
        self._call: Any = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """See `AbstractEdit`."""
        self._cancelled.set()
        if self._call is not None:
            self._call.cancel()

    def __iter__(self) -> Iterator[Event]:
        attempts = Attempts(self._document.memory, self._request, self._client.retries)
        while True:
            assembler, stale = Assembler(), self._document.id
            try:
                yield from self._events(attempts.message(), assembler)
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            if self._cancelled.is_set():
                raise cancelled()
            step = attempts.after(error, assembler.started)
            if step is Next.RAISE:
                raise lost_on_the_way(error, self._client.address) if assembler.started else error
            if step is Next.REOPEN:
                self._document.reopen(stale)
            if step is Next.WAIT and not self._client.pause(error, self._cancelled):
                raise cancelled()

    def _events(self, message: v1.RenderRequest, assembler: Assembler) -> Iterator[Event]:
        self._call = self._client.stream("Render", message, self._timeout)
        if self._cancelled.is_set():
            self._call.cancel()
        try:
            for response in self._call:
                if not assembler.started:
                    self.revision = response.revision
                    self._document.memory.accepted(self._request, response.revision)
                for event in assembler.feed(response):
                    if not isinstance(event, LabelMap | Draft):
                        yield event
        finally:
            self._call.cancel()  # does nothing to a call that has ended


def closed() -> RemoteError:
    """The error of a call on a client that was closed."""
    return RemoteError(grpc.StatusCode.CANCELLED, "The connection was closed.")


def too_old(address: str, missing: Sequence[str]) -> RemoteError:
    """The error of a server without something that a plugin needs."""
    text = f"The server at {address} is too old for this plugin: it lacks {', '.join(missing)}."
    return RemoteError(grpc.StatusCode.UNIMPLEMENTED, f"{text} Update Layoutbrush there.")

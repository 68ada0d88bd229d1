"""The synchronous client. Safe to use from several threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc

from layoutbrush import v1
from layoutbrush.plugin_bridge.errors import DOCUMENT_NOT_FOUND, RemoteError, remote_error
from layoutbrush.plugin_bridge.events import Assembler, Event, LabelMap, Result
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import (
    EditRequest,
    Reference,
    Source,
    Step,
    Steps,
    describe,
    document_layers,
    open_steps,
    upload_steps,
)

R = TypeVar("R")
LONGEST_WAIT = 30.0
"""Seconds: a server that asks for a longer pause before a retry is not waited for."""


class Client:
    """A connection to one server.

    `address`: host:port. `token`: where the server wants one. `timeout`: seconds for calls other than edits. `retries`:
    how often a call that a busy server sent away is tried again, after the pause that it asked for.
    """

    def __init__(
        self, address: str = "127.0.0.1:50051", token: str = "", timeout: float = 60.0, retries: int = 3
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.retries = retries
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = grpc.insecure_channel(address)
        self._stub = v1.LayoutbrushServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; edits that still run are cancelled."""
        self._channel.close()

    def info(self) -> v1.GetServerInfoResponse:
        """What the server is: bundle, labels, limits, engines.

        Raises:
            RemoteError: it doesn't answer; the message is for people.
        """
        response: v1.GetServerInfoResponse = self.call(Step("GetServerInfo", v1.GetServerInfoRequest()))
        return response

    def check(self) -> str:
        """Test the connection; returns one sentence about the server.

        Raises:
            RemoteError: it doesn't answer; the message is for people.
        """
        return describe(self.info())

    def open(
        self,
        photo: Picture,
        label_map: Picture | None = None,
        *,
        mask: Picture | None = None,
        exclude: Picture | None = None,
        references: Sequence[Reference] = (),
    ) -> Document:
        """Upload a photo and what belongs to it. Without a label map the server finds one.

        Raises:
            RemoteError: the server refused; `field` names what is wrong.
        """
        return Document(self, document_layers(photo, label_map, mask, exclude, references))

    def call(self, step: Step) -> Any:
        """Make one unary call of the contract, with retries.

        Raises:
            RemoteError: it failed.
        """
        method = getattr(self._stub, step.method)
        for attempt in range(self.retries + 1):
            try:
                return method(step.request, timeout=self.timeout, metadata=self._metadata)
            except grpc.RpcError as failed:
                error = remote_error(failed, self.address)
            if not self.pause(error, attempt):
                raise error
        raise AssertionError("the last attempt returns or raises")

    def stream(self, method: str, request: Any, timeout: float | None) -> Any:
        """Start a streaming call of the contract."""
        return getattr(self._stub, method)(request, timeout=timeout, metadata=self._metadata)

    def run(self, steps: Steps[R]) -> R:
        """Make the calls of a sequence."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self.call(step))
        except StopIteration as end:
            result: R = end.value
            return result

    def pause(self, error: RemoteError, attempt: int) -> bool:
        """Wait as the server asked; False where trying again makes no sense."""
        wait = error.retry_after_s
        if wait is None or wait > LONGEST_WAIT or attempt >= self.retries:
            return False
        time.sleep(wait)
        return True


class Document:
    """A photo on the server. Opened again by itself when the server has forgotten it."""

    def __init__(self, client: Client, layers: list[v1.Layer]) -> None:
        self._client = client
        self._layers = layers
        self.id = client.run(open_steps(layers))

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the server forget the document. Never raises: it forgets by itself, too."""
        with contextlib.suppress(RemoteError):
            self._client.call(Step("CloseDocument", v1.CloseDocumentRequest(document_id=self.id)))

    def reopen(self) -> None:
        """Upload the document again, for a server that has forgotten it."""
        self.id = self._client.run(open_steps(self._layers))

    def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """Add or replace a layer.

        Raises:
            RemoteError: the server refused it; the document keeps what it had.
        """
        layer = picture.packed().layer(kind, reference_id)
        self._client.run(upload_steps(self.id, layer))
        others = [old for old in self._layers if (old.kind, old.reference_id) != (kind, reference_id)]
        self._layers = [*others, layer]

    def edit(
        self,
        label_map: Picture | None = None,
        *,
        tiles: Sequence[Picture] = (),
        base_revision: int = 0,
        mask: Picture | None = None,
        bound: bool = False,
        exclude: Picture | None = None,
        sources: Sequence[Source] = (),
        seed: int = 0,
        grow: float | None = None,
        previews: Sequence[str] = (),
        preview_side: int = 0,
        png: bool = False,
        channels: str = "RGB",
        supersede: bool = False,
        timeout: float | None = None,
    ) -> Edit:
        """Edit the photo; returns an iterator of events whose last one is the `Result`.

        `label_map`: the painted label map, or `tiles` of it, painted over the state `base_revision` (0 = the document's
        label map). `mask`: what may change, or, with `bound`, bounds what the label maps change. `exclude`: what must
        not be copied from. `grow`: share by which the difference is grown, None = 0.10. `previews`: "warped", "coarse".
        `png`: layers come as PNG. `channels`: RGB, RGBA, BGR, BGRA. `supersede`: end earlier edits of this document.
        `timeout`: seconds.
        """
        request = EditRequest(
            label_map, tiles, base_revision, mask, bound, exclude, sources, seed, grow, previews, preview_side, png,
            channels, supersede,
        )  # fmt: skip
        return Edit(self._client, self, request, timeout)

    def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """Return the label map that the server finds (GRAY); `store`: it also becomes the document's.

        Raises:
            RemoteError: the server can't.
        """
        request = v1.SegmentRequest(document_id=self.id, reference_id=reference_id, store=store)
        assembler = Assembler()
        try:
            for response in self._client.stream("Segment", request, None):
                for event in assembler.feed(response):
                    if isinstance(event, LabelMap):
                        return event.picture
        except grpc.RpcError as failed:
            raise remote_error(failed, self._client.address) from None
        raise RemoteError(grpc.StatusCode.DATA_LOSS, "The server ended the answer too early.")


class Edit:
    """An edit: iterate over its events, or take its `result`. Nothing is sent before the first event is asked for."""

    def __init__(self, client: Client, document: Document, request: EditRequest, timeout: float | None) -> None:
        self._client = client
        self._document = document
        self._request = request
        self._timeout = timeout
        self._call: Any = None
        self._cancelled = False
        self.revision = 0
        """State of the edited label map that this edit shows; base of further tiles."""

    def cancel(self) -> None:
        """End the edit; its iterator raises RemoteError with code CANCELLED. From any thread."""
        self._cancelled = True
        if self._call is not None:
            self._call.cancel()

    def result(self) -> Result:
        """Wait for the result, passing over all other events.

        Raises:
            RemoteError: there is none.
        """
        for event in self:
            if isinstance(event, Result):
                return event
        raise RemoteError(grpc.StatusCode.DATA_LOSS, "The server ended the answer too early.")

    def __iter__(self) -> Iterator[Event]:
        reopened = False
        attempt = 0
        while True:
            assembler = Assembler()
            try:
                yield from self._events(assembler)
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            if error.reason == DOCUMENT_NOT_FOUND and not reopened and not self._cancelled:
                self._document.reopen()
                reopened = True
            elif assembler.started or self._cancelled or not self._client.pause(error, attempt):
                raise error
            attempt += 1

    def _events(self, assembler: Assembler) -> Iterator[Event]:
        message = self._request.message(self._document.id)
        self._call = self._client.stream("Render", message, self._timeout)
        if self._cancelled:
            self._call.cancel()
        try:
            for response in self._call:
                for event in assembler.feed(response):
                    self.revision = assembler.revision
                    if not isinstance(event, LabelMap):
                        yield event
        finally:
            self._call.cancel()  # does nothing to a call that has ended

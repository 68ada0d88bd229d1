"""The client for asyncio: the same as `client`, awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from layoutbrush import v1
from layoutbrush.plugin_bridge.client import LONGEST_WAIT
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


class AsyncClient:
    """A connection to one server; see `Client`. Belongs to the event loop in which it was made."""

    def __init__(
        self, address: str = "127.0.0.1:50051", token: str = "", timeout: float = 60.0, retries: int = 3
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.retries = retries
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = grpc.aio.insecure_channel(address)
        self._stub = v1.LayoutbrushServiceStub(self._channel)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; edits that still run are cancelled."""
        await self._channel.close()

    async def info(self) -> v1.GetServerInfoResponse:
        """See `Client.info`."""
        response: v1.GetServerInfoResponse = await self.call(Step("GetServerInfo", v1.GetServerInfoRequest()))
        return response

    async def check(self) -> str:
        """See `Client.check`."""
        return describe(await self.info())

    async def open(
        self,
        photo: Picture,
        label_map: Picture | None = None,
        *,
        mask: Picture | None = None,
        exclude: Picture | None = None,
        references: Sequence[Reference] = (),
    ) -> AsyncDocument:
        """See `Client.open`."""
        layers = document_layers(photo, label_map, mask, exclude, references)
        return AsyncDocument(self, layers, await self.run(open_steps(layers)))

    async def call(self, step: Step) -> Any:
        """See `Client.call`."""
        method = getattr(self._stub, step.method)
        for attempt in range(self.retries + 1):
            try:
                return await method(step.request, timeout=self.timeout, metadata=self._metadata)
            except grpc.RpcError as failed:
                error = remote_error(failed, self.address)
            if not await self.pause(error, attempt):
                raise error
        raise AssertionError("the last attempt returns or raises")

    def stream(self, method: str, request: Any, timeout: float | None) -> Any:
        """Start a streaming call of the contract."""
        return getattr(self._stub, method)(request, timeout=timeout, metadata=self._metadata)

    async def run(self, steps: Steps[R]) -> R:
        """Make the calls of a sequence."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self.call(step))
        except StopIteration as end:
            result: R = end.value
            return result

    async def pause(self, error: RemoteError, attempt: int) -> bool:
        """Wait as the server asked; False where trying again makes no sense."""
        wait = error.retry_after_s
        if wait is None or wait > LONGEST_WAIT or attempt >= self.retries:
            return False
        await asyncio.sleep(wait)
        return True


class AsyncDocument:
    """A photo on the server; see `Document`."""

    def __init__(self, client: AsyncClient, layers: list[v1.Layer], document_id: str) -> None:
        self._client = client
        self._layers = layers
        self.id = document_id

    async def __aenter__(self) -> AsyncDocument:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See `Document.close`."""
        with contextlib.suppress(RemoteError):
            await self._client.call(Step("CloseDocument", v1.CloseDocumentRequest(document_id=self.id)))

    async def reopen(self) -> None:
        """See `Document.reopen`."""
        self.id = await self._client.run(open_steps(self._layers))

    async def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """See `Document.put`."""
        layer = picture.packed().layer(kind, reference_id)
        await self._client.run(upload_steps(self.id, layer))
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
    ) -> AsyncEdit:
        """See `Document.edit`."""
        request = EditRequest(
            label_map, tiles, base_revision, mask, bound, exclude, sources, seed, grow, previews, preview_side, png,
            channels, supersede,
        )  # fmt: skip
        return AsyncEdit(self._client, self, request, timeout)

    async def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """See `Document.segment`."""
        request = v1.SegmentRequest(document_id=self.id, reference_id=reference_id, store=store)
        assembler = Assembler()
        try:
            async for response in self._client.stream("Segment", request, None):
                for event in assembler.feed(response):
                    if isinstance(event, LabelMap):
                        return event.picture
        except grpc.RpcError as failed:
            raise remote_error(failed, self._client.address) from None
        raise RemoteError(grpc.StatusCode.DATA_LOSS, "The server ended the answer too early.")


class AsyncEdit:
    """A running edit; see `Edit`."""

    def __init__(
        self, client: AsyncClient, document: AsyncDocument, request: EditRequest, timeout: float | None
    ) -> None:
        self._client = client
        self._document = document
        self._request = request
        self._timeout = timeout
        self._call: Any = None
        self._cancelled = False
        self.revision = 0

    def cancel(self) -> None:
        """See `Edit.cancel`. From the event loop."""
        self._cancelled = True
        if self._call is not None:
            self._call.cancel()

    async def result(self) -> Result:
        """See `Edit.result`."""
        async for event in self:
            if isinstance(event, Result):
                return event
        raise RemoteError(grpc.StatusCode.DATA_LOSS, "The server ended the answer too early.")

    async def __aiter__(self) -> AsyncIterator[Event]:
        reopened = False
        attempt = 0
        while True:
            assembler = Assembler()
            try:
                async for event in self._events(assembler):
                    yield event
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            except asyncio.CancelledError:
                if not self._cancelled:
                    raise
                raise RemoteError(grpc.StatusCode.CANCELLED, "The edit was cancelled.") from None
            if error.reason == DOCUMENT_NOT_FOUND and not reopened and not self._cancelled:
                await self._document.reopen()
                reopened = True
            elif assembler.started or self._cancelled or not await self._client.pause(error, attempt):
                raise error
            attempt += 1

    async def _events(self, assembler: Assembler) -> AsyncIterator[Event]:
        self._call = self._client.stream("Render", self._request.message(self._document.id), self._timeout)
        if self._cancelled:
            self._call.cancel()
        try:
            async for response in self._call:
                for event in assembler.feed(response):
                    self.revision = assembler.revision
                    if not isinstance(event, LabelMap):
                        yield event
        finally:
            self._call.cancel()

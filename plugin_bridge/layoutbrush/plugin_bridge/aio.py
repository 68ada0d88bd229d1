"""The client for asyncio: the same as `client`, awaited. Belongs to the event loop in which it was made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio

from layoutbrush import v1
from layoutbrush.plugin_bridge.aio_drafting import AsyncDrafting
from layoutbrush.plugin_bridge.api import DraftOptions, EditOptions
from layoutbrush.plugin_bridge.boxes import Box, DraftRequest
from layoutbrush.plugin_bridge.client import closed, too_old
from layoutbrush.plugin_bridge.connection import Tls, aio_channel, diagnose
from layoutbrush.plugin_bridge.errors import DOCUMENT_NOT_FOUND, RemoteError, ended_early, remote_error
from layoutbrush.plugin_bridge.events import Assembler, Draft, Event, LabelMap, Result
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
    from typing import Unpack

R = TypeVar("R")


class AsyncClient:
    """A connection to one server; see `Client`."""

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
        self._channel = aio_channel(address, tls)
        self._stub = v1.LayoutbrushServiceStub(self._channel)
        self._closed = asyncio.Event()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See `Client.close`."""
        self._closed.set()
        await self._channel.close()

    async def info(self) -> v1.GetServerInfoResponse:
        """See `Client.info`."""
        response: v1.GetServerInfoResponse = await self.call(Step("GetServerInfo", v1.GetServerInfoRequest()))
        return response

    async def check(self, needs: Sequence[str] = ()) -> str:
        """See `Client.check`."""
        try:
            info = await self.info()
        except RemoteError as error:
            if error.lost:
                text = await asyncio.to_thread(diagnose, self.address, self._tls)
                raise RemoteError(error.code, text) from None
            raise
        if missing := lacking(info, needs):
            raise too_old(self.address, missing)
        return describe(info)

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
        memory = Memory(document_layers(photo, label_map, mask, exclude, references))
        await self.run(memory.open())
        return AsyncDocument(self, memory)

    async def find_references(
        self,
        label_map: Picture | None = None,
        picture: Picture | None = None,
        *,
        count: int = 0,
        thumbnail_side: int = 0,
        png: bool = False,
    ) -> FoundReferences:
        """See `Client.find_references`."""
        request = search_message(label_map, picture, count, thumbnail_side, png)
        return read_answer(await self.call(Step("FindReferences", request)))

    async def fetch_reference(self, name: str, max_side: int = 0, *, timeout: float | None = None) -> Reference:
        """See `Client.fetch_reference`."""
        fetched = Fetched(name)
        try:
            async for response in self.stream("FetchReference", fetch_message(name, max_side), timeout):
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
    ) -> AsyncDrafting:
        """See `Client.draft`."""
        return AsyncDrafting(self, DraftRequest(boxes, width, height, **options), timeout)

    async def call(self, step: Step) -> Any:
        """See `Client.call`."""
        method = getattr(self._stub, step.method)
        for left in range(self.retries, -1, -1):
            try:
                return await method(step.request, timeout=self.timeout, metadata=self._metadata)
            except grpc.RpcError as failed:
                error = remote_error(failed, self.address)
            except grpc.aio.UsageError:
                raise closed() from None
            if not left or not worth_waiting(error) or not await self.pause(error, self._closed):
                raise error
        raise AssertionError("the last attempt returns or raises")

    def stream(self, method: str, request: Any, timeout: float | None) -> Any:
        """Start a streaming call of the contract."""
        try:
            return getattr(self._stub, method)(request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.UsageError:
            raise closed() from None

    async def run(self, steps: Steps[R]) -> R:
        """Make the calls of a sequence."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self.call(step))
        except StopIteration as end:
            result: R = end.value
            return result

    async def pause(self, error: RemoteError, stop: asyncio.Event) -> bool:
        """See `Client.pause`."""
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), error.retry_after_s or 0.0)
        return not stop.is_set() and not self._closed.is_set()


class AsyncDocument:
    """A photo on the server; see `Document`."""

    def __init__(self, client: AsyncClient, memory: Memory) -> None:
        self._client = client
        self._opening = asyncio.Lock()
        self.memory = memory

    async def __aenter__(self) -> AsyncDocument:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def id(self) -> str:
        """The server's name for the document."""
        return self.memory.id

    async def close(self) -> None:
        """See `Document.close`."""
        with contextlib.suppress(RemoteError):
            await self._client.call(Step("CloseDocument", v1.CloseDocumentRequest(document_id=self.id)))

    async def reopen(self, stale: str = "") -> None:
        """See `Document.reopen`."""
        async with self._opening:
            if not stale or self.memory.id == stale:
                await self._client.run(self.memory.open())

    async def put(self, kind: v1.LayerKind, picture: Picture, reference_id: str = "") -> None:
        """See `Document.put`."""
        layer, stale = picture.packed().layer(kind, reference_id), self.id
        try:
            await self._client.run(upload_steps(stale, layer))
        except RemoteError as error:
            if error.reason != DOCUMENT_NOT_FOUND:
                raise
            await self.reopen(stale)
            await self._client.run(upload_steps(self.id, layer))
        self.memory.put(layer)

    def edit(
        self, label_map: Picture | None = None, *, timeout: float | None = None, **options: Unpack[EditOptions]
    ) -> AsyncEdit:
        """See `Document.edit`."""
        return AsyncEdit(self._client, self, EditRequest(label_map, **options), timeout)

    async def segment(self, store: bool = False, reference_id: str = "") -> Picture:
        """See `Document.segment`."""
        stale = self.id
        try:
            found = await self._segment(store, reference_id)
        except RemoteError as error:
            if error.reason != DOCUMENT_NOT_FOUND:
                raise
            await self.reopen(stale)
            found = await self._segment(store, reference_id)
        if store:
            kind = v1.LAYER_KIND_REFERENCE_LABEL_MAP if reference_id else v1.LAYER_KIND_LABEL_MAP
            self.memory.put(found.packed().layer(kind, reference_id))
        return found

    async def _segment(self, store: bool, reference_id: str) -> Picture:
        request = v1.SegmentRequest(document_id=self.id, reference_id=reference_id, store=store)
        assembler = Assembler()
        try:
            async for response in self._client.stream("Segment", request, None):
                for event in assembler.feed(response):
                    if isinstance(event, LabelMap):
                        return event.picture
        except grpc.RpcError as failed:
            raise remote_error(failed, self._client.address) from None
        raise ended_early()


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
        self._cancelled = asyncio.Event()
        self.revision = 0

    def cancel(self) -> None:
        """See `Edit.cancel`. From the event loop."""
        self._cancelled.set()
        if self._call is not None:
            self._call.cancel()

    async def result(self) -> Result:
        """See `Edit.result`."""
        async for event in self:
            if isinstance(event, Result):
                return event
        raise ended_early()

    async def __aiter__(self) -> AsyncIterator[Event]:
        attempts = Attempts(self._document.memory, self._request, self._client.retries)
        while True:
            assembler, stale = Assembler(), self._document.id
            try:
                async with contextlib.aclosing(self._events(attempts.message(), assembler)) as events:
                    async for event in events:
                        yield event
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            except asyncio.CancelledError:
                if not self._cancelled.is_set():
                    raise
                raise cancelled() from None
            if self._cancelled.is_set():
                raise cancelled()
            step = attempts.after(error, assembler.started)
            if step is Next.RAISE:
                raise lost_on_the_way(error, self._client.address) if assembler.started else error
            if step is Next.REOPEN:
                await self._document.reopen(stale)
            if step is Next.WAIT and not await self._client.pause(error, self._cancelled):
                raise cancelled()

    async def _events(self, message: v1.RenderRequest, assembler: Assembler) -> AsyncGenerator[Event, None]:
        self._call = self._client.stream("Render", message, self._timeout)
        if self._cancelled.is_set():
            self._call.cancel()
        try:
            async for response in self._call:
                if not assembler.started:
                    self.revision = response.revision
                    self._document.memory.accepted(self._request, response.revision)
                for event in assembler.feed(response):
                    if not isinstance(event, LabelMap | Draft):
                        yield event
        finally:
            self._call.cancel()

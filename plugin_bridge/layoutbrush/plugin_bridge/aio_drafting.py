"""Drafts on their way from a server, for asyncio; made by `AsyncClient.draft`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from layoutbrush.plugin_bridge.boxes import DraftRequest
from layoutbrush.plugin_bridge.drafting import CANCELLED
from layoutbrush.plugin_bridge.errors import remote_error
from layoutbrush.plugin_bridge.events import Assembler, Draft, DraftEvent, Progress, Queued
from layoutbrush.plugin_bridge.memory import cancelled, worth_waiting

if TYPE_CHECKING:
    from layoutbrush.plugin_bridge.aio import AsyncClient


class AsyncDrafting:
    """See `Drafting`."""

    def __init__(self, client: AsyncClient, request: DraftRequest, timeout: float | None) -> None:
        self._client = client
        self._message = request.message()
        self._timeout = timeout
        self._call: Any = None
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """See `Drafting.cancel`. From the event loop."""
        self._cancelled.set()
        if self._call is not None:
            self._call.cancel()

    async def drafts(self) -> list[Draft]:
        """See `Drafting.drafts`."""
        return [event async for event in self if isinstance(event, Draft)]

    async def __aiter__(self) -> AsyncIterator[DraftEvent]:
        left = self._client.retries
        while True:
            assembler = Assembler()
            try:
                async with contextlib.aclosing(self._events(assembler)) as events:
                    async for event in events:
                        yield event
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            except asyncio.CancelledError:
                if not self._cancelled.is_set():
                    raise
                raise cancelled(CANCELLED) from None
            if self._cancelled.is_set():
                raise cancelled(CANCELLED)
            if assembler.started or not left or not worth_waiting(error):
                raise error
            left -= 1
            if not await self._client.pause(error, self._cancelled):
                raise cancelled(CANCELLED)

    async def _events(self, assembler: Assembler) -> AsyncGenerator[DraftEvent, None]:
        self._call = self._client.stream("GenerateDrafts", self._message, self._timeout)
        if self._cancelled.is_set():
            self._call.cancel()
        try:
            async for response in self._call:
                for event in assembler.feed(response):
                    if isinstance(event, Queued | Progress | Draft):
                        yield event
        finally:
            self._call.cancel()

"""Drafts on their way from a server; made by `Client.draft`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import grpc

from layoutbrush.plugin_bridge.api import AbstractDrafting
from layoutbrush.plugin_bridge.boxes import DraftRequest
from layoutbrush.plugin_bridge.errors import remote_error
from layoutbrush.plugin_bridge.events import Assembler, Draft, DraftEvent, Progress, Queued
from layoutbrush.plugin_bridge.memory import cancelled, worth_waiting

if TYPE_CHECKING:
    from layoutbrush.plugin_bridge.client import Client

CANCELLED = "The drafts were cancelled."


class Drafting(AbstractDrafting):
    """See `AbstractDrafting`."""

    def __init__(self, client: Client, request: DraftRequest, timeout: float | None) -> None:
        self._client = client
        self._message = request.message()
        self._timeout = timeout
        self._call: Any = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """See `AbstractDrafting`."""
        self._cancelled.set()
        if self._call is not None:
            self._call.cancel()

    def __iter__(self) -> Iterator[DraftEvent]:
        left = self._client.retries
        while True:
            assembler = Assembler()
            try:
                yield from self._events(assembler)
                return
            except grpc.RpcError as failed:
                error = remote_error(failed, self._client.address)
            if self._cancelled.is_set():
                raise cancelled(CANCELLED)
            if assembler.started or not left or not worth_waiting(error):
                raise error
            left -= 1
            if not self._client.pause(error, self._cancelled):
                raise cancelled(CANCELLED)

    def _events(self, assembler: Assembler) -> Iterator[DraftEvent]:
        self._call = self._client.stream("GenerateDrafts", self._message, self._timeout)
        if self._cancelled.is_set():
            self._call.cancel()
        try:
            for response in self._call:
                for event in assembler.feed(response):
                    if isinstance(event, Queued | Progress | Draft):
                        yield event
        finally:
            self._call.cancel()  # does nothing to a call that has ended

"""A client that leaves while something is on its way to it: no incident, and the call counts as cancelled, so that
grpc.aio sends nothing after it.
"""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import grpc.aio
import pytest

from layoutbrush.runtime.errors import DeadlineExceeded
from layoutbrush.runtime.service.interceptor import Guard

DETAILS: Any = SimpleNamespace(method="/layoutbrush.v1.LayoutbrushService/Render", invocation_metadata=())


class Gone:
    """A call's context whose client is gone: what is sent fails, as grpc.aio's batches do."""

    def __init__(self, writes: int = 0) -> None:
        self.writes = writes
        self.sent: list[Any] = []

    async def write(self, response: Any) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise grpc.aio.InternalError("write")

    async def abort_with_status(self, status: Any) -> None:
        self.sent.append(status)
        raise grpc.aio.InternalError("abort")


def guarded(handler: Any) -> Any:
    async def continuation(details: Any) -> Any:
        return handler

    return asyncio.run(Guard().intercept_service(continuation, DETAILS))


def test_a_stream_that_fails_after_its_client_left_is_cancelled() -> None:
    async def render(request: bytes, context: Any) -> Any:
        yield b"event"
        raise DeadlineExceeded("The time for this request ran out.")

    handler, gone = guarded(grpc.unary_stream_rpc_method_handler(render)), Gone(writes=1)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(handler.unary_stream(b"", gone))
    assert [status.code for status in gone.sent] == [grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("writes", [0, 3])
def test_a_stream_whose_client_left_is_cancelled_and_its_work_closed(writes: int) -> None:
    closed: list[bool] = []

    async def render(request: bytes, context: Any) -> Any:
        try:
            while True:
                yield b"event"
        finally:
            closed.append(True)

    handler, gone = guarded(grpc.unary_stream_rpc_method_handler(render)), Gone(writes)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(handler.unary_stream(b"", gone))
    assert closed == [True]
    assert gone.sent == []


def test_a_client_that_leaves_before_the_last_status_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    guarded(None)
    log = logging.getLogger("grpc._cython.cygrpc")
    for words in ('Failed "execute_batch": (<SendStatusFromServerOperation>,)', "Failed grpc_call_start_batch: 8"):
        try:
            raise grpc.aio.InternalError(words)
        except grpc.aio.InternalError:
            log.exception("ExecuteBatchError raised in core by servicer method [Render]")
    assert ["grpc_call_start_batch" in str(record.exc_info) for record in caplog.records] == [True]


def test_a_unary_call_that_fails_after_its_client_left_is_cancelled() -> None:
    async def close(request: bytes, context: Any) -> Any:
        raise DeadlineExceeded("The time for this request ran out.")

    handler, gone = guarded(grpc.unary_unary_rpc_method_handler(close)), Gone()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(handler.unary_unary(b"", gone))
    assert len(gone.sent) == 1

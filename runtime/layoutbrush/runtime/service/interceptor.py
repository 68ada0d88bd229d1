"""Stands between grpc.aio and the servicer: access, parsing, and the last word on errors.

grpc.aio sends the text of an uncaught exception to the client, and of a message that can't be parsed too. So the
handlers below parse by themselves and turn every exception into a status of `status.public`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_status import rpc_status as grpc_rpc_status

from layoutbrush.runtime.errors import DamagedData, LayoutbrushError, Unauthenticated
from layoutbrush.runtime.service.status import public, rpc_status

PREFIX = "/layoutbrush."
_HEALTH = "/grpc.health."


class Guard(grpc.aio.ServerInterceptor):
    """Guards every method. `token`: what `authorization: Bearer` must hold, health checks apart; empty = anything."""

    def __init__(self, token: str = "") -> None:
        self._expected = f"Bearer {token}".encode() if token else b""
        logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        denied = not (method.startswith(_HEALTH) or self._allowed(handler_call_details))
        if handler is None or not (denied or method.startswith(PREFIX)):
            return handler
        if handler.response_streaming and not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(_stream(handler, denied), None, handler.response_serializer)
        if not handler.response_streaming and not handler.request_streaming:
            return grpc.unary_unary_rpc_method_handler(_unary(handler, denied), None, handler.response_serializer)
        return grpc.stream_stream_rpc_method_handler(_denied) if denied else handler

    def _allowed(self, details: grpc.HandlerCallDetails) -> bool:
        if not self._expected:
            return True
        sent = [value for key, value in details.invocation_metadata or () if key == "authorization"]
        given = sent[0] if len(sent) == 1 else b""
        return hmac.compare_digest(given.encode() if isinstance(given, str) else bytes(given), self._expected)


def _unary(handler: Any, denied: bool) -> Callable[[bytes, Any], Awaitable[Any]]:
    async def call(raw: bytes, context: Any) -> Any:
        try:
            return await handler.unary_unary(_parse(handler, raw, denied), context)
        except Exception as error:  # noqa: BLE001  # the last word on errors
            await _abort(context, error)

    return call


def _stream(handler: Any, denied: bool) -> Callable[[bytes, Any], Awaitable[None]]:
    # A coroutine that writes, not a generator: grpc.aio leaves a cancelled generator to the garbage collector, and its
    # work would go on until then. A cancelled coroutine closes what it iterates at once.
    async def call(raw: bytes, context: Any) -> None:
        try:
            async with aclosing(handler.unary_stream(_parse(handler, raw, denied), context)) as responses:
                async for response in responses:
                    await _sent(context.write(response))
        except Exception as error:  # noqa: BLE001  # the last word on errors
            await _abort(context, error)

    return call


def _is_news(record: logging.LogRecord) -> bool:
    """False where grpc.aio itself, after a handler's end, couldn't send a last message or status: the client had left,
    and grpc.aio calls that an error, with a traceback, as long as it hasn't heard of it in another way.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, grpc.aio.InternalError) and str(error).startswith('Failed "execute_batch"'))


async def _denied(requests: Any, context: Any) -> AsyncIterator[Any]:
    await _abort(context, _unauthenticated())
    yield b""  # makes this a generator; never reached


def _unauthenticated() -> LayoutbrushError:
    return Unauthenticated("This server wants a token: metadata `authorization: Bearer TOKEN`.")


def _parse(handler: Any, raw: bytes, denied: bool) -> Any:
    if denied:
        raise _unauthenticated()
    try:
        return handler.request_deserializer(raw) if handler.request_deserializer else raw
    except (DecodeError, ValueError):
        raise DamagedData("The message isn't one of layoutbrush.v1: it can't be parsed.") from None


async def _abort(context: Any, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):  # a handler of another package has had its say
        raise error
    await _sent(context.abort_with_status(grpc_rpc_status.to_status(rpc_status(public(error)))))


async def _sent(sending: Awaitable[None]) -> None:
    """Wait until something is on its way. What can't be sent has a client that is gone and whose cancellation is not
    here yet: the call counts as cancelled then. Were it to end in another way, grpc.aio would send a status after it,
    fail as well, and log that as an error.
    """
    try:
        await sending
    except grpc.aio.InternalError:
        raise asyncio.CancelledError from None

"""Each call of the contract as a Connect endpoint that makes the same call on the server behind the gateway.

The endpoints are made from the contract's descriptor, so that a call added to the contract is served without a line
here. A client that goes away cancels its call at once; what the server answers when it can't comes through unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no types
from protobuf.wkt import Any as PackedAny

from layoutbrush.plugin_bridge.gateway.codecs import BinaryCodec, JsonCodec, Wire
from layoutbrush.v1 import service_pb2

_LOG = logging.getLogger(__name__)
_DETAILS = "grpc-status-details-bin"
_CODES = {code: Code["CANCELED" if code.name == "CANCELLED" else code.name] for code in list(grpc.StatusCode)[1:]}
_PASSED = ("authorization",)
"""Request headers that the server gets to see."""

Context = RequestContext[Any, Any]


class Forwarder(ConnectASGIApplication[grpc.aio.Channel]):
    """The ASGI application of the service. `max_message_bytes`: the largest request that is read."""

    def __init__(self, channel: grpc.aio.Channel, max_message_bytes: int) -> None:
        super().__init__(
            service=channel,
            endpoints=_endpoints,
            read_max_bytes=max_message_bytes,
            # None: pixels on a loopback are sent faster than packed, and nothing packed can burst here.
            compressions=(),
            codecs=[BinaryCodec(), JsonCodec()],
        )

    @property
    def path(self) -> str:
        """Where the calls of the service lie."""
        return f"/{_service().full_name}"


def _service() -> Any:
    return service_pb2.DESCRIPTOR.services_by_name["LayoutbrushService"]


def _endpoints(channel: grpc.aio.Channel) -> Mapping[str, Any]:
    endpoints: dict[str, Any] = {}
    for method in _service().methods:
        path = f"/{_service().full_name}/{method.name}"
        info = _info(method)
        if method.server_streaming:
            endpoints[path] = Endpoint.server_stream(info, _stream(channel.unary_stream(path), info.output))
        else:
            endpoints[path] = Endpoint.unary(info, _unary(channel.unary_unary(path), info.output))
    return endpoints


def _info(method: MethodDescriptor) -> MethodInfo[Any, Any]:
    return MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=message_factory.GetMessageClass(method.input_type),
        output=message_factory.GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )


def _unary(call: Any, answer: type[Any]) -> Callable[[Wire, Context], Any]:
    async def forward(request: Wire, context: Context) -> Wire:
        try:
            return Wire(await call(request.data, timeout=_seconds(context), metadata=_metadata(context)), answer)
        except Exception as error:  # noqa: BLE001  # the last word on errors
            raise _connect_error(error) from None

    return forward


def _stream(call: Any, answer: type[Any]) -> Callable[[Wire, Context], AsyncIterator[Wire]]:
    async def forward(request: Wire, context: Context) -> AsyncIterator[Wire]:
        running = call(request.data, timeout=_seconds(context), metadata=_metadata(context))
        try:
            async for data in running:
                yield Wire(data, answer)
        except Exception as error:  # noqa: BLE001  # the last word on errors
            raise _connect_error(error) from None
        finally:
            running.cancel()  # does nothing to a call that has ended

    return forward


def _seconds(context: Context) -> float | None:
    remaining = context.timeout_ms
    return None if remaining is None else max(0.001, remaining / 1000)


def _metadata(context: Context) -> tuple[tuple[str, str], ...]:
    headers = context.request_headers
    return tuple((name, headers[name]) for name in _PASSED if name in headers)


def _connect_error(error: Exception) -> ConnectError:
    """What the server said, for Connect; a fault of the gateway's own goes to the log only."""
    if not isinstance(error, grpc.aio.AioRpcError):
        _LOG.error("a call could not be passed on", exc_info=error)
        return ConnectError(Code.INTERNAL, "Something went wrong inside the gateway; its log has the details.")
    packed = next((value for key, value in error.trailing_metadata() or () if key == _DETAILS), None)
    if packed is None and error.code() is grpc.StatusCode.UNAVAILABLE:
        return ConnectError(Code.UNAVAILABLE, "The Layoutbrush server behind this address is gone; start it again.")
    details = status_pb2.Status.FromString(packed).details if packed is not None else ()
    return ConnectError(
        _CODES.get(error.code(), Code.UNKNOWN),
        error.details() or "",
        [ErrorDetail(PackedAny(type_url=detail.type_url, value=detail.value)) for detail in details],
    )

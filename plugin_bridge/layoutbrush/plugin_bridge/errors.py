"""What a server answers when it can't: one class, with the code, the sentence, the field and when to come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
STALE_REVISION = "STALE_REVISION"
DETAILS = "grpc-status-details-bin"


class RemoteError(Exception):
    """An answer that is none.

    `code`: a grpc.StatusCode. `message`: one sentence for a person. `field`: path of the field at fault, or empty.
    `reason`: fixed word for programs, such as UNKNOWN_LABEL; empty where no Layoutbrush server said it.
    `retry_after_s`: seconds after which the same call may work; None where waiting doesn't help.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        field: str = "",
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} (field: {self.field})" if self.field else self.message

    @property
    def lost(self) -> bool:
        """True where no server answered at all: it isn't there, or the connection broke."""
        return self.code is grpc.StatusCode.UNAVAILABLE and not self.reason


def remote_error(error: Any, address: str) -> RemoteError:
    """Return what a grpc.RpcError says, in words for people. `address`: the server that was called."""
    code, message = error.code(), str(error.details() or "")
    status = _status(error.trailing_metadata())
    if status is None:
        message = _without_server(code, address) or message
    return detailed(
        RemoteError(code, message), ((d.type_url, d.value) for d in (status.details if status is not None else ()))
    )


def detailed(error: RemoteError, details: Iterable[tuple[str, bytes]]) -> RemoteError:
    """Add what google.rpc details say. `details`: type and serialised message of each."""
    for kind, value in details:
        name = kind.rpartition("/")[2]
        if name == "google.rpc.ErrorInfo":
            error.reason = error_details_pb2.ErrorInfo.FromString(value).reason
        elif name == "google.rpc.BadRequest":
            for violation in error_details_pb2.BadRequest.FromString(value).field_violations[:1]:
                error.field = violation.field
        elif name == "google.rpc.RetryInfo":
            delay = error_details_pb2.RetryInfo.FromString(value).retry_delay
            error.retry_after_s = delay.seconds + delay.nanos / 1e9
    return error


def ended_early() -> RemoteError:
    """The error of a stream without its last event."""
    return RemoteError(grpc.StatusCode.DATA_LOSS, "The server ended the answer too early.")


def _without_server(code: grpc.StatusCode, address: str) -> str:
    """The sentence for an error that gRPC itself made, empty where its own has to do."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"No Layoutbrush server answers at {address}. Start one with: layoutbrush serve"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"The server at {address} did not answer in time."
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"What answers at {address} is no Layoutbrush server, or an older one."
    if code is grpc.StatusCode.CANCELLED:
        return "The call was cancelled."
    return ""


def _status(metadata: Any) -> Any:
    for key, value in metadata or ():
        if key == DETAILS:
            return status_pb2.Status.FromString(value)
    return None

"""What a server answers when it can't: one class, with the code, the sentence, the field and when to come back."""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
_DETAILS = "grpc-status-details-bin"


class RemoteError(Exception):
    """An answer that is none.

    `code`: a grpc.StatusCode. `message`: one sentence for a person. `field`: path of the field at fault, or empty.
    `reason`: fixed word for programs, such as UNKNOWN_LABEL. `retry_after_s`: seconds after which the same call may
    work; None where waiting doesn't help.
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


def remote_error(error: Any, address: str) -> RemoteError:
    """Return what a grpc.RpcError says, in words for people. `address`: the server that was called."""
    code, message = error.code(), str(error.details() or "")
    status = _status(error.trailing_metadata())
    if status is None and code is grpc.StatusCode.UNAVAILABLE:
        message = f"No Layoutbrush server answers at {address}. Start one with: layoutbrush serve"
    elif status is None and code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"The server at {address} did not answer in time."
    elif status is None and code is grpc.StatusCode.UNIMPLEMENTED:
        message = f"What answers at {address} is no Layoutbrush server, or an older one."
    found = RemoteError(code, message)
    for detail in status.details if status is not None else ():
        info, request, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info):
            found.reason = info.reason
        elif detail.Unpack(request) and request.field_violations:
            found.field = request.field_violations[0].field
        elif detail.Unpack(retry):
            found.retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return found


def _status(metadata: Any) -> Any:
    for key, value in metadata or ():
        if key == _DETAILS:
            return status_pb2.Status.FromString(value)
    return None

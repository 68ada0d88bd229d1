"""Errors to what a client may see: one code, one sentence, and google.rpc details. Nothing else leaves the process."""

from __future__ import annotations

import logging
import math
import re
import secrets

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

from layoutbrush.runtime.errors import Internal, LayoutbrushError, ResourceExhausted

DOMAIN = "layoutbrush"
_LOG = logging.getLogger(__name__)


def public(error: BaseException) -> LayoutbrushError:
    """Return an error of the tree: the one given, or an `Internal` with a number under which the log has the rest."""
    if isinstance(error, LayoutbrushError) and not isinstance(error, Internal):
        return error
    incident = secrets.token_hex(4)
    if isinstance(error, MemoryError):
        _LOG.error("incident %s: out of memory", incident)
        return ResourceExhausted("The server ran out of memory.", retry_after_s=10.0)
    _LOG.error("incident %s", incident, exc_info=error)
    return Internal(f"Something went wrong inside the server; its log has the details under {incident}.")


def reason(error: LayoutbrushError) -> str:
    """The fixed word of an error, its class in capitals: UnknownLabel -> UNKNOWN_LABEL."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()


def rpc_status(error: LayoutbrushError) -> status_pb2.Status:
    """Return the google.rpc.Status of an error: ErrorInfo always, BadRequest and RetryInfo where they apply."""
    details = [_packed(error_details_pb2.ErrorInfo(reason=reason(error), domain=DOMAIN))]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if isinstance(error, ResourceExhausted):
        nanos, seconds = math.modf(max(0.0, error.retry_after_s))
        delay = duration_pb2.Duration(seconds=int(seconds), nanos=int(nanos * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message, details=details)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed

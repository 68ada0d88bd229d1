"""The one error tree: each leaf is one gRPC code, one sentence for a person, and the field at fault.

    LayoutbrushError                      INTERNAL
    |-- InvalidArgument                   INVALID_ARGUMENT    a value that can never work
    |   |-- OutOfRange                                        a number outside its stated range
    |   |-- SizeMismatch                                      two extents that must agree and don't
    |   |-- UnknownLabel                                      a label id that the bundle doesn't have
    |   |-- UnsupportedPixels                                 a pixel format or file kind that isn't read
    |   `-- DamagedData                                       truncated, corrupt or wrongly hashed bytes
    |-- NotFound                          NOT_FOUND           an unknown name
    |   |-- DocumentNotFound                                  a document never opened, closed or expired
    |   |-- RenderNotFound                                    a render never started, ended long ago or cancelled
    |   `-- ReferenceNotFound                                 a photo that the server's folder doesn't hold (any more)
    |-- FailedPrecondition                FAILED_PRECONDITION right request, wrong state
    |   |-- DamagedBundle                                     a bundle whose files don't match its manifest
    |   `-- StaleRevision                                     tiles painted over a state that is gone
    |-- ResourceExhausted                 RESOURCE_EXHAUSTED  queue or memory full; retry_after_s says when
    |-- LimitExceeded                     RESOURCE_EXHAUSTED  larger than a stated limit; retrying won't help
    |-- Cancelled                         CANCELLED           the caller gave up
    |   `-- Superseded                    ABORTED             a newer edit of the same document took over
    |-- DeadlineExceeded                  DEADLINE_EXCEEDED   the caller's time ran out
    |-- Unimplemented                     UNIMPLEMENTED       defined in the contract, not served yet
    |-- Unauthenticated                   UNAUTHENTICATED     the token is missing or wrong
    |-- Unavailable                       UNAVAILABLE         the server is draining
    `-- Internal                          INTERNAL            a fault of ours; details go to the log only

Messages are written for people and leave the process: they never hold an exception's text, a path or an address.
"""

from __future__ import annotations

from typing import ClassVar


class LayoutbrushError(Exception):
    """Root of the tree.

    `message`: one sentence for a person. `field`: path of the field at fault as the client wrote it
    (`edit.label_map.bounds.width`, or `--mask` on the command line), empty where no field is at fault.
    """

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def under(self, prefix: str) -> LayoutbrushError:
        """The same error with `prefix` put before its field (modified in place, so that `raise e.under(...)` works)."""
        self.field = f"{prefix}.{self.field}" if self.field and prefix else (prefix or self.field)
        return self

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidArgument(LayoutbrushError):
    """A value that can never work, whatever the server's state."""

    code = "INVALID_ARGUMENT"


class OutOfRange(InvalidArgument):
    """A number outside its stated range."""


class SizeMismatch(InvalidArgument):
    """Two extents that must agree and don't."""


class UnknownLabel(InvalidArgument):
    """A label id that the bundle doesn't have (255, unknown, is always allowed in a label map)."""


class UnsupportedPixels(InvalidArgument):
    """A pixel format, colour model or file kind that isn't read."""


class DamagedData(InvalidArgument):
    """Truncated, corrupt or wrongly hashed bytes."""


class NotFound(LayoutbrushError):
    """Something that was named and isn't there."""

    code = "NOT_FOUND"


class DocumentNotFound(NotFound):
    """A document that was never opened, was closed, or expired: the client opens it again."""


class RenderNotFound(NotFound):
    """A render that was never started, was cancelled, or that nobody polled: the client starts it again."""


class ReferenceNotFound(NotFound):
    """A photo that isn't in the server's folder, or isn't any more: the client asks which ones there are."""


class FailedPrecondition(LayoutbrushError):
    """A right request in a wrong state."""

    code = "FAILED_PRECONDITION"


class DamagedBundle(FailedPrecondition):
    """A bundle whose files are missing or don't match the SHA-256 in its manifest."""


class StaleRevision(FailedPrecondition):
    """Tiles were painted over a state of the edited label map that is gone: the client sends the whole map."""


class ResourceExhausted(LayoutbrushError):
    """A queue or a store is full; the same request may work after `retry_after_s` seconds."""

    code = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, field: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, field)
        self.retry_after_s = retry_after_s


class LimitExceeded(LayoutbrushError):
    """Larger than a limit that GetServerInfo states; retrying the same request won't help."""

    code = "RESOURCE_EXHAUSTED"


class Cancelled(LayoutbrushError):
    """The caller gave up; raised between steps once `cancelled()` turns True."""

    code = "CANCELLED"

    def __init__(self, message: str = "The work was cancelled.", field: str = "") -> None:
        super().__init__(message, field)


class Superseded(Cancelled):
    """A newer edit of the same document took this one's place."""

    code = "ABORTED"


class DeadlineExceeded(LayoutbrushError):
    """The caller's deadline passed before the work was done."""

    code = "DEADLINE_EXCEEDED"


class Unimplemented(LayoutbrushError):
    """Defined in the contract, not served yet; `field` names what isn't."""

    code = "UNIMPLEMENTED"


class Unauthenticated(LayoutbrushError):
    """The token is missing or wrong."""

    code = "UNAUTHENTICATED"


class Unavailable(LayoutbrushError):
    """The server is starting or draining; another one may take the request."""

    code = "UNAVAILABLE"


class Internal(LayoutbrushError):
    """A fault of ours. The cause is logged beside a reference number; the client gets the number only."""

    code = "INTERNAL"

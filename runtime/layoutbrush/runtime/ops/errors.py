"""Errors of the two ops."""

from __future__ import annotations


class OpError(ValueError):
    """An op refused its arguments. `argument` names the one at fault."""

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.argument = argument


class NativeUnavailable(RuntimeError):
    """The native library is not there, or is of another version; the message says what to do."""


class CudaUnavailable(RuntimeError):
    """The CUDA kernels can't be compiled or run here; the message says what is missing."""

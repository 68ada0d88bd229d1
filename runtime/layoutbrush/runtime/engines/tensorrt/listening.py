"""What TensorRT says while it works: errors for people, progress for a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

Report = Callable[[str, float], None]
"""Called with the name of a phase and how much of it is done, 0 to 1."""

_log = logging.getLogger(__name__)


def logger(trt: Any) -> Any:
    """A logger that hands on to Python's, and keeps the first error as `first_error`."""
    return _logger_type(trt)()


@cache
def _logger_type(trt: Any) -> type:
    severities = trt.ILogger.Severity
    levels = {
        severities.INTERNAL_ERROR: logging.ERROR,
        severities.ERROR: logging.ERROR,
        severities.WARNING: logging.WARNING,
        severities.INFO: logging.DEBUG,
        severities.VERBOSE: logging.DEBUG,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        """See `logger`."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.first_error = ""

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR and not self.first_error:
                self.first_error = message
            _log.log(level, "%s", message)

    return Logger


def monitor(trt: Any, report: Report) -> Any:
    """A progress monitor of a build that calls `report`."""
    return _monitor_type(trt)(report)


@cache
def _monitor_type(trt: Any) -> type:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """See `monitor`."""

        def __init__(self, report: Report) -> None:
            trt.IProgressMonitor.__init__(self)
            self.report, self.steps = report, dict[str, int]()

        def phase_start(self, phase: str, _parent: str | None, steps: int) -> None:
            self.steps[phase] = max(1, steps)
            self.report(phase, 0.0)

        def step_complete(self, phase: str, step: int) -> bool:
            self.report(phase, min(1.0, (step + 1) / self.steps.get(phase, 1)))
            return True

        def phase_finish(self, phase: str) -> None:
            self.steps.pop(phase, None)
            self.report(phase, 1.0)

    return Monitor

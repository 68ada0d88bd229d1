"""All checks of a server, in the order in which they are made."""

from __future__ import annotations

from layoutbrush.plugin_bridge.conformance import (
    draft_checks,
    finding_checks,
    flow_checks,
    server_checks,
    source_checks,
)
from layoutbrush.plugin_bridge.conformance.checks import CHECKS

__all__ = ["CHECKS", "draft_checks", "finding_checks", "flow_checks", "server_checks", "source_checks"]

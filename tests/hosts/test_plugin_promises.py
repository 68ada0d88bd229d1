"""What editors' plug-ins share is held against the conformance checks of plug-ins: busy, forgetful, slow servers."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from layoutbrush.plugin_bridge.conformance.plugin_checks import SCENARIOS, Scenario, hold_plugin

DRIVER = Path(__file__).parent / "host_driver.py"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_promise_is_kept(scenario: Scenario) -> None:
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(DRIVER))}"
    (verdict,) = hold_plugin(command, [scenario])
    assert verdict.outcome == "passed", verdict.remark

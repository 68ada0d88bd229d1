"""The page's client is held against what `layoutbrush conformance --plugin` asks of every plug-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from layoutbrush.plugin_bridge.conformance.plugin_checks import SCENARIOS, Scenario, hold_plugin

from ..conftest import WEB, run_tool

SECONDS = 120.0
"""Until the driver is ended; it ends by itself, also where the server never answers."""


@pytest.fixture(scope="module")
def driver(node_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script that makes one edit with the page's client."""
    pytest.importorskip("hypercorn", reason="the extra web isn't installed")
    folder = tmp_path_factory.mktemp("driver")
    source = str(WEB / "test" / "io" / "driver.ts")
    vite = [str(node_tools / "vite"), "build", "--ssr", source, "--outDir", str(folder), "--logLevel", "error"]
    done = run_tool(vite)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "node_modules").symlink_to(WEB / "node_modules")
    return folder / "driver.js"


@pytest.mark.parametrize("way", ["stream", "poll"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_promise(driver: Path, scenario: Scenario, way: str) -> None:
    (verdict,) = hold_plugin(f"node {driver} {{url}} {way}", [scenario], seconds=SECONDS, slow_seconds=SECONDS)
    assert verdict.outcome == "passed", verdict.remark

"""The page's sources with their packages, the built page, servers for it, and a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Npm = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).resolve().parent
WEB = HERE.parents[2] / "plugin_bridge" / "web"
BUILD_SECONDS = 240


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the folder of the page's sources."""
    return subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=BUILD_SECONDS, env={**os.environ, **environment}
    )


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the page's own tools (vitest, tsc, vite), fetched on first use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("not installed: node, npm (Node 20 or newer)")
    tools = WEB / "node_modules" / ".bin"
    if not (tools / "vitest").exists():
        done = run(["npm", "ci", "--no-progress"])
        if done.returncode:
            pytest.skip(f"the page's packages can't be had here: {done.stderr.strip().splitlines()[-1:]}")
    return tools


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures to look at are kept: LAYOUTBRUSH_TEST_OUTPUT, by default `build/test-output` in the checkout."""
    base = Path(os.environ.get("LAYOUTBRUSH_TEST_OUTPUT", HERE.parents[2] / "build" / "test-output"))
    folder = base / "web"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""The Photoshop plug-in, built as it is installed, in an engine as bare as UXP's, against running servers.

Photoshop itself is a mock that holds the plug-in to Photoshop's rules (`plugin_bridge/web/test/photoshop/mock.ts`).
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

from ..conftest import WEB, WebServer, run_tool

DIST = WEB.parent / "hosts" / "photoshop" / "dist"


@pytest.fixture(scope="module")
def built(node_tools: Path) -> Path:
    """The folder that Photoshop loads."""
    assert node_tools.exists()
    done = run_tool(["npm", "run", "--silent", "photoshop"], LAYOUTBRUSH_SERVERS="https://render.example.org:8443")
    assert done.returncode == 0, done.stdout + done.stderr
    return DIST


@pytest.fixture
def slow() -> Iterator[str]:
    """Address of a gateway whose renders take far longer than any test."""
    testing = pytest.importorskip("layoutbrush.plugin_bridge.gateway.testing", reason="the extra web isn't installed")
    editor = ScriptedEditor(steps=1000, step_seconds=0.05)
    with ServerThread(scripted_backend(editor)) as server, testing.GatewayThread(server.address) as gateway:
        yield str(gateway.url).rstrip("/")


def test_plugin(built: Path, node_tools: Path, web_server: WebServer, slow: str) -> None:
    """The scenarios themselves are in `plugin_bridge/web/test/photoshop/plugin.test.ts`."""
    done = run_tool(
        [str(node_tools / "vitest"), "run", "test/photoshop/plugin.test.ts"],
        LAYOUTBRUSH_GATEWAY=web_server.url,
        LAYOUTBRUSH_SLOW_GATEWAY=slow,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout


def test_one_file_to_install(built: Path) -> None:
    with zipfile.ZipFile(built / "layoutbrush.ccx") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["index.html", "index.js", "manifest.json", "panel.css"]
        manifest = json.loads(archive.read("manifest.json"))
        script = archive.read("index.js").decode()
    assert manifest["manifestVersion"] == 5
    assert manifest["host"] == {"app": "PS", "minVersion": "24.4.0", "data": {"apiVersion": 2}}
    domains = manifest["requiredPermissions"]["network"]["domains"]
    assert "https://render.example.org:8443" in domains
    assert all(re.fullmatch(r"https?://[\w.]+:\d+", domain) for domain in domains)
    # Photoshop's own modules are asked for, nothing else is.
    assert set(re.findall(r'\brequire\("([^"]+)"\)', script)) == {"photoshop", "uxp"}

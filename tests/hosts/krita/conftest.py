"""Krita with the plug-in installed from its zip, in a home of its own; servers for it; a photo to open."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.commands import pack_krita
from layoutbrush.plugin_bridge.private_server import private_server

HERE = Path(__file__).resolve().parent
IMPORTER = Path("/usr/share/krita/pykrita/plugin_importer/plugin_importer.py")
RUN_SECONDS = 240
PHOTO_SIZE = (257, 193)


def needs(*programs: str) -> None:
    """Skip where a program isn't installed."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: apt install krita python3-pyqt5 python3-sip xvfb)")


@pytest.fixture(scope="session")
def krita_python() -> str:
    """Version of Krita's Python: that of the system."""
    needs("krita", "kritarunner")
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("the system's Python, which Krita uses, was not found")
    code = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    return subprocess.run([system, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def plugin_zip(krita_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed plug-in."""
    path = tmp_path_factory.mktemp("zip") / "layoutbrush_krita.zip"
    if pack_krita.run(pack_krita.Config(path, krita_python)):
        pytest.skip(f"the libraries for Krita's Python {krita_python} can't be had here")
    return path


@dataclass(frozen=True)
class Home:
    """A home folder in which Krita has never run, with the plug-in installed and enabled."""

    path: Path

    @property
    def plugins(self) -> Path:
        """Where Krita looks for Python plug-ins."""
        return self.path / ".local/share/krita/pykrita"

    def environment(self, **more: str) -> dict[str, str]:
        """What Krita is started with; nothing of the test's own environment."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.path),
            "XDG_RUNTIME_DIR": str(self.path),
            "LANG": "C.UTF-8",
            "KRITA_NO_ASSERT_MSG": "1",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            **more,
        }

    def facts(self, folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """What a script inside Krita found out."""
        path = folder / "facts.json"
        assert path.exists(), done.stderr[-2000:]
        facts: dict[str, Any] = json.loads(path.read_text())
        assert "error" not in facts, facts["error"]
        return facts

    def run(
        self, command: list[str], killed_when: tuple[Path, subprocess.Popen[str]] | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of Krita's to its end. `killed_when`: once this file is there, this process is killed."""
        pipe, log = subprocess.DEVNULL, self.path / "log.txt"
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, env=self.environment(**more), stdout=pipe, stderr=stream, text=True, start_new_session=True
            )
            try:
                end = time.monotonic() + RUN_SECONDS
                while process.poll() is None and time.monotonic() < end:
                    if killed_when and killed_when[0].exists():
                        killed_when[1].kill()
                    time.sleep(0.05)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(command, process.returncode, "", log.read_text(errors="replace"))


@pytest.fixture(scope="module")
def home(plugin_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the plug-in was installed by Krita's own importer."""
    if not IMPORTER.exists():
        pytest.skip("this Krita has no importer for Python plug-ins")
    home = Home(tmp_path_factory.mktemp("home"))
    home.plugins.mkdir(parents=True)
    (home.path / ".config").mkdir()
    (home.path / ".config/kritarc").write_text("[python]\nenable_layoutbrush_krita=true\n")
    home.path.chmod(0o700)
    spec = importlib.util.spec_from_file_location("plugin_importer", IMPORTER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    importer = module.PluginImporter(str(plugin_zip), str(home.plugins.parent), lambda _plugin: True)
    try:
        assert [plugin["name"] for plugin in importer.import_all()] == ["layoutbrush_krita"]
    finally:
        importer.archive.close()
    return home


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of a server with the real pipeline and no networks."""
    with private_server("stand-in", 1) as address:
        yield address


@dataclass(frozen=True)
class SlowServer:
    """A server process whose renders take half a minute."""

    process: subprocess.Popen[str]
    address: str


@pytest.fixture(scope="module")
def slow_server() -> Iterator[SlowServer]:
    """See `SlowServer`; killed afterwards, if it still lives."""
    command = [sys.executable, str(HERE / "slow_server.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        yield SlowServer(process, process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of odd size with detail everywhere."""
    width, height = PHOTO_SIZE
    random = np.random.default_rng(7)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    pixels[..., 2] = np.linspace(0, 255, width, dtype=np.uint8)
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures to look at are kept: LAYOUTBRUSH_TEST_OUTPUT, by default `build/test-output` in the checkout."""
    base = Path(os.environ.get("LAYOUTBRUSH_TEST_OUTPUT", HERE.parents[2] / "build" / "test-output"))
    folder = base / "krita"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name (":99") of a screen in memory.

    `xvfb-run` gives its server three seconds and then starts the program in any case, too little on a busy machine.
    Here the server itself says when it is ready, and which number it has.
    """
    needs("Xvfb")
    log = tmp_path_factory.mktemp("screen") / "xvfb.txt"
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with (
        log.open("w") as words,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            ready, _, _ = select.select([server.stdout], [], [], RUN_SECONDS)
            number = server.stdout.readline().strip() if ready else ""
            assert number, f"Xvfb did not start: {log.read_text()[-2000:]}"
            yield f":{number}"
        finally:
            server.terminate()

"""GIMP 3 with the plug-in unpacked from its zip, in a home of its own; of this system, or in another one's root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from layoutbrush.plugin_bridge.commands import pack_gimp

CONSOLE = "gimp-console-3.0"
RUN_SECONDS = 150


@dataclass(frozen=True)
class GimpHome:
    """`root`: the system that GIMP is in, "/" for this one. `path`: of the home, outside of that root's own view."""

    root: Path
    path: Path

    def inside(self, path: Path) -> str:
        """A path as GIMP sees it."""
        return "/" + str(path.relative_to(self.root))

    def run(self, script: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of this machine in GIMP's console, without a window."""
        copy = Path(shutil.copy(script, self.path / script.name))
        change = [] if self.root == Path("/") else ["chroot", str(self.root)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.inside(self.path), "LANG": "C.UTF-8", **more}
        variables = [f"{name}={value}" for name, value in environment.items()]
        command = [*change, "env", "-i", *variables, CONSOLE, "-i", "-d", "-f", "-c", "--quit"]
        command += ["--batch-interpreter=python-fu-eval", "-b", f"exec(open({self.inside(copy)!r}).read())"]
        return subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)


def gimp_root() -> Path:
    """Where GIMP 3 is: LAYOUTBRUSH_GIMP_ROOT, or this system."""
    if named := os.environ.get("LAYOUTBRUSH_GIMP_ROOT"):
        root = Path(named)
        if not (root / "usr/bin" / CONSOLE).exists() or os.geteuid() != 0:
            pytest.skip(f"LAYOUTBRUSH_GIMP_ROOT holds no {CONSOLE}, or this user can't change into it")
        return root
    if shutil.which(CONSOLE) is None:
        pytest.skip(f"not installed: {CONSOLE} (Debian 13: apt install gimp gir1.2-gimp-3.0 python3-gi)")
    return Path("/")


@pytest.fixture(scope="session")
def gimp_home() -> Iterator[GimpHome]:
    """A home in which GIMP has never run, with the plug-in."""
    root = gimp_root()
    change = [] if root == Path("/") else ["chroot", str(root)]
    code = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    asked = subprocess.run([*change, "/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True)
    version = re.sub(r"\s", "", asked.stdout)
    with tempfile.TemporaryDirectory(dir=root / "tmp") as folder:
        home = GimpHome(root, Path(folder))
        packed = home.path / "plugin.zip"
        if pack_gimp.run(pack_gimp.Config(packed, version)):
            pytest.skip(f"the libraries for GIMP's Python {version} can't be had here")
        plugins = home.path / ".config/GIMP/3.0/plug-ins"
        plugins.mkdir(parents=True)
        with zipfile.ZipFile(packed) as archive:
            for info in archive.infolist():
                path = Path(archive.extract(info, plugins))
                path.chmod(info.external_attr >> 16 & 0o777)
        yield home

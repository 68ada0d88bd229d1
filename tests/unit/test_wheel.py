"""What a wheel holds: only the namespace, every portion, the commands; a pure one is built without a compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SHIPPED = {".py", ".pyi", ".typed", ".proto", ".toml", ".json", ".onnx", ".md", ".png"}


@pytest.fixture(scope="module")
def pure_wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("scikit_build_core", reason="scikit-build-core is not installed (extra `dev`)")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    environment = {**os.environ, "LAYOUTBRUSH_NO_NATIVE": "1", "CXX": "no-compiler"}
    done = subprocess.run(
        [*command, "-w", str(folder), str(repository)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(wheel)


def test_wheel_holds_only_the_namespace(pure_wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in pure_wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"layoutbrush"}
    assert "layoutbrush/__init__.py" not in pure_wheel.namelist()
    portions = {name.split("/")[1] for name in pure_wheel.namelist() if name.startswith("layoutbrush/")}
    assert portions == {"v1", "runtime", "plugin_bridge", "training", "export"}


def test_wheel_holds_what_runs(pure_wheel: zipfile.ZipFile, repository: Path) -> None:
    """Every Python file and type marker, the wire and op contracts and the bundle with its card; no native library."""
    names = set(pure_wheel.namelist())
    for top in ("proto", "runtime", "plugin_bridge", "training", "export"):
        for path in (repository / top / "layoutbrush").rglob("*"):
            if path.suffix in SHIPPED and "__pycache__" not in path.parts:
                assert path.relative_to(repository / top).as_posix() in names
    assert not [name for name in names if name.endswith((".so", ".cpp"))]


def test_wheel_names_its_licence_and_commands(pure_wheel: zipfile.ZipFile) -> None:
    info = next(name.split("/")[0] for name in pure_wheel.namelist() if ".dist-info/" in name)
    assert "Apache License" in pure_wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "License-Expression: Apache-2.0" in pure_wheel.read(f"{info}/METADATA").decode()
    points = pure_wheel.read(f"{info}/entry_points.txt").decode()
    assert "layoutbrush = layoutbrush.runtime.cli:main" in points.replace("layoutbrush=", "layoutbrush = ")
    assert "[layoutbrush.commands]" in points


def test_wheel_holds_the_plug_ins(pure_wheel: zipfile.ZipFile, repository: Path) -> None:
    """What `pack-krita` and `pack-gimp` make their zips of."""
    names = set(pure_wheel.namelist())
    for host in ("krita", "gimp"):
        folder = repository / "plugin_bridge/hosts" / host
        files = [path for path in folder.rglob("*") if path.suffix in {".py", ".desktop", ".html"}]
        assert files
        for path in files:
            assert f"layoutbrush/plugin_bridge/hosts/{host}/{path.relative_to(folder).as_posix()}" in names

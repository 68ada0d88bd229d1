"""Plug-ins packed as zips: what is in them, that it runs without this installation, the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from layoutbrush.plugin_bridge.commands import pack_gimp, pack_krita, packing
from layoutbrush.plugin_bridge.commands.files import Problem

ALONE = """
import sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p and "dist-packages" not in p] + [sys.argv[1]]
import grpc, google.protobuf, layoutbrush.plugin_bridge.host.controller as found
from layoutbrush.plugin_bridge import Client
assert found.__file__.startswith(sys.argv[1]) and grpc.__file__.startswith(sys.argv[1])
with Client("127.0.0.1:9", retries=0, timeout=5) as client:
    try:
        client.check()
    except Exception as error:
        print(error)
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "krita.zip"
    assert pack_krita.run(pack_krita.Config(path)) == 0
    return path


def test_krita_finds_what_it_looks_for(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        desktop = archive.read("layoutbrush_krita.desktop").decode()
        assert archive.testzip() is None
    assert "X-KDE-Library=layoutbrush_krita" in desktop and "Name=Layoutbrush" in desktop
    assert {"layoutbrush_krita/", "layoutbrush_krita/__init__.py", "layoutbrush_krita/manual.html"} <= set(names)
    assert "Apache" in zipfile.ZipFile(packed).read("layoutbrush_krita/LICENSE").decode()
    assert [name for name in names if "licenses/LICENSE" in name or name.endswith("info/LICENSE")]


def test_only_the_client_is_vendored(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
    ours = {name.split("vendor/layoutbrush/")[1].split("/")[0] for name in names if "vendor/layoutbrush/" in name}
    assert ours - {""} == {"v1", "plugin_bridge"}
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name or "commands" in name]
    assert not [name for name in names if name.endswith("vendor/layoutbrush/__init__.py")]
    assert packed.stat().st_size < 12_000_000


def test_vendored_client_runs_alone(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    vendor = tmp_path / "layoutbrush_krita/vendor"
    # -S: an editable install hooks into imports by a .pth file, which comes before any path
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(vendor)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:9" in done.stdout


def test_same_bytes_every_time(packed: Path, tmp_path: Path) -> None:
    assert pack_krita.run(pack_krita.Config(tmp_path / "again.zip")) == 0
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_gimp_can_execute_its_plug_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack_gimp.run(pack_gimp.Config(tmp_path / "gimp.zip")) == 0
    assert "MB, for Python" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "gimp.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
        first = archive.read("layoutbrush_gimp/layoutbrush_gimp.py").splitlines()[0]
    assert modes["layoutbrush_gimp/layoutbrush_gimp.py"] == 0o755 and modes["layoutbrush_gimp/gimp_host.py"] == 0o644
    assert first == b"#!/usr/bin/env python3"


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.zip"
    for config, words in (
        (pack_krita.Config(out, "3.9"), "at least 3.10"),
        (pack_krita.Config(out, "three"), "--python"),
        (pack_krita.Config(out, platform="amiga"), "--platform is one of linux"),
    ):
        assert pack_krita.run(config) == 1
        assert words in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(Problem, match="plug-in for inkscape"):
        packing.host_folder("inkscape")

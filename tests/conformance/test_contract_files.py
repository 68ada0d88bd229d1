"""The contract's files: generated code is up to date, lint is clean, nothing published has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from layoutbrush import v1


def test_generated_code_is_up_to_date(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools isn't installed")
    script = repository / "proto" / "generate.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, capture_output=True, timeout=120)
    made = {path.name: path.read_bytes() for path in (tmp_path / "layoutbrush" / "v1").iterdir()}
    folder = repository / "proto" / "layoutbrush" / "v1"
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".py", ".pyi"}}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def buf(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if program is None:
        pytest.skip("buf isn't installed (buf-bin)")
    proto = repository / "proto"
    return subprocess.run([program, *arguments], cwd=proto, capture_output=True, text=True, check=False, timeout=120)


def test_lint_is_clean(repository: Path) -> None:
    done = buf(repository, "lint")
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_published_has_changed(repository: Path) -> None:
    done = buf(repository, "breaking", "--against", "baseline.json")
    assert (done.returncode, done.stdout) == (0, "")


def test_every_field_is_described(repository: Path) -> None:
    """Each number, string or byte string has a comment above it; what has a type of ours is described there."""
    bare = []
    for path in sorted((repository / "proto" / "layoutbrush" / "v1").glob("*.proto")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for above, line in pairwise(lines):
            number = "=" in line and line.rstrip().endswith(";") and not line.startswith(("syntax", "import"))
            scalar = line.split()[:1] in (["uint32"], ["uint64"], ["int32"], ["float"], ["bytes"], ["string"], ["bool"])
            if number and scalar and not above.strip().startswith("//"):
                bare.append(f"{path.name}: {line.strip()}")
    assert bare == []


def test_package_has_every_name() -> None:
    assert {"Layer", "LAYER_KIND_PHOTO", "LayoutbrushServiceStub", "RenderRequest"} <= set(v1.__all__)
    assert all(hasattr(v1, name) for name in v1.__all__)

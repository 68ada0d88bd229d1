"""The generated messages of the page are those of the contract. (Types and own tests: `make test-web`.)"""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import pytest

from ..conftest import WEB, run_tool

GENERATED = Path("src/io/gen")


def test_generating_again_makes_no_difference(node_tools: Path, tmp_path: Path) -> None:
    """Generating them again makes no difference."""
    if shutil.which("buf") is None:
        pytest.skip("not installed: buf (pip install buf-bin)")
    plugin = node_tools / "protoc-gen-es"
    template = (WEB / "buf.gen.yaml").read_text().replace("node_modules/.bin/protoc-gen-es", str(plugin))
    (tmp_path / "buf.gen.yaml").write_text(template)
    command = ["buf", "generate", str(WEB / "../../proto"), "--template", str(tmp_path / "buf.gen.yaml")]
    done = run_tool([*command, "--output", str(tmp_path)])
    assert done.returncode == 0, done.stderr
    made = {path.relative_to(tmp_path / GENERATED) for path in (tmp_path / GENERATED).rglob("*.ts")}
    kept = {path.relative_to(WEB / GENERATED) for path in (WEB / GENERATED).rglob("*.ts")}
    assert made == kept
    assert made
    for path in made:
        assert filecmp.cmp(tmp_path / GENERATED / path, WEB / GENERATED / path, shallow=False), path

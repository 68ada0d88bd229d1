"""The guide's code runs as it stands there, and its examples are the files that it says they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layoutbrush.runtime.server import ServerOptions, open_backend
from layoutbrush.runtime.testing import ServerThread


@pytest.fixture
def blocks(repository: Path) -> dict[str, str]:
    """The code blocks that are marked as running, by their mark."""
    text = (repository / "plugin_bridge" / "GUIDE.md").read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- runs: (\S+) -->\n```python\n(.*?)```\n", text, re.DOTALL))


def run_script(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_twenty_lines_of_the_guide_edit_a_photo(blocks: dict[str, str], repository: Path, tmp_path: Path) -> None:
    source = blocks["examples/small_plugin.py"]
    assert source == (repository / "plugin_bridge" / "examples" / "small_plugin.py").read_text(encoding="utf-8")
    code = [line for line in source.splitlines()[1:] if line.strip() and not line.startswith(("import ", "from "))]
    assert len(code) <= 20
    photo = np.random.default_rng(2).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    before = np.zeros((120, 160), np.uint8)
    before[60:] = 3
    after = before.copy()
    after[30:90, 40:100] = 3 - before[30:90, 40:100]
    for name, values in (("photo", photo), ("before", before), ("after", after)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    (tmp_path / "plugin.py").write_text(source)
    words = ["plugin.py", "photo.png", "before.png", "after.png", "result.png"]
    options = ServerOptions(port=0, bundle="stand-in")
    with ServerThread(open_backend(options), options) as server:
        done = run_script(tmp_path, *words, server.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Layoutbrush ")
    x, y = (int(word) for word in done.stdout.split()[-2:])
    layer = np.asarray(Image.open(tmp_path / "result.png"))
    under = photo[y : y + layer.shape[0], x : x + layer.shape[1]]
    outside = layer[:, :, 3] == 0
    assert np.array_equal(layer[outside][:, :3], under[outside])
    assert (layer[30 - y : 90 - y, 40 - x : 100 - x, 3] == 255).all()
    gone = run_script(tmp_path, *words, server.address)
    assert gone.returncode == 1
    assert gone.stderr.startswith("Layoutbrush: Nothing listens at")


def test_its_test_without_a_server_passes(blocks: dict[str, str]) -> None:
    exec(compile(blocks["mock"], "GUIDE.md", "exec"), {})  # noqa: S102  # our own document


def test_its_drafts_are_as_it_says(blocks: dict[str, str]) -> None:
    exec(compile(blocks["drafts"], "GUIDE.md", "exec"), {})  # noqa: S102  # our own document


def test_its_references_are_drawn_from(blocks: dict[str, str]) -> None:
    exec(compile(blocks["references"], "GUIDE.md", "exec"), {})  # noqa: S102  # our own document


def test_its_found_references_are_as_it_says(blocks: dict[str, str]) -> None:
    exec(compile(blocks["found"], "GUIDE.md", "exec"), {})  # noqa: S102  # our own document


def test_what_it_links_to_is_there(repository: Path) -> None:
    folder = repository / "plugin_bridge"
    for target in re.findall(r"\]\(([^)#:]+)\)", (folder / "GUIDE.md").read_text(encoding="utf-8")):
        assert (folder / target).exists(), target

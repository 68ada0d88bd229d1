"""What Krita sees in a file, where Krita is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
KRITA_SECONDS = 600
"""Krita sets up its home on its first start: ten seconds of work, and minutes where others are at work as well."""
patient = pytest.mark.timeout(KRITA_SECONDS + 300)
"""For tests that ask it."""


@dataclass(frozen=True)
class Seen:
    """A layer of a document. `pixels` (height, width, 4) of the whole canvas, RGBA. `masks`: how many it has."""

    name: str
    visible: bool
    masks: int
    pixels: NDArray[np.uint8]


def has_krita() -> bool:
    """Whether there is a Krita to ask."""
    return shutil.which("kritarunner") is not None


def in_krita(files: list[Path], folder: Path) -> list[list[Seen]]:
    """Open files in Krita; their layers from the bottom to the top. `folder`: empty, becomes Krita's home."""
    if not has_krita():
        pytest.skip("not installed: kritarunner (Debian: apt install krita)")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "LANG": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
        "KRITA_NO_ASSERT_MSG": "1",
        "PYTHONPATH": str(HERE),
        "FILES": "\n".join(map(str, files)),
        "OUT": str(folder),
    }
    command = ["kritarunner", "-s", "inside_krita", "-f", "main"]
    with (folder / "log.txt").open("w") as log:
        subprocess.run(
            command, env=environment, stdout=log, stderr=log, timeout=KRITA_SECONDS, stdin=subprocess.DEVNULL
        )
    facts = folder / "facts.json"
    assert facts.exists(), (folder / "log.txt").read_text(errors="replace")[-2000:]
    found = json.loads(facts.read_text())
    assert "error" not in found, found["error"]
    return [
        [
            Seen(
                layer["name"].rstrip("\0"),
                layer["visible"],
                layer["masks"],
                _rgba(Path(layer["pixels"]), document["width"], document["height"]),
            )
            for layer in document["layers"]
        ]
        for document in found["documents"]
    ]


def _rgba(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    pixels = np.fromfile(path, np.uint8).reshape(height, width, -1)
    # Blue comes first in Krita's memory; grey layers have two channels.
    return pixels[..., [2, 1, 0, 3] if pixels.shape[2] == 4 else [0, 0, 0, 1]]

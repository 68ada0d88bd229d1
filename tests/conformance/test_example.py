"""The twenty-line example, as a stranger runs it, against a server process with the real pipeline and no networks."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SERVE = (
    "from layoutbrush.runtime.server import ServerOptions, run; "
    "raise SystemExit(run(ServerOptions(port=0, bundle='stand-in')))"
)


def test_twenty_lines(repository: Path, tmp_path: Path) -> None:
    example = repository / "plugin_bridge" / "examples" / "twenty_lines.py"
    source = example.read_text(encoding="utf-8")
    code = [line for line in source.splitlines()[1:] if line.strip() and not line.startswith(("import ", "from "))]
    assert len(code) <= 20
    photo = np.random.default_rng(0).integers(0, 256, (800, 1000, 3), dtype=np.uint8)  # noise: comes back in chunks
    before = np.zeros((800, 1000), np.uint8)
    before[400:] = 3
    after = before.copy()
    after[100:700, 150:850] = 3 - before[100:700, 150:850]
    for name, values in (("photo", photo), ("before", before), ("after", after)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        command = [sys.executable, str(example), "photo.png", "before.png", "after.png", address]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert done.returncode == 0, done.stderr
    events = done.stdout.split()
    assert events.index("preview") < events.index("result") < events.index("chunk")
    layer = np.asarray(Image.open(tmp_path / "layer.png"))
    x, y = int(events[-2]), int(events[-1])
    under = photo[y : y + layer.shape[0], x : x + layer.shape[1]]
    outside = layer[:, :, 3] == 0
    assert outside.any()
    assert np.array_equal(layer[outside][:, :3], under[outside])

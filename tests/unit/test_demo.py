"""The demo end to end over loopback gRPC, on the stand-in engine: pictures, contact sheet, pixels outside the mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layoutbrush.plugin_bridge.demo.__main__ import Config, run
from layoutbrush.plugin_bridge.demo.sheet import Picture, contact_sheet

PICTURES = ["before", "layout", "edited", "warped", "coarse", "after"]


def test_demo_writes_its_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, whose photograph the demo edits, is not installed")
    assert run(Config(out=tmp_path / "demo", bundle="stand-in", seed=3)) == 0
    said = capsys.readouterr().out
    assert "every other pixel is the same" in said
    assert str(tmp_path / "demo") in said
    assert {path.stem for path in (tmp_path / "demo").iterdir()} == {*PICTURES, "contact_sheet"}
    before, layout, edited, after = (
        np.asarray(Image.open(tmp_path / "demo" / f"{name}.png")) for name in ("before", "layout", "edited", "after")
    )
    painted = (layout != edited).any(axis=-1)
    changed = (before != after).any(axis=-1)
    assert changed[painted].mean() > 0.9
    assert changed.mean() < 0.12


def test_contact_sheet_places_pictures_in_rows() -> None:
    colors = ["red", "lime", "blue", "white"]
    sheet = contact_sheet([Picture(name, Image.new("RGB", (40, 30), name)) for name in colors], ["a line"], columns=3)
    found = {color: number for number, color in sheet.getcolors(1 << 16) or []}
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)):
        assert found[color] == 40 * 30
    assert sheet.width < 4 * 40 + 5 * 12 < sheet.width + 60

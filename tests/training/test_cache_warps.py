"""The command that fills a cache of warps: what the refiner's stage reads, kept when asked again, refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from layoutbrush.training.commands.cache_warps import Config, run
from layoutbrush.training.stages.warp_cache import WarpCache


def test_a_cache_is_made_once_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(data=tmp_path, out=tmp_path / "train", collections=("toy",), count=3, size=64, threads=1)
    assert run(config) == 0
    cache = WarpCache([tmp_path / "train"])
    batch = cache.tensors([0, 1, 2])
    outside = ~batch["mask"][:, None].expand_as(batch["image"])
    np.testing.assert_array_equal(batch["warped"][outside].numpy(), batch["image"][outside].numpy())
    assert not np.array_equal(batch["warped"].numpy(), batch["image"].numpy())
    assert run(config) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 of 3 tasks")


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Config(data=tmp_path, out=tmp_path / "cache", collections=("holidays",))) == 1
    assert "holidays" in capsys.readouterr().err
    missing = Config(data=tmp_path, out=tmp_path / "cache", collections=("toy",), warp=tmp_path / "no.safetensors")
    assert run(missing) == 1
    assert "no.safetensors" in capsys.readouterr().err
    assert run(Config(data=tmp_path, out=tmp_path / "cache", collections=("toy",), size=100)) == 1
    assert "size: should be a multiple of 16, not 100" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()

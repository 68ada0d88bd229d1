"""The private cache: whole files or none, for their owner only."""

from __future__ import annotations

from pathlib import Path

import pytest

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.errors import FailedPrecondition


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("LAYOUTBRUSH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_folders_and_files_are_the_owners_alone() -> None:
    folder = private_cache.cache_folder("engines")
    private_cache.write(folder / "one", b"data")
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "one").stat().st_mode & 0o077 == 0
    assert (folder / "one").read_bytes() == b"data"


def test_a_folder_that_others_may_write_to_is_refused(home: Path) -> None:
    private_cache.cache_folder("engines").chmod(0o722)
    with pytest.raises(FailedPrecondition, match="engines"):
        private_cache.cache_folder("engines")


def test_a_folder_that_cannot_be_made_is_said(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(FailedPrecondition, match="can't be made") as refused:
        private_cache.cache_folder("engines")
    assert refused.value.field == "LAYOUTBRUSH_CACHE"


def test_a_link_in_place_of_the_folder_is_refused(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (tmp_path / "elsewhere").mkdir()
    (home / "engines").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FailedPrecondition):
        private_cache.cache_folder("engines")


def test_a_write_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = private_cache.cache_folder("engines")
    private_cache.write(folder / "one", b"old")

    def refuse(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="disk full"):
        private_cache.write(folder / "one", b"new")
    assert [file.name for file in folder.iterdir()] == ["one"]
    assert (folder / "one").read_bytes() == b"old"


def test_strays_of_a_killed_write_are_swept() -> None:
    folder = private_cache.cache_folder("engines")
    (folder / ".partial-x").write_bytes(b"half")
    private_cache.write(folder / "one", b"whole")
    private_cache.sweep(folder)
    assert [file.name for file in folder.iterdir()] == ["one"]

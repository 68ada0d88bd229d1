"""The store of built engines: what is used, refused and removed. The engines are stand-ins of a few bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.tensorrt import store
from layoutbrush.runtime.engines.tensorrt.key import Device, EngineKey
from layoutbrush.runtime.errors import DamagedData, FailedPrecondition

CARD = Device("8.9", "Some Card", "13.0")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("LAYOUTBRUSH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The shipped one."""
    return Bundle.load("scenes")


def a_key(bundle: Bundle, **changes: object) -> EngineKey:
    """Of the segmenter's engine, built ahead of time for two capabilities."""
    key = EngineKey(
        graph="segment", graph_sha256=bundle.manifest.graphs["segment"].sha256, ops=bundle.manifest.op_versions,
        capabilities=("8.6", "8.9"), gpu="", driver="", package="tensorrt_rtx", version="1.7", precision="fp32",
        longest=bundle.manifest.scale,
    )  # fmt: skip
    return dataclasses.replace(key, **changes)  # type: ignore[arg-type]


def found(bundle: Bundle, device: Device = CARD) -> EngineKey | None:
    engine = store.find(bundle, "segment", device, "tensorrt_rtx", "1.7")
    return engine.key if engine else None


def test_an_engine_comes_back_as_it_was_saved(bundle: Bundle) -> None:
    saved = store.save(a_key(bundle), b"engine")
    assert store.stored() == [saved]
    assert saved.read() == b"engine"
    assert saved.path.stat().st_mode & 0o077 == 0
    assert EngineKey.from_dict(saved.key.as_dict()) == saved.key


@pytest.mark.parametrize(
    "changes",
    [
        {"graph_sha256": "0" * 64},
        {"graph": "warp"},
        {"ops": {"KeyIndexSampling": 99}},
        {"capabilities": ("8.6",)},
        {"gpu": "Another Card", "driver": "13.0"},
        {"gpu": "Some Card", "driver": "12.9"},
        {"package": "tensorrt"},
        {"version": "1.8"},
        {"longest": 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_engine_for_something_else_is_not_used(bundle: Bundle, changes: dict[str, object]) -> None:
    store.save(a_key(bundle, **changes), b"engine")
    assert found(bundle) is None


def test_the_nearest_engine_is_used(bundle: Bundle) -> None:
    ahead, ahead_half = a_key(bundle), a_key(bundle, precision="fp16")
    here = a_key(bundle, capabilities=("8.9",), gpu=CARD.gpu, driver=CARD.driver)
    for key, best in ((ahead, ahead), (ahead_half, ahead_half), (here, here)):
        store.save(key, b"engine")
        assert found(bundle) == best
    assert found(bundle, Device("8.6", "Older Card", "13.0")) == ahead_half


def test_a_changed_engine_is_refused(bundle: Bundle) -> None:
    saved = store.save(a_key(bundle), b"engine")
    saved.path.write_bytes(b"enginE")
    with pytest.raises(DamagedData, match=saved.path.name):
        saved.read()
    saved.path.unlink()
    with pytest.raises(DamagedData):
        saved.read()


def test_a_description_that_does_not_fit_is_ignored(bundle: Bundle, home: Path) -> None:
    saved = store.save(a_key(bundle), b"engine")
    description = saved.path.with_suffix(".json")
    kept = description.read_text()
    for text in ("", "{", "[]", "{}", kept.replace('"8.6"', '"9.0"'), kept.replace("fp32", "int8")):
        description.write_text(text)
        assert store.stored() == []


def test_prune_keeps_what_the_bundle_uses(bundle: Bundle) -> None:
    used = store.save(a_key(bundle), b"used")
    old_graph = store.save(a_key(bundle, graph_sha256="0" * 64), b"old graph")
    old_version = store.save(a_key(bundle, version="1.6"), b"old version")
    stray = used.path.with_name("stray.engine")
    stray.write_bytes(b"")
    lonely = used.path.with_name("lonely.json")
    lonely.write_text("{}")
    (used.path.parent / ".partial-1").write_bytes(b"half")
    removed = store.prune([bundle], "1.7")
    assert set(removed) == {old_graph.path, old_version.path, stray}
    assert {path.name for path in used.path.parent.iterdir()} == {used.path.name, used.path.stem + ".json"}
    assert store.prune([bundle], "1.7", everything=True) == [used.path]
    assert store.stored() == []


def test_a_folder_that_others_may_write_to_is_not_read(bundle: Bundle, home: Path) -> None:
    store.save(a_key(bundle), b"engine")
    (home / store.FOLDER).chmod(0o777)
    with pytest.raises(FailedPrecondition):
        found(bundle)

"""Bundles: what is written is read back, and whatever does not match its manifest is refused."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from layoutbrush.runtime import manifest as schema
from layoutbrush.runtime.bundle import (
    Bundle,
    DataSource,
    GraphSpec,
    Label,
    Manifest,
    ModelCard,
    TensorSpec,
    write,
)
from layoutbrush.runtime.errors import DamagedBundle, NotFound

FILES = {"warp.onnx": b"warp graph" * 9, "segment.onnx": b"segment graph", "card.md": b"# card\n"}


def example(**changes: Any) -> Manifest:
    image = TensorSpec("image", "float32", ("B", 3, "H", "W"))
    graphs = {
        "warp": GraphSpec("warp.onnx", "", (image,), (TensorSpec("warped", "float32", ("B", 3, "H", "W")),)),
        "segment": GraphSpec("segment.onnx", "", (image,), (TensorSpec("labels", "int32", ("B", "H", "W")),)),
    }
    values: dict[str, Any] = {
        "name": "example",
        "version": "1",
        "labels": (Label(0, "sky", "#80c0ff"), Label(4, "water", "#2040a0")),
        "graphs": graphs,
        "op_versions": {"KeyIndexSampling": 1},
        "model_card": ModelCard(
            "A test.", "Apache-2.0", (DataSource("none", "none"),), {"warp": 3}, {"R": {"psnr": 1.5}}
        ),
    }
    return Manifest(**(values | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "example", example(), FILES).path


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(folder.iterdir()):
            archive.write(item, item.name)
    return path


def test_written_bundle_reads_back(folder: Path) -> None:
    bundle = Bundle.load(folder)
    assert bundle.labels == example().labels
    assert bundle.labels[0].rgb == (128, 192, 255)
    assert bundle.graphs["warp"].read_bytes() == FILES["warp.onnx"] == bundle.read_graph("warp")
    assert bundle.manifest.model_card == example().model_card
    assert bundle.read("card.md") == FILES["card.md"]


def test_zip_reads_like_a_folder(folder: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(zipped(folder, tmp_path / "example.zip"))
    assert bundle.manifest == Bundle.load(folder).manifest
    assert bundle.read_graph("segment") == FILES["segment.onnx"]


def test_writing_again_replaces_and_leaves_nothing_behind(folder: Path) -> None:
    write(folder, example(version="2"), FILES)
    assert Bundle.load(folder).manifest.version == "2"
    assert [item.name for item in folder.parent.iterdir()] == ["example"]


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_any_flipped_byte_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    sound = path.read_bytes()
    for position in range(0, len(sound), max(1, len(sound) // 40)):
        flipped = bytearray(sound)
        flipped[position] ^= 0x01
        path.write_bytes(flipped)
        with pytest.raises(DamagedBundle):
            Bundle.load(folder)
    path.write_bytes(sound)
    Bundle.load(folder)


def test_flipped_byte_in_a_zip_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "warp.onnx").write_bytes(FILES["warp.onnx"][:-1] + b"H")
    with pytest.raises(DamagedBundle):
        Bundle.load(zipped(folder, tmp_path / "example.zip"))


def test_change_after_opening_is_noticed(folder: Path) -> None:
    bundle = Bundle.load(folder)
    (folder / "warp.onnx").write_bytes(b"something else")
    with pytest.raises(DamagedBundle):
        bundle.read_graph("warp")


def test_unknown_and_missing_files_are_refused(folder: Path) -> None:
    (folder / "weights.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(DamagedBundle, match="does not name"):
        Bundle.load(folder)
    (folder / "weights.pkl").unlink()
    (folder / "card.md").unlink()
    with pytest.raises(DamagedBundle, match="missing"):
        Bundle.load(folder)


def test_links_and_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_bytes(FILES["card.md"])
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(tmp_path / "card.md")
    with pytest.raises(DamagedBundle, match="plain files"):
        Bundle.load(folder)
    (folder / "card.md").unlink()
    (folder / "card.md").mkdir()
    with pytest.raises(DamagedBundle, match="plain files"):
        Bundle.load(folder)


@pytest.mark.parametrize("file", ["../warp.onnx", "/etc/passwd", "a/b.onnx", "..", "manifest.json", ""])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, file: str) -> None:
    graphs = {"warp": GraphSpec(file, "", (), ())}
    with pytest.raises(DamagedBundle):
        write(tmp_path / "x", example(graphs=graphs), {file: b"x"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ()},
        {"labels": (Label(255, "sky", "#000000"),)},
        {"labels": (Label(0, "sky", "blue"),)},
        {"labels": (Label(0, "sky", "#000000"), Label(0, "sea", "#000000"))},
        {"graphs": {}},
        {"name": "../x"},
        {"alignment": 0},
        {"smallest": 65},
        {"format": "layoutbrush-bundle/99"},
    ],
)
def test_unsound_manifests_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DamagedBundle):
        schema.validate(example(**change))


def rewritten(folder: Path, edit: Any) -> None:
    value = json.loads((folder / "manifest.json").read_text())
    edit(value)
    (folder / "manifest.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def test_schema_names_the_key_at_fault(folder: Path) -> None:
    rewritten(folder, lambda value: value["model_card"].update(colour=1))
    with pytest.raises(DamagedBundle) as caught:
        Bundle.load(folder)
    assert caught.value.field == "manifest.model_card.colour"
    rewritten(folder, lambda value: (value["model_card"].pop("colour"), value["labels"][0].update(id="0")))
    with pytest.raises(DamagedBundle) as caught:
        Bundle.load(folder)
    assert caught.value.field == "manifest.labels[0].id"


def test_repeated_key_and_non_json_are_refused(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"alignment": 16', '"alignment": 16,\n "alignment": 16'))
    with pytest.raises(DamagedBundle, match="twice"):
        Bundle.load(folder)
    (folder / "manifest.json").write_bytes(pickle.dumps({"labels": os.getpid()}))
    with pytest.raises(DamagedBundle, match="not JSON"):
        Bundle.load(folder)


def test_unknown_name_is_not_found() -> None:
    with pytest.raises(NotFound):
        Bundle.load("no-such-bundle")


def test_broken_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DamagedBundle):
        Bundle.load(tmp_path / "x.zip")

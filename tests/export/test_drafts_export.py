"""The bundle `drafts` as `layoutbrush export --kind drafts` writes it, and the one that comes with the package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.bundle import MANIFEST_FILE, SHIPPED, Bundle

for package in ("torch", "onnx", "onnxscript", "safetensors"):
    pytest.importorskip(package, reason="the extra `export` is not installed")
ort = pytest.importorskip("onnxruntime")
import torch

from layoutbrush.export.commands import validate
from layoutbrush.export.commands.export import Config, run
from layoutbrush.export.drafting import draft_example
from layoutbrush.training.drafts.config import DraftConfig
from layoutbrush.training.drafts.generator import DraftNetwork
from layoutbrush.training.trainer.weights import save_weights

SIZES = DraftConfig(15, latent=6, embedding=5, width=8, hidden=8, layers=2, blocks=1, placed=32, painted=9)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafts")
    torch.manual_seed(0)
    save_weights(folder / "drafts.safetensors", DraftNetwork(SIZES))
    return folder


@pytest.fixture(scope="module")
def bundle(weights: Path) -> Bundle:
    sheet = weights / "contact_sheet.png"
    sheet.write_bytes(b"a picture")
    assert run(Config(weights, weights / "bundle", kind="drafts", version="2.0", files=(sheet,))) == 0
    return Bundle.load(weights / "bundle")


def session(bundle: Bundle) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(bundle.read_graph("draft"), options, providers=["CPUExecutionProvider"])


def test_the_manifest_says_what_goes_in_and_comes_out(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.scale, list(manifest.graphs)) == ("drafts", "2.0", 64, ["draft"])
    graph = manifest.graphs["draft"]
    assert [(t.name, t.type, t.shape) for t in graph.inputs] == [
        ("labels", "int32", ("O",)),
        ("boxes", "float32", ("O", 4)),
        ("latents", "float32", ("B", "O", 6)),
    ]
    assert [(t.name, t.shape) for t in graph.outputs] == [("drafts", ("B", 3, 64, 64))]
    assert len(manifest.labels) == 15
    assert "contact_sheet.png" in manifest.files
    assert manifest.op_versions == {}


def test_it_draws_what_the_network_draws_for_1_to_30_objects(
    bundle: Bundle, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The comparison is that of `layoutbrush validate`, held to a bound tighter than its own."""
    assert validate.run(validate.Config(str(bundle.path), weights, threads=1, json=tmp_path / "rows.json")) == 0
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    assert (row["subject"], row["count"]) == ("draft", 30)
    assert row["value"] < 2e-5
    torch.manual_seed(1)
    save_weights(tmp_path / "drafts.safetensors", DraftNetwork(SIZES))  # another network than the bundle's
    assert validate.run(validate.Config(str(bundle.path), tmp_path, threads=1)) == 1
    assert validate.run(validate.Config(str(bundle.path), threads=1)) == 0
    assert "no checkpoint" in " ".join(capsys.readouterr().out.split())


def test_drafts_do_not_see_each_other_and_come_again(bundle: Bundle) -> None:
    opened, given = session(bundle), draft_example(SIZES, 8, drafts=4)
    (together,) = opened.run(None, given)
    (alone,) = opened.run(None, {**given, "latents": given["latents"][2:3]})
    np.testing.assert_allclose(alone[0], together[2], atol=1e-5)
    np.testing.assert_array_equal(together, opened.run(None, given)[0])


def test_what_can_not_be_exported_is_said(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Config(tmp_path, tmp_path / "bundle", kind="drafts")) == 1
    assert "drafts.safetensors" in capsys.readouterr().err
    save_weights(tmp_path / "drafts.safetensors", DraftNetwork(replace(SIZES, labels=4)))
    assert run(Config(tmp_path, tmp_path / "bundle", kind="drafts")) == 1
    assert "4 labels" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
    clash = tmp_path / "draft.onnx"
    clash.write_bytes(b"")
    assert run(Config(weights, tmp_path / "bundle", kind="drafts", files=(clash,))) == 1
    assert "draft.onnx" in capsys.readouterr().err


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    if not (SHIPPED / "drafts" / MANIFEST_FILE).is_file():
        pytest.skip("the bundle drafts is not in this checkout")
    return Bundle.load("drafts")


def test_the_shipped_bundle_is_small_and_has_the_labels_of_scenes(shipped: Bundle) -> None:
    assert sum(len(shipped.read(name)) for name in shipped.manifest.hashes) < 8_000_000
    assert shipped.manifest.labels == Bundle.load("scenes").manifest.labels
    card = shipped.manifest.model_card
    assert card.summary and card.licence and card.data and card.steps and card.metrics and card.limits
    assert {"MODEL_CARD.md", "contact_sheet.png"} <= set(shipped.manifest.files)


def test_the_shipped_bundle_draws_eight_that_differ_and_follow_their_boxes(shipped: Bundle) -> None:
    names = [label.name for label in shipped.labels]
    latent = shipped.manifest.graphs["draft"].inputs[2].shape[2]
    assert isinstance(latent, int)
    labels = np.array([names.index(name) for name in ("sky", "tree", "grass")], np.int32)
    boxes = np.array([[0, 0, 1, 0.5], [0, 0.3, 0.5, 0.7], [0, 0.6, 1, 1]], np.float32)
    latents = np.random.default_rng(0).standard_normal((8, 3, latent)).astype(np.float32)
    opened = session(shipped)
    (drafts,) = opened.run(None, {"labels": labels, "boxes": boxes, "latents": latents})
    apart = np.abs(drafts[:, None] - drafts[None]).mean((2, 3, 4))
    assert apart[~np.eye(8, dtype=bool)].min() > 0.02
    sky, grass = drafts[:, :, :16].mean((0, 2, 3)), drafts[:, :, 46:].mean((0, 2, 3))
    assert sky[2] > grass[2] + 0.1  # bluer
    assert grass[1] > grass[2]  # greener than blue
    swapped = np.array([labels[2], labels[1], labels[0]])
    (upside_down,) = opened.run(None, {"labels": swapped, "boxes": boxes, "latents": latents})
    assert upside_down[:, 2, :16].mean() < drafts[:, 2, :16].mean() - 0.1

"""What `layoutbrush export` writes: graphs with free sizes, one node an op, a sound manifest, nothing half written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from layoutbrush.runtime.ops import native

pytestmark = pytest.mark.timeout(1800)  # the first to run exports all graphs: minutes on a busy machine

SIZES = [(1, 64, 64), (2, 80, 144), (3, 64, 96)]


def models(bundle: Path) -> Iterator[tuple[str, Any]]:
    import onnx

    opened = Bundle.load(bundle)
    for name in opened.manifest.graphs:
        yield name, onnx.load_from_string(opened.read_graph(name))


def engine(bundle: Path, kernels: bool) -> OnnxRuntimeEngine:
    if kernels and not native.available():
        pytest.skip("the native library is not built")
    library = native.library_path() if kernels else None
    return OnnxRuntimeEngine(Bundle.load(bundle), threads=2, library=library)


def warped_by(opened: OnnxRuntimeEngine, bundle: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays with what the two graphs of the warp make of them."""
    for graph in ("warp_coarse", "warp_fine"):
        names = [tensor.name for tensor in Bundle.load(bundle).manifest.graphs[graph].inputs]
        arrays = arrays | opened.run(graph, {name: arrays[name] for name in names})
    return arrays


@pytest.mark.parametrize("kernels", [False, True], ids=["bodies", "kernels"])
def test_a_view_is_a_part_of_the_photo_that_it_draws_from(bundle: Path, kernels: bool) -> None:
    """A part of another size, its pixels outside the mask untouched, its keys anywhere in the whole photo."""
    from layoutbrush.export.examples import edit_example, windowed

    opened = engine(bundle, kernels)
    whole = edit_example(1, 96, 128, 15, seed=5)
    part = windowed(whole, spare=16)
    part["source"] = np.zeros_like(whole["source"])
    part["source"][:, :, :32] = whole["source"][:, :, :32]  # nothing of the view itself
    part |= opened.run("encode_image", {name: part[name] for name in ("image", "layout")})
    found = warped_by(opened, bundle, part)
    assert found["warped"].shape == (1, 3, 80, 96)
    outside = np.broadcast_to(~part["mask"][:, None], found["warped"].shape)
    np.testing.assert_array_equal(found["warped"][outside], whole["image"][:, :, 16:, 32:][outside])
    keys = found["correspondence"][part["mask"]]
    rows, columns = keys >> 16, keys & 0xFFFF
    assert part["source"][0, rows, columns].all()


def test_manifest_says_what_is_in_the_bundle(bundle: Path) -> None:
    manifest = Bundle.load(bundle).manifest
    assert (manifest.name, manifest.version, manifest.alignment, manifest.smallest) == ("small", "3.1", 16, 64)
    assert set(manifest.graphs) == {"encode_image", "warp_coarse", "warp_fine", "refine", "segment", "complete"}
    assert manifest.op_versions == {"KeyIndexSampling": 1, "SparseAttentionWarp": 1}
    assert [label.id for label in manifest.labels] == list(range(15))
    keys = manifest.graphs["encode_image"].outputs
    assert [tensor.shape[:3] for tensor in keys[:2]] == [("B", "H/8", "W/8"), ("B", "H/4", "W/4")]
    assert all(isinstance(tensor.shape[3], int) for tensor in keys[:4])
    given = {tensor.name: tensor for graph in ("warp_coarse", "warp_fine") for tensor in manifest.graphs[graph].inputs}
    assert all(given[tensor.name] == tensor for tensor in keys)
    handed = manifest.graphs["warp_coarse"].outputs
    assert all(given[tensor.name] == tensor for tensor in handed)


def test_graphs_pass_the_checker(bundle: Path) -> None:
    import onnx

    from layoutbrush.export.schemas import register_schemas

    register_schemas()
    for _, model in models(bundle):
        onnx.checker.check_model(model, full_check=True)


def test_each_op_is_one_node_with_a_body(bundle: Path) -> None:
    from onnx import helper

    for name, model in models(bundle):
        nodes = [node for node in model.graph.node if node.domain == "layoutbrush"]
        assert bool(nodes) == name.startswith("warp_")
        assert {function.name for function in model.functions} == {node.op_type for node in nodes}
        for node in nodes:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            assert attributes["plugin_namespace"] == b"layoutbrush"
            assert attributes["plugin_version"] == b"1"
            assert all(node.input)  # a body needs every input


def test_nothing_of_this_machine_is_written(bundle: Path) -> None:
    """The tracer notes stack traces on every node."""
    for _, model in models(bundle):
        assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
        assert b".py" not in model.SerializeToString()


@pytest.mark.parametrize("kernels", [False, True], ids=["bodies", "kernels"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_graphs_run_at_any_size(bundle: Path, size: tuple[int, int, int], kernels: bool) -> None:
    from layoutbrush.export.examples import edit_example

    opened = engine(bundle, kernels)
    batch, height, width = size
    arrays = edit_example(batch, height, width, 15, seed=2)
    arrays |= opened.run("encode_image", {name: arrays[name] for name in ("image", "layout")})
    arrays = warped_by(opened, bundle, arrays)
    refine_inputs = ("warped", "picture", "edited", "mask", "confidence")
    arrays |= opened.run("refine", {name: arrays[name] for name in refine_inputs})
    segmented = opened.run("segment", {"image": arrays["image"]})
    assert segmented["labels"].shape == (batch, height, width)
    outside = np.broadcast_to(~arrays["mask"][:, None], arrays["image"].shape)
    for name in ("warped", "coarse", "refined"):
        assert arrays[name].shape == (batch, 3, height, width)
        np.testing.assert_array_equal(arrays[name][outside], arrays["image"][outside])
    assert (arrays["correspondence"] >> 16 < height).all()
    assert (arrays["correspondence"] & 0xFFFF < width).all()


def test_seed_is_an_input(bundle: Path) -> None:
    from layoutbrush.export.examples import edit_example

    opened = engine(bundle, kernels=False)
    arrays = edit_example(1, 64, 64, 15)
    arrays |= opened.run("encode_image", {name: arrays[name] for name in ("image", "layout")})

    def warped(seed: int) -> Any:
        return warped_by(opened, bundle, arrays | {"seed": np.array([seed], np.int32)})["correspondence"]

    np.testing.assert_array_equal(warped(4), warped(4))
    assert (warped(4) != warped(5)).any()


def test_half_weights_are_half_the_size_and_nearly_the_same(checkpoints: Path, bundle: Path, tmp_path: Path) -> None:
    from layoutbrush.export.examples import edit_example
    from layoutbrush.export.graphs import GRAPHS
    from layoutbrush.export.networks import load_networks
    from layoutbrush.export.to_onnx import export_graph

    module = load_networks(checkpoints)["segment"]
    whole, _ = export_graph(module, GRAPHS["segment"], edit_example(2, 64, 80, 15), half_weights=False)
    half = dict(models(bundle))["segment"]
    kept = sum(len(i.raw_data) for i in half.graph.initializer) / sum(len(i.raw_data) for i in whole.graph.initializer)
    assert kept < 0.75  # such small networks have many tensors below the bound
    from layoutbrush.export.validation.backends import onnx_backend

    inputs = edit_example(1, 64, 64, 15, seed=3)
    one, other = (onnx_backend({"segment": m}, library=False).run("segment", "fast", inputs) for m in (whole, half))
    np.testing.assert_allclose(one["confidence"], other["confidence"], rtol=0, atol=5e-3)


def test_a_card_and_further_files_are_put_in(checkpoints: Path, tmp_path: Path) -> None:
    from layoutbrush.export.bundling import read_card
    from layoutbrush.export.commands.export import Config, run
    from layoutbrush.export.to_onnx import ExportError

    card = tmp_path / "card.json"
    source = {"name": "toy", "licence": "CC0-1.0", "photos": 3}
    card.write_text(json.dumps({"summary": "Small.", "licence": "Apache-2.0", "data": [source], "steps": {"warp": 7}}))
    read = read_card(card)
    assert (read.data[0].photos, read.steps) == (3, {"warp": 7})
    weights, sheet = tmp_path / "weights", tmp_path / "sheet.png"
    weights.mkdir()
    for name in ("segmentation.safetensors", "segmentation.json"):
        (weights / name).write_bytes((checkpoints / name).read_bytes())
    sheet.write_bytes(b"a picture")
    assert run(Config(weights, tmp_path / "bundle", card=card, files=(sheet,))) == 0
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.manifest.model_card == read
    assert bundle.read("sheet.png") == b"a picture"
    assert list(bundle.manifest.graphs) == ["segment"]
    for wrong in ("[]", "{", '{"summary": "x", "licence": "y", "colour": 1}'):
        card.write_text(wrong)
        with pytest.raises(ExportError, match=r"card\.json"):
            read_card(card)


def test_a_failed_export_leaves_nothing(checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from layoutbrush.export.commands.export import Config, run

    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(Config(empty, tmp_path / "out")) == 1
    assert "Nothing was exported" in capsys.readouterr().err
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in ("segmentation.safetensors", "segmentation.json"):
        (damaged / name).write_bytes((checkpoints / name).read_bytes())
    facts = json.loads((damaged / "segmentation.json").read_text())
    facts["arguments"]["context"] = 10
    (damaged / "segmentation.json").write_text(json.dumps(facts))
    assert run(Config(damaged, tmp_path / "out")) == 1
    assert "does not fit" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "empty"]


def test_weights_are_found_in_runs(checkpoints: Path, tmp_path: Path) -> None:
    from layoutbrush.export.networks import weight_file

    step = tmp_path / "seg" / "checkpoints" / "step-0000012"
    step.mkdir(parents=True)
    assert weight_file(tmp_path, "segmentation.safetensors") is None
    (step / "segmentation.safetensors").write_bytes(b"")
    (step.parent / "last.json").write_text(json.dumps({"checkpoint": step.name}))
    assert weight_file(tmp_path, "segmentation.safetensors") == step / "segmentation.safetensors"
    assert weight_file(tmp_path / "seg", "segmentation.safetensors") == step / "segmentation.safetensors"
    assert weight_file(tmp_path, "refine.safetensors") is None
    assert weight_file(checkpoints, "refine.safetensors") == checkpoints / "refine.safetensors"

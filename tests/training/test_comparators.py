"""The methods of the tables: each sees what it may see and nothing else, trains on toy data, comes back from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch

from layoutbrush.training.commands import cache_warps, train
from layoutbrush.training.comparators.dense import DenseAttention
from layoutbrush.training.comparators.methods import METHODS
from layoutbrush.training.comparators.network import Comparator, load_comparator
from layoutbrush.training.models.refine import Refine, RefineConfig
from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
from layoutbrush.training.stages.warp_cache import WarpCache
from layoutbrush.training.trainer.weights import save_weights

SMALL = RefineConfig(encoder=(8, 12, 16), coarse=(16, 12, 8), fine=(16, 12, 8), detail=8)
CHANNELS = (4, 6, 8, 10)


def comparator(kind: str) -> Comparator:
    torch.manual_seed(0)
    if METHODS[kind].semantic:
        config = RefineConfig(**{**SMALL.__dict__, "semantic": CHANNELS})
        return Comparator(kind, Refine(config, VisualSemanticEncoder(CHANNELS))).eval()
    return Comparator(kind, Refine(SMALL)).eval()


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, 16:48, 16:48] = True
    layout = torch.randint(0, 15, (1, 64, 64), generator=generator).int()
    return {
        "warped": torch.rand(1, 3, 64, 64, generator=generator),
        "image": torch.rand(1, 3, 64, 64, generator=generator),
        "edited": torch.randint(0, 15, (1, 64, 64), generator=generator).int(),
        "mask": mask,
        "confidence": torch.rand(1, 1, 64, 64, generator=generator),
        "layout": layout,
        "source": ~mask,
    }


@torch.no_grad()
def refined(network: Comparator, **changes: torch.Tensor) -> torch.Tensor:
    picture: torch.Tensor = network(**{**inputs(), **changes})[1]
    return picture


@pytest.mark.parametrize("kind", METHODS)
def test_a_method_sees_what_it_may_see(kind: str) -> None:
    network, method, given = comparator(kind), METHODS[kind], inputs()
    usual = refined(network)
    outside = ~given["mask"][:, None].expand_as(usual)
    assert torch.equal(usual[outside], given["image"][outside])
    other_labels = refined(network, edited=(given["edited"] + 1) % 15)
    assert torch.equal(other_labels, usual) == (not method.layout)
    other_warp = refined(network, warped=given["warped"].flip(3))
    assert torch.equal(other_warp, usual) == (method.warp != "sparse")
    if method.warp != "dense":  # whose keys may lie under the mask
        hidden = torch.where(given["mask"][:, None], given["image"].flip(3), given["image"])
        assert torch.equal(refined(network, image=hidden), usual)


def test_the_rungs_of_the_ablation_differ_by_one_switch() -> None:
    vanilla, sparse, full = (METHODS[kind] for kind in ("vanilla", "sparse", "full"))
    assert (vanilla.layout, vanilla.semantic) == (sparse.layout, sparse.semantic)
    assert (sparse.layout, sparse.warp) == (full.layout, full.warp)
    assert full.semantic
    assert not sparse.semantic


def test_without_a_warp_the_gate_starts_closed() -> None:
    network, given = comparator("vanilla"), inputs()
    painted = refined(network)[given["mask"][:, None].expand_as(given["image"])]
    assert (painted - 0.5).abs().mean() < 0.1
    assert network(**given)[2][given["mask"][:, None].expand_as(given["image"])].unique().tolist() == [0.5]


def test_dense_attention_copies_only_what_it_may() -> None:
    torch.manual_seed(0)
    attention, given = DenseAttention(), inputs()
    del given["warped"], given["confidence"]
    image = torch.full((1, 3, 64, 64), 0.25)
    image[:, :, :, :32] = 0.75  # may not be copied
    source = torch.zeros(1, 64, 64, dtype=torch.bool)
    source[:, :, 36:] = True
    with torch.no_grad():
        warped, confidence = attention(**{**given, "image": image, "source": source})
    hole = given["mask"][:, None].expand_as(warped)
    assert (warped[hole] - 0.25).abs().max() < 1e-5
    assert 0 < float(confidence.min()) <= float(confidence.max()) <= 1
    attention(**given)[0].square().sum().backward()
    for name in ("photo.emit.4.weight", "wanted.emit.4.weight", "log_sharpness", "bonus"):
        gradient = dict(attention.named_parameters())[name].grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0


def test_a_semantic_encoder_goes_only_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="without"):
        Comparator("sparse", comparator("full").refine)
    with pytest.raises(ValueError, match="full goes with"):
        Comparator("full", Refine(SMALL))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four warped toy tasks."""
    folder = tmp_path_factory.mktemp("toy") / "cache"
    config = cache_warps.Config(data=folder, out=folder, collections=("toy",), count=4, size=64, threads=1)
    assert cache_warps.run(config) == 0
    assert {"layout", "source"} <= set(WarpCache([folder]).tensors([0, 1]))
    return folder


@pytest.mark.parametrize("kind", METHODS)
def test_a_method_trains_by_processor_time_and_comes_back(kind: str, cache: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = VisualSemanticEncoder(CHANNELS)
    save_weights(tmp_path / "visual_semantic.safetensors", encoder)
    words = (f"kind={kind}", f"semantic={tmp_path / 'visual_semantic.safetensors'}", "width=0.2", "evaluated=1")
    config = train.Config(
        stage="comparator", data=cache, run=tmp_path / "run", steps=3, minutes=5, clock="cpu", batch=1, size=64,
        set=words, threads=1, evaluations=1, tensorboard=False, precision="32-true",
    )  # fmt: skip
    assert train.run(config) == 0
    made = tmp_path / "run" / "checkpoints" / "step-0000003" / "refine.safetensors"
    again = replace(config, run=tmp_path / "again", initial=(f"refine={made}",), steps=1)
    assert train.run(again) == 0
    network = load_comparator(made)
    more = load_comparator(tmp_path / "again" / "checkpoints" / "step-0000001" / "refine.safetensors")
    assert (more.refine.embed.weight - network.refine.embed.weight).abs().max() < 0.01  # it went on from there
    assert network.kind == kind
    assert refined(network).shape == (1, 3, 64, 64)


def test_what_is_wrong_is_named(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in ((("kind=magic",), "unknown kind"), (("kind=full",), "needs the weights")):
        config = train.Config(stage="comparator", data=cache, run=tmp_path / "run", steps=1, set=words)
        assert train.run(config) == 1
        assert message in capsys.readouterr().err

"""Refiner and discriminator: shapes, ranges, what stays untouched, gradients, budget, export."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the training extra")
import torch

from layoutbrush.training.models.contextual_attention import ContextualAttention
from layoutbrush.training.models.discriminator import Discriminator, DiscriminatorConfig
from layoutbrush.training.models.refine import Refine, RefineConfig, shrink, with_colours_of
from layoutbrush.training.models.refine_file import load_refine
from layoutbrush.training.models.spade import subpixel_conv
from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
from layoutbrush.training.trainer.weights import WeightsError, save_weights

SMALL = RefineConfig(encoder=(8, 12, 16), coarse=(16, 12, 8), fine=(16, 12, 8), detail=8)
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def _inputs(batch: int = 2, height: int = 64, width: int = 80) -> Inputs:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(batch, height, width, dtype=torch.bool)
    mask[:, 16:48, 16:56] = True
    edited = torch.randint(0, 16, (batch, height, width), generator=generator).int()
    return (
        torch.rand(batch, 3, height, width, generator=generator),
        torch.rand(batch, 3, height, width, generator=generator),
        torch.where(edited == 15, 255, edited),
        mask,
        torch.rand(batch, 1, height, width, generator=generator),
    )


@pytest.fixture
def network() -> Refine:
    torch.manual_seed(0)
    encoder = VisualSemanticEncoder((4, 6, 8, 10))
    return Refine(RefineConfig(**{**SMALL.__dict__, "semantic": (4, 6, 8, 10), "split": 8}), encoder)


def test_refine_paints_only_inside_the_mask(network: Refine) -> None:
    inputs = _inputs()
    with torch.no_grad():
        coarse, refined = network.eval()(*inputs)
    outside = ~inputs[3][:, None].expand_as(coarse)
    for picture in (coarse, refined):
        assert picture.shape == inputs[1].shape
        assert picture.dtype == torch.float32
        assert torch.equal(picture[outside], inputs[1][outside])
        assert not torch.equal(picture[~outside], inputs[1][~outside])
        assert picture.min() >= 0
        assert picture.max() <= 1


def test_refine_starts_near_the_warp(network: Refine) -> None:
    inputs = _inputs()
    with torch.no_grad():
        coarse, refined = network.eval()(*inputs)
    hole = inputs[3][:, None].expand_as(coarse)
    assert (coarse - inputs[0])[hole].abs().mean() < 0.12
    assert (refined - inputs[0])[hole].abs().mean() < 0.12


def test_refine_never_sees_the_photo_under_the_mask(network: Refine) -> None:
    warped, image, edited, mask, confidence = _inputs()
    changed = torch.where(mask[:, None], torch.rand_like(image), image)
    with torch.no_grad():
        first = network.eval()(warped, image, edited, mask, confidence)[1]
        second = network(warped, changed, edited, mask, confidence)[1]
    torch.testing.assert_close(first, second)


def test_refine_gradients_reach_every_trained_parameter(network: Refine) -> None:
    inputs = _inputs()
    network.train()
    coarse, refined = network(*inputs)
    (coarse.square().mean() + refined.square().mean()).backward()
    for name, parameter in network.named_parameters():
        if name.startswith("visual_semantic."):
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_refine_keeps_the_encoder_in_eval_mode(network: Refine) -> None:
    before = {k: v.clone() for k, v in network.visual_semantic.state_dict().items()}  # type: ignore[union-attr]
    network.train()(*_inputs())
    for name, value in network.visual_semantic.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(value, before[name]), name


def test_coarse_alone(network: Refine) -> None:
    coarse, again = network(*_inputs(), fine=False)
    assert torch.equal(coarse, again)


def test_refine_accepts_a_mask_over_everything_and_over_nothing(network: Refine) -> None:
    warped, image, edited, mask, confidence = _inputs()
    network.eval()
    with torch.no_grad():
        everything = network(warped, image, edited, torch.ones_like(mask), confidence)[1]
        nothing = network(warped, image, edited, torch.zeros_like(mask), confidence)[1]
    assert torch.isfinite(everything).all()
    assert torch.equal(nothing, image)


def test_refine_without_its_options() -> None:
    plain = Refine(RefineConfig(**{**SMALL.__dict__, "attention": False})).eval()
    with torch.no_grad():
        assert torch.isfinite(plain(*_inputs())[1]).all()


def test_colours_of_the_coarse_picture_and_detail_of_the_fine_one() -> None:
    generator = torch.Generator().manual_seed(0)
    detail = torch.rand(1, 3, 64, 64, generator=generator) - 0.5
    detail = detail - torch.nn.functional.interpolate(shrink(detail, 8), scale_factor=8.0)  # no mean in any square
    coarse, hole = torch.full((1, 3, 64, 64), 0.3), torch.zeros(1, 1, 64, 64)
    hole[..., :40] = 1
    found = with_colours_of(detail + 0.7, coarse, hole, 8)
    assert torch.allclose(found[..., :40], (detail + 0.3)[..., :40], atol=1e-5)  # up to the rim
    assert torch.equal(found[..., 40:], (detail + 0.7)[..., 40:])
    assert torch.allclose(with_colours_of(coarse, coarse, hole, 8), coarse)


def test_split_can_be_changed_when_weights_are_loaded(network: Refine, tmp_path: Path) -> None:
    save_weights(tmp_path / "refine.safetensors", network)
    other = load_refine(tmp_path / "refine.safetensors", split=0)
    assert other.config.split == 0
    with torch.no_grad():
        coarse, refined = network.eval()(*_inputs())
        same, moved = other(*_inputs())
    assert torch.equal(coarse, same)
    assert not torch.equal(refined, moved)


def test_encoder_and_channels_go_together() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        Refine(RefineConfig(semantic=(4, 6, 8, 10)), None)


def test_weights_round_trip(network: Refine, tmp_path: Path) -> None:
    save_weights(tmp_path / "refine.safetensors", network)
    loaded = load_refine(tmp_path / "refine.safetensors")
    inputs = _inputs()
    with torch.no_grad():
        torch.testing.assert_close(loaded(*inputs), network.eval()(*inputs), rtol=0, atol=0)


def test_weights_of_another_network_are_refused(network: Refine, tmp_path: Path) -> None:
    save_weights(tmp_path / "refine.safetensors", network)
    text = (tmp_path / "refine.json").read_text().replace('"embedding": 8', '"embedding": 6')
    (tmp_path / "refine.json").write_text(text)
    with pytest.raises(WeightsError, match="other shape"):
        load_refine(tmp_path / "refine.safetensors")


def test_budget_of_the_default_size() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    encoder = VisualSemanticEncoder()
    network = Refine(RefineConfig(semantic=encoder.channels), encoder).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*_inputs(1, 256, 256))
    # Everything but attention's product grows with the area; that grows with its square.
    attention = 2 * 1024**2 * (32 + 16 + 1 + 64)
    total = 4 * (counter.get_total_flops() - attention) + 16 * attention
    assert total < 52e9
    assert sum(p.numel() for p in network.parameters()) < 4e6


def test_contextual_attention_never_fetches_from_the_hole() -> None:
    torch.manual_seed(0)
    attention = ContextualAttention(8, 4, 4).eval()
    x, hole, labels = torch.randn(1, 8, 6, 6), torch.zeros(1, 1, 6, 6), torch.rand(1, 3, 6, 6)
    hole[..., 3:] = 1
    changed = x.clone()
    changed[..., 5] += 10
    with torch.no_grad():
        before, after = attention(x, hole, labels), attention(changed, hole, labels)
    torch.testing.assert_close(before[..., :5], after[..., :5], rtol=0, atol=1e-5)


def test_subpixel_conv_starts_without_a_grid() -> None:
    picture = torch.nn.functional.pixel_shuffle(subpixel_conv(4, 3)(torch.randn(1, 4, 8, 8)), 2)
    cells = picture.unfold(2, 2, 2).unfold(3, 2, 2)
    assert (cells.amax((-1, -2)) - cells.amin((-1, -2))).abs().max() < 1e-6


def test_discriminator_judges_on_each_scale() -> None:
    judge = Discriminator(DiscriminatorConfig(width=8, scales=2))
    picture = torch.rand(2, 3, 64, 64, requires_grad=True)
    edited = _inputs(2, 64, 64)[2]
    logits = judge(picture, judge.shares(edited), torch.ones(2, 1, 64, 64))
    assert [tuple(x.shape) for x in logits] == [(2, 1, 8, 8), (2, 1, 4, 4)]
    torch.stack([x.sum() for x in logits]).sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about torch
def test_export_is_one_call_with_dynamic_sizes(tmp_path: Path, network: Refine) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("onnxscript", reason="needs the export extra")
    names = ["warped", "image", "edited", "mask", "confidence"]
    sizes = {2: 16 * torch.export.Dim("h", min=2, max=512), 3: 16 * torch.export.Dim("w", min=2, max=512)}
    flat = {1: sizes[2], 2: sizes[3]}
    batch = torch.export.Dim("b", min=1, max=64)
    shapes = tuple({0: batch, **(flat if name in ("edited", "mask") else sizes)} for name in names)
    path = tmp_path / "refine.onnx"
    program = torch.onnx.export(
        network.eval(),
        _inputs(),
        dynamo=True,
        dynamic_shapes=shapes,
        opset_version=18,
        verbose=False,
        input_names=names,
        output_names=["coarse", "refined"],
    )
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = _inputs(1, 96, 64)
    found = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    with torch.no_grad():
        wanted = network(*inputs)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), theirs, rtol=0, atol=2e-4)

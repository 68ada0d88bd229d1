"""The sparse attention network: shapes, masks, the training trace, and a stage that learns on the toy data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch

from layoutbrush.training.data import TaskConfig, TaskSampler, toy_collection
from layoutbrush.training.losses.correspondence import correspondence
from layoutbrush.training.losses.dense_correlation import dense_distillation
from layoutbrush.training.models.diffusion import diffuse
from layoutbrush.training.models.key_usage import key_usage, over_use
from layoutbrush.training.models.labels import UNKNOWN
from layoutbrush.training.models.patch_descriptor import PatchDescriptor, cosine_basis
from layoutbrush.training.models.sparse_attention import (
    Query,
    SparseAttentionConfig,
    SparseAttentionNetwork,
    finished,
    upsample_keys,
)
from layoutbrush.training.models.sparse_attention_file import load_sparse_attention
from layoutbrush.training.models.sparse_plan import Round, ScalePlan
from layoutbrush.training.stages.refine_evaluation import masked_psnr
from layoutbrush.training.stages.warp import Settings, WarpStage
from layoutbrush.training.stages.warp_evaluation import warp
from layoutbrush.training.trainer.stage import DataOptions
from layoutbrush.training.trainer.weights import WeightsError, save_weights


def _batch(size: int = 96, **weights: float) -> dict[str, torch.Tensor]:
    mix: dict[str, Any] = {"foreign": 1.0, "manipulate": 0.0, "fill": 0.0} | weights
    return TaskSampler([toy_collection(8, seed=1)], TaskConfig(size=size, seed=3, **mix)).batch(0, 2)


def test_patch_distances_are_those_of_windows() -> None:
    descriptor = PatchDescriptor(147)
    a, b = torch.rand(2, 1, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    found = (descriptor(a) - descriptor(b))[0, :, 3, 3].square().sum()
    assert torch.allclose(found, (a - b).square().sum() / 49, rtol=1e-4)
    basis = cosine_basis(7, 30).flatten(1) * 7
    assert torch.allclose(basis @ basis.T, torch.eye(30), atol=1e-5)


def test_keys_of_the_next_scale_keep_their_place_in_the_cell() -> None:
    keys = torch.tensor([[[[3 << 16 | 5]]]], dtype=torch.int32)
    up = upsample_keys(keys)[0, :, :, 0]
    assert up.tolist() == [[6 << 16 | 10, 6 << 16 | 11], [7 << 16 | 10, 7 << 16 | 11]]


@pytest.mark.parametrize("learned", [False, True])
def test_warp_keeps_what_is_outside_the_mask_and_copies_from_sources_alone(learned: bool) -> None:
    torch.manual_seed(0)
    network = SparseAttentionNetwork(SparseAttentionConfig(learned=learned)).eval()
    batch = _batch()
    keys = network.encode_image(batch["image"], batch["layout"])
    for key in keys:
        assert torch.allclose(key.norm(dim=-1), torch.ones(key.shape[:3]), atol=1e-4)
    inputs = [batch[n] for n in ("image", "layout", "edited", "mask", "source")]
    with torch.no_grad():
        warped, correspondence_map, confidence = network(*inputs, *keys, torch.zeros(1, dtype=torch.int32))
    outside = ~batch["mask"][:, None].expand_as(warped)
    assert torch.equal(warped[outside], batch["image"][outside])
    assert confidence.shape == (2, 1, 96, 96)
    for keys_of, source, mask, score in zip(
        correspondence_map, batch["source"], batch["mask"], confidence[:, 0], strict=True
    ):
        found = keys_of[mask & (score > -9999)]
        assert len(found) and bool(source[(found >> 16).long(), (found & 0xFFFF).long()].all())


def test_the_same_seed_warps_alike_and_another_does_not() -> None:
    network = SparseAttentionNetwork(SparseAttentionConfig(learned=False)).eval()
    batch = _batch()
    keys = network.encode_image(batch["image"], batch["layout"])
    inputs = [batch[n] for n in ("image", "layout", "edited", "mask", "source")]
    with torch.no_grad():
        first, again, other = (network(*inputs, *keys, torch.tensor([s], dtype=torch.int32))[0] for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_warp_is_nearer_to_the_truth_than_the_input() -> None:
    batch = _batch()
    warped = warp(SparseAttentionNetwork(SparseAttentionConfig(learned=False)).eval(), batch)
    gain = masked_psnr(warped, batch["truth"], batch["mask"]) - masked_psnr(
        batch["image"], batch["truth"], batch["mask"]
    )
    assert float(gain.mean()) > 2.0


def test_only_graded_rounds_give_gradients_and_every_part_gets_one() -> None:
    torch.manual_seed(0)
    network = SparseAttentionNetwork()
    for name, parameter in network.layout_pyramid.emit.named_parameters():
        assert not bool(parameter.any()), name  # one side starts at zero; here all parts shall be reached
        torch.nn.init.normal_(parameter, std=0.01)
    batch = _batch(64)
    image, layout, edited, mask, source = (batch[n] for n in ("image", "layout", "edited", "mask", "source"))
    graded = frozenset({(8, 1), (4, 0), (2, 1), (1, 1)})
    steps = network.trace(image, layout, edited, mask, source, torch.zeros(1, dtype=torch.int32), graded)
    assert [int(step["scale"]) for step in steps] == [8, 4, 2, 1]
    torch.stack([step["image"].sum() for step in steps]).sum().backward()
    for name in ("patch.weight", "patch_gain", "label_code", "photo_pyramid.up2.weight", "layout_pyramid.up2.weight"):
        gradient = dict(network.named_parameters())[name].grad
        assert gradient is not None and bool(gradient.isfinite().all()) and float(gradient.abs().sum()) > 0, name


def test_correspondence_is_small_for_the_right_answer_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    answer = torch.nn.functional.normalize(torch.randn(1, 8, 8, 16, generator=generator), dim=-1)
    where = torch.ones(1, 8, 8, dtype=torch.bool)
    torch.manual_seed(0)
    right, wrong = correspondence(answer, answer, where), correspondence(answer.flip(1), answer, where)
    assert float(right) < 0.1 < 2.0 < float(wrong)
    assert float(correspondence(answer, answer, torch.zeros_like(where))) == 0.0


def test_dense_distillation_teaches_the_query_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    query, teacher, key = (
        torch.nn.functional.normalize(torch.randn(1, 6, 6, 8, generator=generator), dim=-1).requires_grad_()
        for _ in range(3)
    )
    where = torch.ones(1, 6, 6, dtype=torch.bool)
    torch.manual_seed(0)
    assert float(dense_distillation(teacher, teacher, key, where, where).detach()) < 1e-5
    loss = dense_distillation(query, teacher, key, where, where)
    loss.backward()
    assert float(loss.detach()) > 0.5
    assert query.grad is not None and teacher.grad is None and key.grad is None
    assert float(dense_distillation(query, teacher, key, where, torch.zeros_like(where))) == 0.0
    with torch.no_grad():
        better = torch.nn.functional.normalize(query - 0.1 * query.grad, dim=-1)
        assert dense_distillation(better, teacher, key, where, where) < loss


@pytest.mark.parametrize("scale", [8, 4, 2, 1])
def test_key_usage_is_one_where_each_key_is_used_once(scale: int) -> None:
    side = 128 // scale
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.int32),) * 2, indexing="ij")
    everywhere = torch.ones(1, side, side, dtype=torch.bool)
    once = key_usage((y * 65536 + x)[None], everywhere, scale)
    assert once.shape == (1, 1, 16, 16) and torch.allclose(once[..., 4:12, 4:12], torch.ones(8, 8), atol=1e-5)
    assert float(over_use(once, scale).max()) < 1e-5
    corner = key_usage(torch.zeros(1, side, side, dtype=torch.int32), everywhere, scale)
    over = over_use(corner, scale)
    assert over.shape == (1, 1, side, side) and float(over[..., 0, 0]) > 1.0 and float(over[..., -1, -1]) == 0.0
    assert float(key_usage((y * 65536 + x)[None], ~everywhere, scale).max()) == 0.0


def test_diffusion_keeps_to_the_nearest_and_reaches_everywhere() -> None:
    colours = torch.zeros(1, 3, 48, 48)
    colours[:, 0, :, :8], colours[:, 1, :, 40:] = 1.0, 1.0
    weight = torch.zeros(1, 1, 48, 48)
    weight[..., :8], weight[..., 40:] = 1.0, 1.0
    filled = diffuse(colours, weight)
    assert float(filled[0, 0, 24, 9]) > 0.9 and float(filled[0, 1, 24, 38]) > 0.9
    assert torch.allclose(filled.sum(1), torch.ones(1, 48, 48), atol=1e-4)


def test_hidden_pixels_without_a_label_take_the_labels_around_them() -> None:
    layout = torch.zeros(1, 64, 64, dtype=torch.int32)
    layout[:, 32:] = 1
    edited = layout.clone()
    edited[:, 8:56, 16:48] = UNKNOWN
    hidden = edited == UNKNOWN
    network = SparseAttentionNetwork(SparseAttentionConfig(learned=False))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def guessed(photo: torch.Tensor, wanted: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        sides = network.sides(image, photo, wanted, hidden, source, network.encode_image(image, photo))
        labels: torch.Tensor = network._guessed(*sides)
        return labels

    with torch.no_grad():
        labels = guessed(layout, edited, ~hidden)
        assert torch.equal(labels[:, 8:28], layout[:, 8:28]) and torch.equal(labels[:, 36:], layout[:, 36:])
        # what has no label of its own and may be copied stays without one: it is moved with the rest
        assert torch.equal(guessed(edited, edited, torch.ones_like(hidden)), edited)
        # nothing is labelled at all
        nothing = torch.full_like(layout, UNKNOWN)
        assert torch.equal(guessed(nothing, nothing, ~hidden), nothing)


def test_a_view_draws_from_what_lies_outside_it() -> None:
    """Of two textures the view shows one; the other, which the layout asks for, is elsewhere in the photo."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 96, 128, generator=generator) * 0.2
    image[:, :, :, :48] += 0.7
    layout = torch.ones(1, 96, 128, dtype=torch.int32)
    layout[:, :, :48] = 0
    network = SparseAttentionNetwork(SparseAttentionConfig(learned=False)).eval()
    top, left = 16, 64
    view = image[:, :, top:80, left:].contiguous()
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, 20:44, 20:44] = True
    edited = torch.ones(1, 64, 64, dtype=torch.int32).masked_fill(mask, 0)
    place = torch.tensor([top / 96, left / 128, 80 / 96, 1.0])
    with torch.no_grad():
        features = network.encode_image(image, layout)
        _, keys = network.sides(image, layout, layout, layout > 9, layout >= 0, features)
        query = Query(view, edited, mask, ~mask, place)
        seed = torch.zeros(1, dtype=torch.int32)
        first, made = network.coarse(query, keys, seed)
        last = network.fine(query, keys, made, (first.image, first.keys, first.scores), seed)
    warped, found, _ = finished(query, last)
    assert torch.equal(warped[~mask[:, None].expand_as(warped)], view[~mask[:, None].expand_as(view)])
    assert bool(((found[mask] & 0xFFFF) < 48).all())
    assert float(warped[:, :, 22:42, 22:42].mean()) > 0.7


def test_penalty_on_usage_spreads_the_choice_of_keys() -> None:
    batch = _batch(128)
    inputs = [batch[n] for n in ("image", "layout", "edited", "mask", "source")]
    spread = []
    for penalty in (0.0, 0.05):
        network = SparseAttentionNetwork(SparseAttentionConfig(learned=False, usage_penalty=penalty)).eval()
        keys = network.encode_image(batch["image"], batch["layout"])
        with torch.no_grad():
            found = network(*inputs, *keys, torch.zeros(1, dtype=torch.int32))[1]
        spread.append(len(found[batch["mask"]].unique()))
    assert spread[1] > spread[0]


def test_batches_mix_sizes_forget_labels_and_depend_on_the_step_alone() -> None:
    samplers = {n: TaskSampler([toy_collection(6, seed=1)], TaskConfig(size=n, seed=3)) for n in (64, 96)}
    settings = Settings(sizes=(64, 96), forget_both=1.0, evaluated=0)
    stage = WarpStage(settings, DataOptions(Path(), batch=2, size=96), samplers, samplers[96], None)
    shapes = set()
    for step in range(6):
        batch, again = stage.batch(step, 0), stage.batch(step, 0)
        assert all(torch.equal(batch[name], again[name]) for name in batch)
        shapes.add(tuple(batch["mask"].shape))
        for name in ("layout", "edited"):
            assert bool((batch[name][batch["mask"]] == UNKNOWN).all())
    assert shapes == {(4, 64, 64), (2, 96, 96)}  # as many pixels either way


def test_a_warp_is_loaded_with_the_rounds_that_it_was_trained_with(tmp_path: Path) -> None:
    one = Round(windows=(0, 4), samples=3, strides=(2,), reach=2, gamma=7.0)
    plans = tuple(ScalePlan(scale, patch=12, learned=4, rounds=(one,)) for scale in (8, 4, 2, 1))
    config = SparseAttentionConfig(usage_penalty=0.0, pyramid_width=4, plans=plans)
    network = SparseAttentionNetwork(config)
    save_weights(tmp_path / "warp.safetensors", network)
    loaded = load_sparse_attention(tmp_path / "warp.safetensors")
    assert loaded.config == config
    assert loaded.config != SparseAttentionConfig()
    assert not loaded.training
    stored = network.state_dict()
    assert all(torch.equal(value, stored[name]) for name, value in loaded.state_dict().items())


def test_a_warp_with_settings_of_another_network_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "warp.safetensors"
    save_weights(path, torch.nn.Linear(1, 1))
    path.with_suffix(".json").write_text('{"arguments": {"config": {"wings": 2}}}')
    with pytest.raises(WeightsError, match=r"warp\.json.*wings"):
        load_sparse_attention(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="does not fit"):
        load_sparse_attention(path)

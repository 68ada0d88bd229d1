"""Every loss: zero where it should be, larger where it should be, gradients that are finite and go the right way."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the training extra")
import torch

from layoutbrush.training.losses.adversarial import hinge_discriminator, hinge_generator, r1
from layoutbrush.training.losses.alignment import domain_alignment, ramp
from layoutbrush.training.losses.augmentation import Augmentation, draw
from layoutbrush.training.losses.contextual import contextual
from layoutbrush.training.losses.cycle import cycle
from layoutbrush.training.losses.features import feature_matching, perceptual
from layoutbrush.training.losses.reconstruction import blurred_l2, l1, log_l2
from layoutbrush.training.losses.restraint import restraint
from layoutbrush.training.losses.texture import patterns, texture_energy
from layoutbrush.training.losses.weighting import weighted_mean


def _half_mask(size: int = 16) -> torch.Tensor:
    mask = torch.zeros(2, 1, size, size)
    mask[..., : size // 2] = 1
    return mask


def test_l1_counts_only_the_mask() -> None:
    a, b, mask = torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 16), _half_mask()
    b[..., 8:] = 1.0
    assert l1(a, b, mask).item() == 0.0
    assert l1(a, b).item() == pytest.approx(0.5)
    assert l1(a, b, 1 - mask).item() == pytest.approx(1.0)


def test_weighted_mean_of_an_empty_mask_is_zero() -> None:
    assert weighted_mean(torch.ones(1, 2, 4, 4), torch.zeros(1, 1, 16, 16)).item() == 0.0


def test_weighted_mean_shrinks_the_mask_to_the_map() -> None:
    values = torch.zeros(1, 1, 2, 2)
    values[..., 0] = 1.0
    assert weighted_mean(values, _half_mask()[:1]).item() == pytest.approx(1.0)


def _features(count: int = 3) -> list[torch.Tensor]:
    return [torch.rand(2, 8 * (i + 1), 16 >> i, 16 >> i, requires_grad=True) for i in range(count)]


@pytest.mark.parametrize("loss", [lambda a, b: feature_matching(a, b, [1.0] * 3), perceptual])
def test_feature_losses(loss: object) -> None:
    found = _features()
    assert callable(loss)
    assert loss(found, [f.detach() for f in found]).item() == pytest.approx(0.0, abs=1e-6)
    other = [f.detach().flip(0) for f in found]
    value = loss(found, other)
    value.backward()
    assert value.item() > 0.01
    for f in found:
        assert f.grad is not None
        assert torch.isfinite(f.grad).all()
        assert f.grad.abs().sum() > 0


def test_feature_matching_leaves_out_layers_of_weight_zero() -> None:
    found = _features()
    feature_matching(found, [f.detach() + 1 for f in found], [0.0, 1.0, 0.0]).backward()
    assert found[0].grad is None
    assert found[1].grad is not None


def test_feature_matching_is_in_units_of_the_truth() -> None:
    found, truth = [torch.rand(1, 4, 8, 8)], [torch.rand(1, 4, 8, 8)]
    small = feature_matching(found, truth, [1.0])
    large = feature_matching([found[0] * 100], [truth[0] * 100], [1.0])
    assert large.item() == pytest.approx(small.item(), rel=0.01)


def test_contextual_ignores_places() -> None:
    truth = torch.randn(2, 16, 8, 8)
    shuffled = truth.flatten(2)[..., torch.randperm(64)].view_as(truth)
    assert contextual(truth, truth).item() < 0.1
    assert contextual(shuffled, truth).item() == pytest.approx(contextual(truth, truth).item(), abs=1e-3)
    other = torch.randn(2, 16, 8, 8, requires_grad=True)
    value = contextual(other, truth)
    value.backward()
    assert value.item() > 1.0
    assert other.grad is not None
    assert torch.isfinite(other.grad).all()


def test_contextual_bounds_its_table() -> None:
    big = torch.randn(1, 4, 64, 64)
    assert torch.isfinite(contextual(big, big, positions=256))


def test_alignment_stops_the_gradient_on_the_image_side() -> None:
    layout, image = torch.rand(1, 4, 8, 8, requires_grad=True), torch.rand(1, 4, 8, 8, requires_grad=True)
    domain_alignment(layout, image).backward()
    assert layout.grad is not None
    assert image.grad is None


def test_ramp() -> None:
    assert [ramp(p, 0.5, 1.0, 0.02) for p in (0.0, 0.5, 0.75, 1.0)] == [0.0, 0.0, pytest.approx(0.01), 0.02]
    assert ramp(0.5, 0.5, 0.5, 1.0) == 1.0


def test_cycle_counts_what_was_reached() -> None:
    photo = torch.rand(2, 3, 16, 16)
    returned = photo.clone()
    returned[..., 8:] += 1
    assert cycle(returned, photo, _half_mask()).item() == 0.0
    assert cycle(returned, photo).item() == pytest.approx(0.5)


def test_hinge() -> None:
    good = [torch.full((2, 1, 4, 4), 2.0)], [torch.full((2, 1, 4, 4), -2.0)]
    assert hinge_discriminator(*good).item() == 0.0
    zero = [torch.zeros(2, 1, 4, 4)]
    assert hinge_discriminator(zero, zero).item() == pytest.approx(2.0)
    assert hinge_generator([torch.full((2, 1, 4, 4), 3.0)]).item() == pytest.approx(-3.0)


def test_hinge_looks_near_the_mask_only() -> None:
    fake = torch.zeros(2, 1, 4, 4)
    fake[..., 2:] = 5.0
    assert hinge_generator([fake], _half_mask()).item() == 0.0


def test_r1_is_the_squared_gradient() -> None:
    real, weight = torch.rand(2, 3, 8, 8), torch.tensor(3.0, requires_grad=True)
    penalty = r1(lambda x: [x.sum(1, keepdim=True) * weight], real)
    assert penalty.item() == pytest.approx(0.5 * 9 * 3 * 64)
    penalty.backward()
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(3 * 3 * 64)


def test_augmentation_moves_picture_and_mask_alike_and_keeps_gradients() -> None:
    settings = Augmentation(color=0.0, shift=0.2, cutout=0.0, flip=True)
    change = draw(settings, 2, 16, 16, torch.device("cpu"))
    mask = _half_mask()
    picture = mask.repeat(1, 3, 1, 1).requires_grad_(True)
    moved = change.picture(picture)
    torch.testing.assert_close(moved[:, :1], change.place(mask))
    assert set(moved.detach().unique().tolist()) <= {0.0, 1.0}
    moved.sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_augmentation_switched_off_changes_nothing() -> None:
    nothing = draw(Augmentation(0, 0, 0, False), 2, 16, 16, torch.device("cpu"))
    picture = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(nothing.picture(picture), picture)


def test_cutout_hides_a_part() -> None:
    change = draw(Augmentation(0, 0, 0.5, False), 4, 16, 16, torch.device("cpu"))
    shown = change.place(torch.ones(4, 1, 16, 16))
    assert 0.6 < shown.mean().item() < 1.0


def test_restraint_charges_changes_where_the_warp_is_right() -> None:
    truth, mask = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    change = torch.full_like(truth, 0.1)
    assert restraint(truth, truth, truth, mask).item() == 0.0
    assert restraint(truth + change, truth, truth, mask).item() == pytest.approx(0.1, rel=1e-3)
    wrong = truth + 0.5  # the warp is far off: repainting is free
    assert restraint(wrong + change, wrong, truth, mask).item() < 1e-4
    assert restraint(truth + change, truth, truth, torch.zeros_like(mask)).item() == 0.0


def test_restraint_pulls_towards_the_warp() -> None:
    truth, mask = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    refined = (truth + 0.1).requires_grad_()
    restraint(refined, truth, truth, mask).backward()
    assert refined.grad is not None
    assert (refined.grad > 0).all()


def test_patterns_are_orthonormal_and_have_no_mean() -> None:
    bank = patterns().reshape(8, 9)
    assert torch.allclose(bank @ bank.T, torch.eye(8), atol=1e-6)
    assert bank.sum(1).abs().max() < 1e-6


def test_texture_energy_tells_blur_and_weave_from_another_place() -> None:
    truth = torch.rand(1, 3, 64, 64)
    mask = torch.ones(1, 1, 64, 64)
    other = torch.rand(1, 3, 64, 64)  # as much of the same noise
    blurred = torch.nn.functional.avg_pool2d(other, 5, 1, 2)
    rows = torch.arange(64)
    weave = ((rows[:, None] + rows) % 2).float().expand(1, 3, 64, 64)
    same, blur, woven = (texture_energy(x, truth, mask).item() for x in (other, blurred, weave))
    assert texture_energy(truth, truth, mask).item() == 0.0
    assert same < 0.2
    assert blur > 3 * same
    assert woven > 3 * same


def test_texture_energy_has_finite_gradients_on_flat_pictures() -> None:
    flat = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    texture_energy(flat, torch.rand(1, 3, 32, 32), _half_mask(32)[:1]).backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_log_l2_counts_a_tenth_less_error_alike_in_every_task() -> None:
    truth, mask = torch.rand(2, 3, 16, 16), _half_mask()
    errors = torch.tensor([0.1, 0.4]).view(2, 1, 1, 1)
    found = log_l2(truth + errors, truth, mask).item()
    for improved in ([0.9, 1.0], [1.0, 0.9]):
        better = log_l2(truth + errors * torch.tensor(improved).view(2, 1, 1, 1), truth, mask).item()
        assert found - better == pytest.approx(-torch.tensor(0.9).log().item(), rel=0.02)
    outside = truth + 1 - mask
    assert log_l2(outside, truth, mask).item() == pytest.approx(torch.tensor(1e-4).log().item())


def test_blurred_l2_sees_colour_and_not_the_place_of_texture() -> None:
    truth = (torch.rand(1, 3, 4, 4) > 0.5).float().repeat(1, 1, 8, 8)  # repeats every 4 pixels
    mask = _half_mask(32)[:1]
    assert blurred_l2(truth.roll(1, 3), truth, mask, (4, 8)).item() < 1e-10
    assert blurred_l2(truth + 0.1, truth, mask).item() == pytest.approx(0.01, rel=1e-3)
    outside = truth + 0.1 * (1 - mask)
    assert blurred_l2(outside, truth, mask).item() == 0.0

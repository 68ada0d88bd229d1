"""What judges pictures beside LPIPS: FID, KID, DISTS-like, Gabor, GMSD and Inception, against closed forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("cv2", reason="needs the training extra")
import torch

from layoutbrush.training.metrics.dists import structure_texture
from layoutbrush.training.metrics.features import FeatureError, FeatureNetwork
from layoutbrush.training.metrics.frechet import fid, kid
from layoutbrush.training.metrics.gradients import gabor_energies, gmsd
from layoutbrush.training.metrics.inception import Inception, load_inception
from layoutbrush.training.metrics.judges import Judges, decoder_features, pooled
from layoutbrush.training.metrics.tasks import EvaluationTask
from layoutbrush.training.models.segmentation import SegmentationNetwork
from layoutbrush.training.trainer.weights import save_weights


def test_fid_of_a_set_with_itself_and_shifted() -> None:
    data = np.random.default_rng(0).normal(size=(40, 64))
    assert fid(data, data) == pytest.approx(0, abs=1e-9)
    shift = np.linspace(0, 1, 64)
    assert fid(data, data + shift) == pytest.approx(np.square(shift).sum())  # the covariances agree
    assert fid(data, 3 * data - 2 * data.mean(0)) == pytest.approx(4 * data.var(0, ddof=1).sum())


@pytest.mark.parametrize(("count", "width"), [(12, 30), (400, 6)])
def test_fid_is_the_textbook_formula(count: int, width: int) -> None:
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is not installed")
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(count, width)), rng.normal(0.3, 1.7, size=(count + 3, width))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # sqrt(C1 C2) and sqrt(sqrt(C1) C2 sqrt(C1)) have one trace; the latter is symmetric
    values, basis = np.linalg.eigh(first)
    root = basis @ np.diag(np.sqrt(values.clip(0))) @ basis.T
    cross = np.sqrt(linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    textbook = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first) + np.trace(second) - 2 * cross
    assert fid(a, b) == pytest.approx(textbook, rel=1e-6)


def test_fid_of_gaussians_approaches_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (4000, 4)), rng.normal(2, 3, (4000, 4))
    assert fid(a, b) == pytest.approx(4 * (2**2 + (3 - 1) ** 2), rel=0.05)


def test_kid_is_unbiased_and_sees_a_shift() -> None:
    rng = np.random.default_rng(3)
    same = [kid(rng.normal(size=(20, 8)), rng.normal(size=(20, 8))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(300)
    assert min(same) < 0
    assert kid(rng.normal(size=(20, 8)), rng.normal(1, 1, size=(20, 8))) > 5 * np.std(same)
    one = np.array([[1.0, 0.0], [0.0, 1.0]])
    # k(x, x') = (0 / 2 + 1)^3 = 1 within; across the mean of (1.5^3, 1, 1, 1.5^3)
    assert kid(one, one) == pytest.approx(2 - (1.5**3 + 1))


@pytest.mark.parametrize("distance", [fid, kid])
def test_sets_must_fit(distance: Any) -> None:
    with pytest.raises(ValueError, match="two sets"):
        distance(np.zeros((1, 4)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="two sets"):
        distance(np.zeros((5, 3)), np.zeros((5, 4)))


def test_structure_and_texture_by_hand() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 8) + 2
    assert float(structure_texture([x], [x])) == pytest.approx(0, abs=1e-5)
    shuffled = x.flatten(2)[:, :, torch.randperm(64)].reshape(x.shape)
    assert 0.3 < float(structure_texture([shuffled], [x])) < 0.7  # texture agrees, structure does not
    opposite = 2 * x.mean((2, 3), keepdim=True) - x
    assert float(structure_texture([opposite], [x])) == pytest.approx(1, abs=1e-4)  # means agree, covariance is -1
    doubled = structure_texture([torch.full((1, 1, 4, 4), 2.0)], [torch.full((1, 1, 4, 4), 1.0)])
    assert float(doubled) == pytest.approx(0.5 * (1 - 4 / 5), abs=1e-4)


def test_structure_and_texture_see_only_the_mask() -> None:
    torch.manual_seed(0)
    x, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 32, 32, dtype=torch.bool)
    mask[:, :16] = True
    outside, inside = x.clone(), x.clone()
    outside[:, :, 8:] = 0
    inside[:, :, :8] = 0
    assert float(structure_texture([outside], [x], mask)) == pytest.approx(0, abs=1e-5)
    assert float(structure_texture([inside], [x], mask)) > 0.3
    assert float(structure_texture([inside], [x], torch.zeros_like(mask))) == pytest.approx(0, abs=1e-5)


def test_gradients_judge() -> None:
    torch.manual_seed(0)
    x, mask = torch.rand(2, 3, 48, 40), torch.zeros(2, 48, 40, dtype=torch.bool)
    mask[:, :20] = True
    assert float(gmsd(x, x).max()) == 0
    assert float(gmsd(x, (x * 0.8 + 0.1)).max()) < float(gmsd(x, x.flip(3)).min())
    below = torch.cat([x[:, :, :24], x[:, :, 24:].flip(3)], 2)
    assert float(gmsd(below, x, mask).max()) == 0
    assert float(gmsd(below, x).min()) > 0
    assert float(gmsd(below, x, torch.zeros_like(mask)).max()) == 0


def test_gabor_filters_answer_to_their_direction_alone() -> None:
    x = torch.arange(48).float()
    rows = (0.5 + 0.4 * torch.cos(2 * torch.pi * x / 4))[None, None, :, None].expand(1, 3, 48, 48)
    energies = gabor_energies(rows)[0][0, 3:, 8:-8, 8:-8].mean((1, 2))
    assert int(energies.argmax()) == 2  # waves down the rows
    assert float(energies[2]) > 5 * float(energies[0])
    assert torch.allclose(
        gabor_energies(torch.roll(rows, 1, 2))[0][0, 3:, 8:-8], gabor_energies(rows)[0][0, 3:, 8:-8], atol=0.02
    )
    flat = gabor_energies(torch.full((1, 3, 48, 48), 0.7))
    assert max(float(f[:, 3:].max()) for f in flat) < 1e-4
    assert [f.shape[2] for f in flat] == [48, 24, 12]


def test_means_inside_a_mask() -> None:
    features = torch.arange(4.0).view(1, 1, 2, 2)
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, :2, 2:] = True
    assert pooled(features, mask).item() == 1
    assert pooled(features).item() == 1.5


def test_inception_has_the_published_size(tmp_path: Path) -> None:
    network = Inception().eval()
    # torchvision's 27,161,264 less the auxiliary head's 3,326,696 and the classifier's 2,049,000
    assert sum(p.numel() for p in network.parameters()) == 21_785_568
    with torch.no_grad():
        assert network(torch.rand(1, 3, 107, 139)).shape == (1, 2048, 2, 3)
    arrays = {n: v.numpy() for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    lacking: dict[str, Any] = {name: arrays[name] for name in list(arrays)[1:]}
    np.savez(tmp_path / "inception_v3.npz", **lacking)
    with pytest.raises(FeatureError, match="Conv2d_1a_3x3"):
        load_inception(tmp_path)
    complete: dict[str, Any] = arrays
    np.savez(tmp_path / "inception_v3.npz", **complete)
    loaded = load_inception(tmp_path)
    mine, theirs = (n.state_dict()["Mixed_7c.branch1x1.bn.running_var"] for n in (loaded, network))
    assert torch.equal(mine, theirs)


def small_segmentation() -> SegmentationNetwork:
    torch.manual_seed(0)
    trunk = {"channels": [4, 6, 8, 10], "blocks": [0, 0, 0, 0]}
    return SegmentationNetwork(context=8, decoder=(8, 6, 4), trunk=trunk).eval()


def test_decoder_features_fit_any_size() -> None:
    with torch.no_grad():
        found = decoder_features(small_segmentation(), torch.rand(1, 3, 50, 70))
    assert [tuple(f.shape[1:]) for f in found] == [(3, 50, 70), (8, 7, 9), (6, 13, 18), (4, 25, 35)]


def test_judges_agree_that_the_truth_is_best(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_weights(tmp_path / "segmentation.safetensors", small_segmentation())
    network = FeatureNetwork(taps=range(7))
    stored: dict[str, Any] = {f"features.{n}": p.detach().numpy() for n, p in network.features.named_parameters()}
    np.savez(tmp_path / "squeezenet1_1.npz", **stored)
    widths = [f.shape[1] for f in network(torch.rand(1, 3, 64, 64))]
    heads: dict[str, Any] = {f"lin{i}.weight": np.ones((1, w, 1, 1)) for i, w in enumerate(widths)}
    np.savez(tmp_path / "lpips_squeeze.npz", **heads)
    judges = Judges(tmp_path, segmentation=tmp_path / "segmentation.safetensors")
    assert judges.names == {"perceptual": "squeezenet", "sets": "squeezenet", "dists": "segmentation decoder"}
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    mask = np.zeros((64, 64), np.bool_)
    mask[16:48, 16:48] = True
    labels = np.zeros((64, 64), np.uint8)
    spoiled = np.where(mask[..., None], 128, truth).astype(np.uint8)
    task = EvaluationTask("t", "R-x", spoiled, truth, labels, mask, labels, None)
    right, wrong = judges.judge(truth, task), judges.judge(spoiled, task)
    assert set(right.figures) == set(judges.metrics)
    for name in ("lpips_m", "style_m", "dists_m", "gabor_m", "gmsd_m"):
        assert right.figures[name] == pytest.approx(0, abs=1e-5)
        assert wrong.figures[name] > right.figures[name]
    assert np.array_equal(right.vectors["found_m"], right.vectors["truth_m"])
    assert not np.array_equal(wrong.vectors["found_m"], wrong.vectors["truth_m"])
    assert {name: v.shape for name, v in right.vectors.items()}["found_w"] == (512,)
    assert Judges(tmp_path).fingerprint != judges.fingerprint
    with pytest.raises(FeatureError, match="inception"):
        Judges(tmp_path, set_backend="inception")

"""The parts of the loop, each on its own: averages, rates, clipping, whole files, weight files, settings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

from lightning_fabric import Fabric

from layoutbrush.training.commands import train
from layoutbrush.training.commands.around import reported
from layoutbrush.training.drafts.classifier import CropClassifier
from layoutbrush.training.models.segmentation import SegmentationNetwork
from layoutbrush.training.stages import STAGES
from layoutbrush.training.stages.options import OptionError, settings_from
from layoutbrush.training.trainer.averaging import make_average, update_average
from layoutbrush.training.trainer.files import sweep, whole_folder, write_bytes, write_json
from layoutbrush.training.trainer.loop import Lent, seed_of_step
from layoutbrush.training.trainer.stage import Optimization, warm_then_linear
from layoutbrush.training.trainer.weights import WeightsError, load_module, load_weights, save_weights


def _lent(clip: float = 0.0) -> tuple[Lent, Any]:
    torch.manual_seed(0)
    module = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(module.parameters(), 1.0)
    fabric = Fabric(accelerator="cpu", devices=1)
    lent = Lent(fabric, {"m": module}, {"m": Optimization(optimizer, lambda progress, step: 0.5, clip)})
    return lent, module


def test_update_steps_at_the_scheduled_rate_and_clears_gradients() -> None:
    lent, module = _lent()
    before = module.weight.detach().clone()
    lent.backward(module(torch.tensor([[3.0, 4.0]])).sum())
    assert lent.update("m") == pytest.approx(5.0)
    torch.testing.assert_close(before - module.weight.detach(), torch.tensor([[1.5, 2.0]]))
    assert module.weight.grad is None


def test_update_clips() -> None:
    lent, module = _lent(clip=1.0)
    before = module.weight.detach().clone()
    lent.backward(module(torch.tensor([[3.0, 4.0]])).sum())
    assert lent.update("m") == pytest.approx(5.0)
    assert (before - module.weight.detach()).norm().item() == pytest.approx(0.5, rel=1e-4)


def test_update_skips_gradients_that_are_not_finite() -> None:
    lent, module = _lent()
    before = module.weight.detach().clone()
    lent.backward(module(torch.tensor([[float("nan"), 1.0]])).sum())
    assert not torch.isfinite(torch.tensor(lent.update("m")))
    assert torch.equal(module.weight.detach(), before)
    assert module.weight.grad is None


def test_frozen_modules_pass_gradients_but_take_none() -> None:
    lent, module = _lent()
    x = torch.ones(1, 2, requires_grad=True)
    with lent.frozen("m"):
        lent.backward(module(x).sum())
    assert module.weight.grad is None
    assert x.grad is not None
    assert module.weight.requires_grad


def test_averages_follow_and_copy_buffers() -> None:
    module = torch.nn.BatchNorm1d(2)
    average = make_average(module)
    assert not any(p.requires_grad for p in average.parameters())
    with torch.no_grad():
        module.weight.fill_(3.0)
        module.running_mean.fill_(7.0)
    update_average(average, module, decay=0.75, step=10**6)
    torch.testing.assert_close(average.weight, torch.full((2,), 1.5))
    torch.testing.assert_close(average.running_mean, torch.full((2,), 7.0))
    early = make_average(module)
    with torch.no_grad():
        module.weight.fill_(13.0)
    update_average(early, module, decay=0.999, step=0)
    torch.testing.assert_close(early.weight, torch.full((2,), 12.0))


def test_rate_rises_then_falls() -> None:
    rate = warm_then_linear(10, 0.1)
    assert rate(0.0, 0) == pytest.approx(0.1)
    assert rate(0.0, 9) == pytest.approx(1.0)
    assert rate(0.5, 100) == pytest.approx(0.55)
    assert rate(1.0, 100) == pytest.approx(0.1)


def test_every_step_and_process_has_its_own_seed() -> None:
    seeds = {seed_of_step(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(4)}
    assert len(seeds) == 600


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"one")
    write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    with pytest.raises(TypeError):
        write_json(tmp_path / "b.json", {("a",): 1})
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "folder") as partial:
        (partial / "x").write_text(str(1 / 0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]
    (tmp_path / ".partial-1-c").write_bytes(b"torn")
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_weights_say_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_weights(path, torch.nn.Linear(2, 3), {"step": 4})
    same = torch.nn.Linear(2, 3)
    load_weights(path, same)
    assert '"step": 4' in path.with_suffix(".json").read_text()
    with pytest.raises(WeightsError, match=r"other shape \['weight'\]"):
        load_weights(path, torch.nn.Linear(4, 3))
    with pytest.raises(WeightsError, match=r"unknown \['bias'\]"):
        load_weights(path, torch.nn.Linear(2, 3, bias=False))


def test_modules_are_built_from_their_files_and_faults_name_them(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    save_weights(path, CropClassifier(3, 8).train())
    found = load_module(path, CropClassifier)
    assert (found.arguments, found.training) == ({"labels": 3, "width": 8}, False)
    with pytest.raises(WeightsError, match=r"classifier\.json: not the arguments"):
        load_module(path, SegmentationNetwork)
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(WeightsError, match=r"classifier\.safetensors: not a readable weight file"):
        load_module(path, CropClassifier)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(WeightsError, match=r"classifier\.json: not a readable"):
        load_module(path, CropClassifier)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors: no such weights"):
        load_module(tmp_path / "nowhere.safetensors", CropClassifier)


def test_commands_report_known_faults_as_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(error: Exception) -> int:
        raise error

    assert reported(lambda: 7) == 7
    assert reported(lambda: fails(WeightsError("a: torn")), outcome="Nothing: ") == 1
    assert capsys.readouterr().err == "Nothing: a: torn\n"
    with pytest.raises(ZeroDivisionError):
        reported(lambda: fails(ZeroDivisionError()))
    assert train.run(train.Config("warp", tmp_path, tmp_path / "run", steps=1, size=72)) == 1
    assert "size: should be a multiple of 16, not 72" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "torch", None)
    assert reported(lambda: 7) == 2
    assert "layoutbrush[training]" in capsys.readouterr().err


@dataclass(frozen=True)
class _Settings:
    rate: float = 0.1
    steps: int = 3
    on: bool = True
    name: str = ""
    layers: tuple[float, ...] = (1.0, 2.0)


def test_settings_from_words() -> None:
    made = settings_from(_Settings, ["rate=2e-3", "steps=5", "on=false", "name=a=b", "layers=0.5, 1"])
    assert made == _Settings(0.002, 5, False, "a=b", (0.5, 1))
    for words in (["rate"], ["pace=1"], ["steps=1.5"], ["on=maybe"]):
        with pytest.raises(OptionError):
            settings_from(_Settings, words)


def test_the_table_of_stages_matches_the_command() -> None:
    from typing import get_args, get_type_hints

    from layoutbrush.training.commands.train import Config

    assert set(get_args(get_type_hints(Config)["stage"])) == set(STAGES)

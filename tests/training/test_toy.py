"""The whole loop on a data set made of nothing, on a CPU: it learns, saves, resumes exactly and is believed.

Coloured shapes, a warp that is only a blur, a small refiner.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

from PIL import Image, ImageFilter

from layoutbrush.training.commands import train as command
from layoutbrush.training.data.sampler import TaskConfig, TaskSampler
from layoutbrush.training.data.task import Task
from layoutbrush.training.data.toy import toy_collection
from layoutbrush.training.models.refine_file import load_refine
from layoutbrush.training.stages import adversarial, refine
from layoutbrush.training.stages.warp_cache import CacheError, WarpCache, write_warp_cache
from layoutbrush.training.trainer.checkpoint import CheckpointError, CheckpointFolder
from layoutbrush.training.trainer.loop import LoopError, LoopSettings, train
from layoutbrush.training.trainer.stage import DataOptions

SETTINGS = refine.Settings(rate=4e-3, warm=5, coarse_share=0.2, evaluated=8, width=0.4)


def _blur(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """A warp that knows the truth but has lost its detail and a quarter of its contrast."""
    soft = np.asarray(Image.fromarray(task.truth).filter(ImageFilter.GaussianBlur(2)))
    return (soft * 0.75 + 32).astype(np.uint8), np.full(task.mask.shape, 0.5, np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    sampler = TaskSampler([toy_collection(12, side=64)], TaskConfig(size=48))
    assert write_warp_cache(sampler, _blur, 48, folder / "train", 0, chunk=16) == 48
    assert write_warp_cache(sampler, _blur, 8, folder / "val", 1) == 8
    return folder


def _loop(folder: Path, steps: int, **changes: object) -> LoopSettings:
    values = {"precision": "32-true", "accelerator": "cpu", "evaluations": 1, "tensorboard": False, "log_every": 5}
    return LoopSettings(folder, steps=steps, **{**values, **changes})  # type: ignore[arg-type]


def _data(cache: Path) -> DataOptions:
    return DataOptions(cache, batch=2, size=48)


def _refine(cache: Path) -> refine.RefineStage:
    return refine.build(SETTINGS, _data(cache))


def _curves(run: Path, group: str) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "curves.jsonl").read_text().splitlines()]
    return [line for line in lines if line["group"] == group]


def test_refiner_learns_and_its_run_folder_tells_everything(cache: Path, tmp_path: Path) -> None:
    position = train(_refine(cache), _loop(tmp_path, 60, evaluations=2, tensorboard=True))
    assert position.step == 60
    curves = _curves(tmp_path, "train")
    assert curves[-1]["coarse_l1"] < 0.8 * curves[0]["coarse_l1"]
    report = _curves(tmp_path, "evaluate")[-1]
    for kind in ("foreign", "manipulate"):
        assert report[f"{kind}/refined/psnr"] > report[f"{kind}/warp/psnr"] + 0.5
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["settings"]["rate"] == 4e-3
    assert json.loads((tmp_path / "environment.json").read_text())["packages"]["torch"]
    with Image.open(tmp_path / "pictures" / "refine-0000060.png") as sheet:
        assert sheet.size[0] > 5 * 48
    assert list((tmp_path / "tensorboard").glob("events*"))
    checkpoint = CheckpointFolder(tmp_path / "checkpoints").pointed("best")
    assert checkpoint is not None
    network = load_refine(checkpoint / "refine.safetensors")
    batch = WarpCache([cache / "val"]).tensors([0, 1])
    with torch.no_grad():
        _, refined = network(*refine.refine_inputs(batch))
    assert torch.isfinite(refined).all()


def _state(run: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    checkpoint = CheckpointFolder(run / "checkpoints").pointed("last")
    assert checkpoint is not None
    return load_file(checkpoint / "state.safetensors")


def _run_adversarial(cache: Path, run: Path, stops: list[int]) -> dict[str, Any]:
    """Train to each of the stops in turn, a fresh stage each time, as after a kill."""
    settings = adversarial.Settings(warm=2, ramp=2, r1_every=2, evaluated=2, width=0.4)
    for stop in stops:
        # The rate depends on the share of the run that is done: the last bound is that of the whole run.
        train(adversarial.build(settings, _data(cache)), _loop(run, stop, evaluate_every=2))
    return _state(run)


def test_resuming_is_bit_equal(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = _run_adversarial(cache, tmp_path / "straight", [4])
    stage = adversarial.build(adversarial.Settings(warm=2, ramp=2, r1_every=2, evaluated=2, width=0.4), _data(cache))
    original = stage.train_step
    steps: list[int] = []

    def killed(batch: object, context: object) -> object:
        if len(steps) == 2:
            raise RuntimeError("power cut")
        steps.append(1)
        return original(batch, context)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "train_step", killed)
    with pytest.raises(RuntimeError, match="power cut"):
        train(stage, _loop(tmp_path / "resumed", 4, evaluate_every=2))
    resumed = _run_adversarial(cache, tmp_path / "resumed", [4])
    assert set(straight) == set(resumed)
    assert any(name.startswith("optimizer/discriminator") for name in straight)
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


def test_a_finished_run_is_not_trained_further(cache: Path, tmp_path: Path) -> None:
    train(_refine(cache), _loop(tmp_path, 2))
    before = _state(tmp_path)
    assert train(_refine(cache), _loop(tmp_path, 2)).step == 2
    assert all(torch.equal(value, before[name]) for name, value in _state(tmp_path).items())


def test_half_written_checkpoints_are_swept(cache: Path, tmp_path: Path) -> None:
    train(_refine(cache), _loop(tmp_path, 2))
    stray = tmp_path / "checkpoints" / ".partial-abc"
    stray.mkdir()
    (stray / "state.safetensors").write_bytes(b"torn")
    train(_refine(cache), _loop(tmp_path, 2))
    assert not stray.exists()


def test_interrupt_saves(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = _refine(cache)
    original = stage.train_step
    steps: list[int] = []

    def interrupted(batch: object, context: object) -> object:
        if len(steps) == 2:
            raise KeyboardInterrupt
        steps.append(1)
        return original(batch, context)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(stage, _loop(tmp_path, 9))
    assert CheckpointFolder(tmp_path / "checkpoints").pointed("last") == tmp_path / "checkpoints" / "step-0000002"


def test_checkpoint_of_another_stage_is_refused(cache: Path, tmp_path: Path) -> None:
    train(_refine(cache), _loop(tmp_path, 1))
    with pytest.raises(CheckpointError, match="of stage refine"):
        train(adversarial.build(adversarial.Settings(evaluated=2), _data(cache)), _loop(tmp_path, 2))


def test_loop_wants_a_bound(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(LoopError):
        train(_refine(cache), LoopSettings(tmp_path))


def test_minutes_end_a_run(cache: Path, tmp_path: Path) -> None:
    position = train(_refine(cache), _loop(tmp_path, 0, minutes=1 / 60))
    assert position.step >= 1
    assert position.elapsed >= 1.0


def test_command_trains_from_flags(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = command.Config(
        "refine",
        cache,
        tmp_path,
        steps=1,
        batch=1,
        size=48,
        precision="32-true",
        evaluations=1,
        set=("evaluated=1", "attention=false"),
        tensorboard=False,
        accelerator="cpu",
    )
    assert command.run(config) == 0
    assert "1 steps" in capsys.readouterr().out
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["settings"]["attention"] is False


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"set": ("nothing=1",)}, "unknown setting 'nothing'"),
        ({"set": ("rate",)}, "NAME=VALUE"),
        ({"set": ("rate=fast",)}, "rate should be like"),
        ({"data": Path("nowhere")}, "no parts of a warp cache"),
    ],
)
def test_command_names_what_is_wrong(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: dict[str, object], words: str
) -> None:
    values: dict[str, object] = {"stage": "refine", "data": cache, "run": tmp_path / "run", "steps": 1, **flags}
    assert command.run(command.Config(**values)) == 1  # type: ignore[arg-type]
    assert words in capsys.readouterr().err


def test_command_lists_the_settings(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(command.Config("adversarial", cache, tmp_path, set=("help",))) == 0
    assert "adversarial=0.15" in capsys.readouterr().out


def test_cache_batches_depend_on_seed_and_step_alone(cache: Path) -> None:
    reader = WarpCache([cache / "train"])
    assert len(reader) == 48
    first, again, other = reader.batch(3, 4), reader.batch(3, 4), reader.batch(4, 4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["image"], other["image"])
    assert first["image"].shape == (4, 3, 48, 48)
    assert first["confidence"].shape == (4, 1, 48, 48)
    assert first["mask"].dtype == torch.bool
    outside = ~first["mask"][:, None].expand_as(first["image"])
    assert torch.equal(first["image"][outside], first["warped"][outside])


def test_cache_crops_hold_some_of_the_mask(cache: Path) -> None:
    reader = WarpCache([cache / "train"])
    for step in range(4):
        batch = reader.batch(step, 4, size=16)
        assert batch["edited"].shape == (4, 16, 16)
        assert batch["mask"].flatten(1).any(1).all()


def test_cache_keeps_parts_that_exist(cache: Path) -> None:
    sampler = TaskSampler([toy_collection(12, side=64)], TaskConfig(size=48))
    assert write_warp_cache(sampler, _blur, 48, cache / "train", 0, chunk=16) == 0


def test_cache_that_is_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError):
        WarpCache([tmp_path])

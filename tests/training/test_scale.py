"""Training in several processes, in bf16, killed and resumed: real processes, tiny networks."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("lightning_fabric", reason="needs the training extra")

from safetensors.torch import load_file

from layoutbrush.training.trainer.loop import seed_of_step
from layoutbrush.training.trainer.record import commit, environment, rewind

SCRIPT = Path(__file__).with_name("scale_run.py")
PATIENCE = 400
"""Seconds for what takes a few on a machine that has nothing else to do."""
pytestmark = pytest.mark.timeout(3 * PATIENCE)


def start(folder: Path, devices: int, steps: int, precision: str = "32-true", held: int = -1) -> Any:
    command = [sys.executable, str(SCRIPT), str(folder), str(devices), str(steps), precision, str(held)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("LOCAL_RANK", None)
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: Any) -> None:
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, errors[-3000:]


def seen(folder: Path, rank: int) -> dict[str, list[Any]]:
    value: dict[str, list[Any]] = json.loads((folder / f"rank{rank}.json").read_text())
    return value


def last_state(folder: Path) -> dict[str, Any]:
    name = json.loads((folder / "checkpoints" / "last.json").read_text())["checkpoint"]
    return load_file(folder / "checkpoints" / name / "state.safetensors")


def assert_equal(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert set(first) == set(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def curve(folder: Path) -> list[tuple[str, int, float]]:
    lines = [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]
    return [(line["group"], line["step"], line.get("loss", line.get("weight"))) for line in lines]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps of two processes."""
    folder = tmp_path_factory.mktemp("pair")
    finish(start(folder, 2, 6))
    return folder


def test_two_processes_stay_in_step(pair: Path) -> None:
    first, second = seen(pair, 0), seen(pair, 1)
    assert len(first["norms"]) == 6
    assert first["norms"] == second["norms"]
    assert all(value > 0 for value in first["norms"])
    weights = [load_file(pair / f"rank{rank}.safetensors") for rank in (0, 1)]
    for name, value in weights[0].items():
        if "running" not in name:  # statistics of a process's own batches; those of the first are saved
            assert torch.equal(value, weights[1][name]), name
    saved = load_file(pair / "checkpoints" / "step-0000006" / "state.safetensors")
    assert torch.equal(saved["module/net/first.weight"], weights[0]["first.weight"])


def test_two_processes_share_no_task(pair: Path) -> None:
    tasks = [tuple(task) for rank in (0, 1) for task in seen(pair, rank)["tasks"]]
    assert len(tasks) == 2 * 6 * 2
    assert len(set(tasks)) == len(tasks)


def test_only_the_first_process_writes(pair: Path) -> None:
    assert [entry[:2] for entry in curve(pair) if entry[0] == "train"] == [("train", step) for step in range(1, 7)]
    starts = (pair / "starts.jsonl").read_text().splitlines()
    assert [json.loads(line)["processes"] for line in starts] == [2]
    assert sorted(path.name for path in (pair / "checkpoints").glob("step-*"))[-1] == "step-0000006"


def test_the_gradient_of_two_processes_is_the_mean_of_theirs(pair: Path) -> None:
    """The first step's gradient, from the weights both began with and each process's own tasks."""
    script = runpy.run_path(str(SCRIPT), run_name="scale_run")
    stage = script["Toy"](pair, 2, -1)
    for rank in (0, 1):
        batch = stage.batch(0, rank)
        torch.manual_seed(seed_of_step(0, 0, rank))
        image = batch["image"] + 0.01 * torch.randn_like(batch["image"])
        (0.5 * (stage.net(image, False) - batch["truth"]).abs().mean()).backward()
    norm = torch.nn.utils.clip_grad_norm_(stage.net.parameters(), float("inf"))
    assert seen(pair, 0)["norms"][0] == pytest.approx(float(norm), rel=1e-4)


def kill_after(process: Any, checkpoint: Path) -> None:
    """kill -9 of the process and its children, once a checkpoint has appeared."""
    deadline = time.monotonic() + PATIENCE
    while not checkpoint.exists():
        assert process.poll() is None, process.stderr.read()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_that_was_killed_goes_on_to_the_bit(devices: int, pair: Path, tmp_path: Path) -> None:
    straight = pair
    if devices == 1:
        straight = tmp_path / "straight"
        finish(start(straight, 1, 6))
    resumed = tmp_path / "resumed"
    victim = start(resumed, devices, 6, held=3)
    kill_after(victim, resumed / "checkpoints" / "last.json")
    assert not (resumed / "rank0.json").exists()
    finish(start(resumed, devices, 6))
    assert_equal(last_state(straight), last_state(resumed))
    assert curve(straight) == curve(resumed)
    starts = [json.loads(line)["step"] for line in (resumed / "starts.jsonl").read_text().splitlines()]
    assert starts == [0, 2]


def test_bf16_computes_in_bf16_and_keeps_weights_in_32_bits(tmp_path: Path) -> None:
    finish(start(tmp_path, 1, 40, "bf16-mixed"))
    dtypes = seen(tmp_path, 0)["dtypes"]  # every third step calls the network past its wrapper too
    assert dtypes.count("torch.bfloat16") == 40
    assert all(value.dtype != torch.bfloat16 for value in last_state(tmp_path).values())
    losses = [value for group, _, value in curve(tmp_path) if group == "train"]
    assert losses[-1] < 0.7 * losses[0]


def test_sigterm_ends_the_step_saves_and_loses_nothing(tmp_path: Path) -> None:
    """The command itself, on toy photos, asked to end by SIGTERM; then it goes on and equals a run left alone.

    Its 24th step waits for the signal, which so never comes too late.
    """
    import numpy as np
    from PIL import Image

    from layoutbrush.training.data.toy import toy_photo

    photos = tmp_path / "photos"
    (photos / "labels").mkdir(parents=True)
    for i in range(12):
        Image.fromarray(toy_photo(i, 64).image).save(photos / f"{i:02d}.png")
        Image.fromarray(np.asarray(toy_photo(i, 64).labels)).save(photos / "labels" / f"{i:02d}.png")
    flags = "--stage segmentation --batch 1 --size 64 --steps 32 --threads 1 --accelerator cpu --no-tensorboard"
    words = [*flags.split(), "--precision", "32-true", "--evaluations", "1", "--data", f"folder:{photos}"]

    program = """
import sys, threading, tyro
from layoutbrush.training.commands import train
from layoutbrush.training.stages.segmentation import SegmentationStage

asked, ask, step = threading.Event(), train._ask, SegmentationStage.train_step

def asking(stop):
    ask(stop)
    asked.set()

def holding(self, batch, context):
    if context.step == 23:
        asked.wait(400)
    return step(self, batch, context)

if "--hold" in sys.argv:
    sys.argv.remove("--hold")
    train._ask, SegmentationStage.train_step = asking, holding
sys.exit(train.run(tyro.cli(train.Config)))
"""

    def command(run: Path, *more: str) -> Any:
        return subprocess.Popen(
            [sys.executable, "-c", program, *words, "--run", str(run), *more], stderr=subprocess.PIPE, text=True
        )

    run = tmp_path / "run"
    process = command(run, "--hold")
    deadline = time.monotonic() + PATIENCE
    while not (run / "curves.jsonl").exists():  # written first at step 20
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Stopped and saved" in errors
    step = json.loads((run / "checkpoints" / "last.json").read_text())["checkpoint"]
    assert "step-0000020" <= step <= "step-0000024"
    finish(command(run))
    finish(command(tmp_path / "straight"))
    assert_equal(last_state(tmp_path / "straight"), last_state(run))


def test_curves_are_rewound_to_the_step_a_run_goes_on_from(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    rewind(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    rewind(tmp_path / "nothing", 2)


def test_the_environment_says_on_what_and_with_what(repository: Path) -> None:
    found = environment()
    assert found["processor"]
    assert str(found["packages"]["torch"]).split("+")[0] == torch.__version__.split("+")[0]  # type: ignore[index]
    if (repository / ".git").exists():
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
        stored = commit()
        assert stored is None or stored.rstrip("+") == head.stdout.strip()

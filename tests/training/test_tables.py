"""The harness of the tables: intervals, differences, rungs, rows, texts, plots, and a whole run on toy tasks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("cv2", reason="needs the training extra")
import torch

from layoutbrush.training.commands import evaluate
from layoutbrush.training.comparators.network import Comparator
from layoutbrush.training.data import DataError, TaskConfig, TaskSampler, toy_collection
from layoutbrush.training.metrics import tables, tables_text
from layoutbrush.training.metrics.assembly import Verdicts, best, is_better
from layoutbrush.training.metrics.bootstrap import Estimate, mean_interval, paired_difference, set_interval
from layoutbrush.training.metrics.judges import Verdict
from layoutbrush.training.metrics.painters import task_tensors
from layoutbrush.training.metrics.plots import panel
from layoutbrush.training.metrics.rows import MADE_BY, RowSpec, parse_row
from layoutbrush.training.metrics.tasks import read_task, task_names
from layoutbrush.training.models.refine import Refine, RefineConfig
from layoutbrush.training.trainer.weights import save_weights

SMALL = RefineConfig(encoder=(8, 12, 16), coarse=(16, 12, 8), fine=(16, 12, 8), detail=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two reconstruction and two manipulation tasks, one of them of odd size."""
    root = tmp_path_factory.mktemp("tables")
    for index, kind in enumerate(("R", "R", "M", "M")):
        task = TaskSampler([toy_collection(4)], TaskConfig(size=96, manipulate=0, fill=0)).task(0, index)
        place, cut = root / "tasks" / f"{kind}-toy-{index}", (slice(0, 90 if index == 1 else 96), slice(0, 96))
        place.mkdir(parents=True)
        alpha = np.where(task.mask, 255, 0).astype(np.uint8)
        Image.fromarray(task.image[cut]).save(place / "image.png")
        Image.fromarray(np.dstack([task.truth, alpha])[cut]).save(place / "truth.png")
        for name, plane in (("edited", task.edited), ("layout", task.layout)):
            Image.fromarray(plane[cut]).save(place / f"{name}.png")
        for name, where in (("mask", task.mask), ("exclude", ~task.source)):
            Image.fromarray(where[cut].astype(np.uint8) * 255).save(place / f"{name}.png")
    for name in task_names(root / "tasks"):
        read = read_task(root / "tasks", name)
        for tool, picture in (("exact", read.truth), ("blurred", np.where(read.mask[..., None], 128, read.image))):
            (root / tool).mkdir(exist_ok=True)
            Image.fromarray(picture.astype(np.uint8)).save(root / tool / f"{name}.png")
    return root


def test_intervals_cover_the_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(1.0, 2.0, (120, 40))
    hits = sum(e.low <= 1.0 <= e.high for e in (mean_interval(row.tolist()) for row in samples))
    assert 0.86 <= hits / len(samples) <= 1.0
    few, many = mean_interval(samples[0].tolist()), mean_interval(samples.ravel().tolist())
    assert many.high - many.low < 0.3 * (few.high - few.low)
    assert mean_interval([3.0]) == Estimate(3.0, 3.0, 3.0, 1)
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


def test_paired_differences_forget_what_tasks_have_in_common() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 10, 50)
    ours, theirs = hard + 1 + rng.normal(0, 0.1, 50), hard
    difference = paired_difference(ours.tolist(), theirs.tolist())
    assert difference.mean == pytest.approx(1, abs=0.1)
    assert difference.excludes_zero()
    assert difference.high - difference.low < 0.2
    mirrored = paired_difference(theirs.tolist(), ours.tolist())
    assert mirrored.mean == pytest.approx(-difference.mean)
    assert not paired_difference([1.0, 2.0], [1.0, 2.0]).excludes_zero()
    with pytest.raises(ValueError, match="same tasks"):
        paired_difference([1.0], [1.0, 2.0])


def test_figures_of_sets_keep_their_value_and_get_a_spread() -> None:
    data = np.random.default_rng(2).normal(size=30)
    estimate = set_interval(lambda picked: float(data[picked].var()), 30)
    assert estimate.mean == pytest.approx(float(data.var()))
    assert estimate.low < estimate.mean < estimate.high


def verdicts(offset: float) -> Verdicts:
    """Two rows on two sets; row `b` is worse by the offset."""
    rng = np.random.default_rng(3)
    by_row: dict[str, dict[str, Verdict]] = {"a": {}, "b": {}}
    sets = {}
    for index in range(24):
        name = f"{'R' if index % 2 else 'M'}-toy-{index}"
        sets[name] = name[:5]
        value, vector = rng.random(), rng.normal(size=6).astype(np.float32)
        for row, shift in (("a", 0.0), ("b", offset)):
            found = vector + np.float32(shift)
            pair = {f"{side}_{where}": v for where in "mw" for side, v in (("found", found), ("truth", vector))}
            figures = {"lpips_m": value + shift, "style_m": value + shift, "psnr_m": -value - shift, "psnr_w": value}
            by_row[row][name] = Verdict(figures, pair)
    return Verdicts(by_row, sets)


def test_differences_and_rungs_point_the_right_way() -> None:
    rows = [RowSpec("b", "x", "vanilla", True), RowSpec("a", "y", "sparse", True)]
    made = tables.build(verdicts(0.5), rows, ["a"])
    (first,), (second,) = made.reconstruction, made.manipulation
    assert (first.name, second.name, first.tasks) == ("R-toy", "M-toy", 12)
    assert first.differences["a"]["b"]["lpips_m"].mean == pytest.approx(-0.5)
    assert first.best["lpips_m"] == "b"  # the only rival: `a` has the sparse attention
    assert [section.name for section in made.ablation] == ["toy"]
    assert made.ablation[0].tasks == 24
    assert {(r.upper, r.lower, r.better) for r in made.rungs} == {("a", "b", True)}
    assert {r.figure for r in made.rungs} == {"lpips_m", "fid_m", "style_m"}
    assert first.figures["a"]["fid_m"].mean == pytest.approx(0, abs=1e-9)
    assert first.figures["b"]["fid_m"].mean > 0.1
    worse = tables.build(verdicts(-0.5), rows, ["a"])
    assert not any(rung.better for rung in worse.rungs if rung.figure != "fid_m")


def test_the_best_depends_on_the_figure() -> None:
    assert best("psnr_m", {"a": 20.0, "b": 19.0}) == "a"
    assert best("lpips_m", {"a": 20.0, "b": 19.0}) == "b"
    assert is_better("ssim_w", 0.2, 0.1)
    assert not is_better("fid_m", 0.2, 0.1)


def test_markdown_marks_what_is_sure_and_what_is_best() -> None:
    rows = [RowSpec("b", "x", "vanilla", True), RowSpec("a", "y", "sparse", True)]
    facts = tables_text.Facts({"perceptual": "squeezenet", "sets": "squeezenet", "dists": ""}, {"a": "one"}, ["a"])
    text = tables_text.markdown(tables.build(verdicts(0.5), rows, ["a"]), facts)
    assert "### R-toy, 12 tasks" in text
    assert "| b | **-0.500 [-0.500, -0.500]** ★" in text
    assert "**squeezenet was part of the losses of a**" in text
    assert "better than b by -0.500" in text
    assert "| toy | a - b | LPIPS ↓ | -0.500 [-0.500, -0.500] | better |" in text
    assert json.loads(tables_text.to_json(tables.build(verdicts(0.5), rows, ["a"]), facts))["rungs"][0]["better"]


def test_a_panel_shows_every_row() -> None:
    rows = {"a": Estimate(0.2, 0.1, 0.3, 5), "b": Estimate(0.5, 0.4, 0.6, 5)}
    picture = panel("R: LPIPS ↓", "lpips_m", rows, ("a",))
    assert (picture == (190, 60, 30)).all(2).sum() > 50
    assert (picture == (30, 30, 30)).all(2).sum() > 50
    assert panel("one", "psnr_m", {"a": Estimate(1, 1, 1, 1)}).shape[2] == 3


def test_tasks_are_padded_for_the_networks(folder: Path) -> None:
    batch = task_tensors(read_task(folder / "tasks", "R-toy-1"))
    assert batch["image"].shape == (1, 3, 96, 96)
    assert not batch["mask"][:, 90:].any()
    assert not batch["source"][:, 90:].any()
    assert torch.equal(batch["edited"][:, 90:], batch["edited"][:, 89:90].expand(-1, 6, -1))


def test_rows_are_told_apart(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_weights(tmp_path / "refine.safetensors", Comparator("vanilla", Refine(SMALL)))
    row = parse_row(f"no warp={tmp_path / 'refine.safetensors'}")
    assert (row.name, row.kind, row.trained, row.folder) == ("no warp", "vanilla", True, None)
    assert "SESAME" in row.describe()
    assert parse_row(f"t={folder / 'exact'}").folder == folder / "exact"
    assert parse_row("w=untrained").describe().endswith("without training")
    assert parse_row("s=bundle:/where/scenes").describe() == "the bundle `scenes`, through the runtime's pipeline"
    for word in ("nothing", "a=", "a=/nowhere", f"a={folder / 'exact' / 'R-toy-0.png'}"):
        with pytest.raises(DataError):
            parse_row(word)


def test_the_whole_harness(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "refine.safetensors"
    save_weights(weights, Comparator("vanilla", Refine(SMALL)))
    words = (f"exact={folder / 'exact'}", f"blurred={folder / 'blurred'}", "warp=untrained", f"vanilla={weights}")
    out = tmp_path / "report"
    config = evaluate.Config(folder / "tasks", tables=True, rows=words, subjects=("exact",), out=out, threads=1)
    assert evaluate.run(config) == 0
    made = {path.name for path in out.iterdir()}
    assert {"tables.md", "tables.json", "scores.csv", "plot-1.png", "plot-2.png"} <= made
    assert {"sheet-R-toy.png", "sheet-M-toy.png"} <= made
    assert np.asarray(Image.open(out / "sheet-M-toy.png")).shape == (18 + 2 * 52 + 4, 4 + 7 * 52, 3)
    facts = json.loads((out / "tables.json").read_text())
    inside = facts["reconstruction"][0]["figures"]
    assert inside["exact"]["psnr_m"]["mean"] == 60
    assert inside["exact"]["gabor_m"]["mean"] == pytest.approx(0, abs=1e-5)
    assert inside["exact"]["gmsd_m"]["mean"] == 0
    for row in ("blurred", "warp", "vanilla"):
        assert inside[row]["out_l1"]["mean"] == 0
        assert inside[row]["gabor_m"]["mean"] > 0.02
        assert facts["reconstruction"][0]["differences"]["exact"][row]["psnr_m"]["mean"] > 10
    # The same again makes nothing anew; other weights do.
    picture, kept = out / "pictures" / "vanilla" / "R-toy-0.png", len(list((out / "kept").iterdir()))
    before = picture.stat().st_mtime_ns
    assert evaluate.run(config) == 0
    assert picture.stat().st_mtime_ns == before
    assert len(list((out / "kept").iterdir())) == kept
    torch.manual_seed(1)
    save_weights(weights, Comparator("vanilla", Refine(SMALL)))
    old = (out / "pictures" / "vanilla" / MADE_BY).read_text()
    assert evaluate.run(config) == 0
    assert (out / "pictures" / "vanilla" / MADE_BY).read_text() != old
    capsys.readouterr()


def test_the_harness_names_what_is_wrong(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def attempt(*rows: str, subjects: tuple[str, ...] = ()) -> tuple[int, str]:
        config = evaluate.Config(folder / "tasks", tables=True, rows=rows, subjects=subjects, out=tmp_path / "r")
        return evaluate.run(config), capsys.readouterr().err

    exact = f"exact={folder / 'exact'}"
    assert evaluate.run(evaluate.Config(folder / "tasks", tables=True, rows=(exact,))) == 2
    assert "needs --rows and --out" in capsys.readouterr().err
    assert attempt(exact, exact) == (1, "two rows have one name\n")
    assert "no row is called other" in attempt(exact, subjects=("other",))[1]
    save_weights(tmp_path / "linear.safetensors", torch.nn.Linear(1, 1))
    assert "Linear do not paint" in attempt(f"a={tmp_path / 'linear.safetensors'}")[1]

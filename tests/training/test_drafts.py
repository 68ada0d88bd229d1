"""Layout2Im: places and crops, what each part sees, losses against closed forms, ablations, a toy run, the graph."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from layoutbrush.training.commands import train
from layoutbrush.training.data.batch import image_tensor
from layoutbrush.training.data.lazy import read_image
from layoutbrush.training.drafts import classifier, stage
from layoutbrush.training.drafts.ablations import ABLATIONS, ablated
from layoutbrush.training.drafts.batches import Pictures, boxed_batch
from layoutbrush.training.drafts.config import MOST_OBJECTS, DraftConfig, DraftConfigError
from layoutbrush.training.drafts.evaluation import Evaluator, Row
from layoutbrush.training.drafts.fuser import ConvLSTM
from layoutbrush.training.drafts.generator import DraftNetwork, sample_codes
from layoutbrush.training.drafts.graph import DraftGraph
from layoutbrush.training.drafts.judges import ImageJudge, ObjectJudge
from layoutbrush.training.drafts.losses import TERMS, LossWeights, fooling_loss, image_l1, judges_loss, kl_divergence
from layoutbrush.training.drafts.placing import PlacedConv, box_masks, crops, object_crops
from layoutbrush.training.drafts.score_networks import ClassProbabilities, load_classes
from layoutbrush.training.drafts.scores import accuracy, chance, diversity, inception_score
from layoutbrush.training.drafts.table import draft_table, table_text
from layoutbrush.training.drafts.toy import toy_boxes
from layoutbrush.training.metrics.features import FeatureError
from layoutbrush.training.metrics.inception import Inception
from layoutbrush.training.stages.options import settings_from
from layoutbrush.training.trainer.stage import DataOptions
from layoutbrush.training.trainer.weights import WeightsError, save_weights

SMALL = DraftConfig(4, size=32, latent=8, embedding=8, width=8, hidden=8, layers=2, blocks=1)
TINY = ("latent=8", "embedding=8", "width=16", "hidden=16", "layers=1", "blocks=0", "judge_width=8")


def network(config: DraftConfig = SMALL, seed: int = 0) -> DraftNetwork:
    torch.manual_seed(seed)
    return DraftNetwork(config).eval()


def toy_batch(count: int = 2, most: int = 5, size: int = 32) -> dict[str, torch.Tensor]:
    return boxed_batch(Pictures(toy_boxes(count, size).photos, size), range(count), most)


def test_masks_are_the_covered_share_of_each_pixel() -> None:
    masks = box_masks(torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.5, 1.0], [0.0, 0.0, 0.125, 0.25]]), 4)
    assert torch.equal(masks[0], torch.ones(1, 4, 4))
    assert torch.equal(masks[1, 0], torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0.0]]))
    assert masks[2].sum() == pytest.approx(0.5)


def test_placed_convolution_is_the_convolution_of_the_repeated_vector() -> None:
    torch.manual_seed(0)
    layer = PlacedConv(5, 7)
    layer.bias.data.normal_()
    vectors, masks = torch.randn(3, 5), box_masks(torch.tensor([[0.1, 0.2, 0.7, 0.9]] * 3), 16)
    repeated = vectors[:, :, None, None] * masks
    wanted = F.conv2d(repeated, layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(layer(vectors, masks), wanted)


def test_crops_are_the_inside_of_the_boxes() -> None:
    picture = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1)
    inside = crops(picture, torch.tensor([[0.25, 0.5, 0.75, 1.0]]), 4)
    torch.testing.assert_close(inside, picture[:, :, 4:8, 2:6])
    valid = torch.tensor([[True, False], [True, True]])
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(2, 2, 1)
    several = object_crops(torch.cat([picture, -picture]), boxes, valid, 8)
    torch.testing.assert_close(several, torch.cat([picture, -picture, -picture]))


def test_lstm_is_its_equations_and_minds_the_order() -> None:
    torch.manual_seed(0)
    fuser = ConvLSTM(4, 1)
    maps = torch.randn(2, 1, 4, 3, 3)
    gates = fuser.gates[0]
    hidden = cell = torch.zeros(1, 4, 3, 3)
    for x in maps:
        i, f, o, g = gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
    torch.testing.assert_close(fuser(maps), hidden)
    assert not torch.allclose(fuser(maps.flip(0)), hidden)
    skipped = fuser(torch.cat([maps, torch.randn(1, 1, 4, 3, 3)]), torch.tensor([[True], [True], [False]]))
    torch.testing.assert_close(skipped, hidden)


def test_untrained_drafts_already_differ_with_their_layouts() -> None:
    """Three layers of gates don't drown what tells layouts apart: else training starts with one picture for all."""
    net = network(DraftConfig(4, size=64, latent=8, width=16, hidden=32, blocks=1))
    fused = []
    for labels, boxes, latents in (layout(4, 1), layout(5, 1)):
        maps = net.objects(labels.long(), latents[0], boxes)
        fused.append(net.fuser(maps[:, None]).detach())
    apart = torch.stack(fused).std(0, correction=0).mean() / torch.stack(fused).std()
    assert float(apart) > 0.3


@pytest.mark.parametrize("fuser", ["lstm", "sum"])
@pytest.mark.parametrize("size", [64, 128])
def test_drafts_have_their_size_and_padding_has_no_influence(size: int, fuser: str) -> None:
    net = network(replace(SMALL, size=size, fuser=fuser))
    part = toy_batch(2, 4, size)
    codes = sample_codes(part["valid"], 8, seed=5)
    draft = net.draft(part["labels"], part["boxes"], part["valid"], codes).detach()
    assert draft.shape == (2, 3, size, size)
    assert 0 <= float(draft.min()) < float(draft.max()) <= 1
    wide = toy_batch(2, 7, size)
    wide["labels"][~wide["valid"]] = 3
    again = net.draft(wide["labels"], wide["boxes"], wide["valid"], codes)
    torch.testing.assert_close(again, draft, atol=1e-5, rtol=1e-5)
    assert torch.equal(codes, sample_codes(wide["valid"], 8, seed=5))
    assert not torch.equal(codes, sample_codes(wide["valid"], 8, seed=6))


def test_one_pass_reaches_every_part_of_the_generator() -> None:
    net, part = network().train(), toy_batch()
    count = int(part["valid"].sum())
    made = net(*(part[name] for name in ("image", "labels", "boxes", "valid")), *torch.randn(2, count, 8))
    assert made.rebuilt.shape == made.drawn.shape == (2, 3, 32, 32)
    assert made.real_crops.shape == made.drawn_crops.shape == (count, 3, 16, 16)
    assert made.mean.shape == made.log_variance.shape == made.regressed.shape == (count, 8)
    (made.rebuilt.mean() + made.log_variance.mean()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
    used = net.objects.embedding.weight.grad
    assert used is not None
    assert set(used.abs().sum(1).nonzero()[:, 0].tolist()) == set(part["labels"][part["valid"]].tolist())


def test_judges_shapes_at_both_sizes() -> None:
    for size in (64, 128):
        config = replace(SMALL, size=size)
        assert ImageJudge(config)(torch.rand(2, 3, size, size)).shape == (2, 1, 4, 4)
        real, category = ObjectJudge(config)(torch.rand(3, 3, size // 2, size // 2))
        assert real.shape == (3,)
        assert category.shape == (3, 4)


def test_losses_against_closed_forms() -> None:
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4.0)]])
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, (0.5 * log_variance).exp()), normal(0.0, 1.0)).sum()
    torch.testing.assert_close(kl_divergence(mean, log_variance, 1), wanted)
    torch.testing.assert_close(kl_divergence(mean, log_variance, 2), wanted / 2)
    assert image_l1(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.25)) == pytest.approx(0.5)
    unsure = torch.zeros(5)
    assert judges_loss(unsure, unsure, unsure) == pytest.approx(2 * math.log(2))
    sure = torch.full((5,), 20.0)
    assert judges_loss(sure, -sure, -sure) < 1e-6 < fooling_loss(-sure, -sure)
    assert fooling_loss(sure, sure) < 1e-6


def test_weights_are_the_sources_and_switches_take_them_away() -> None:
    assert list(vars(LossWeights()).values()) == [0.01, 1, 10, 1, 1, 1]
    defaults = stage.Settings()
    assert all(getattr(defaults, name) == value for name, value in vars(LossWeights()).items())
    for name, terms in ABLATIONS.items():
        weights, fuser = ablated(name, LossWeights())
        assert {term for term, value in vars(weights).items() if value == 0} == set(terms)
        assert fuser == ("sum" if name == "sum-fuser" else "lstm")
    with pytest.raises(DraftConfigError, match="ablation"):
        ablated("no-such", LossWeights())


@pytest.mark.parametrize(
    ("change", "field"),
    [({"size": 100}, "size"), ({"fuser": "max"}, "fuser"), ({"grid": 3}, "grid"), ({"width": 9}, "w")],
)
def test_sizes_that_do_not_go_together_are_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(DraftConfigError, match=field):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_scores_against_closed_forms() -> None:
    assert inception_score(torch.eye(4)) == pytest.approx((4.0, 0.0))  # sure, and all classes alike
    assert inception_score(torch.full((6, 3), 1 / 3), splits=2) == pytest.approx((1.0, 0.0))
    with pytest.raises(ValueError, match="as many"):
        inception_score(torch.eye(2), splits=3)
    assert accuracy(torch.eye(4), torch.tensor([0, 1, 2, 0])) == 0.75
    assert chance(torch.tensor([0, 1, 1, 2])) == 0.5
    samples = [torch.full((2, 3, 4, 4), value) for value in (0.0, 0.5, 1.0)]
    spread = diversity(samples, lambda a, b: (a - b).abs().mean((1, 2, 3)))
    torch.testing.assert_close(spread, torch.full((2,), 2 / 3))
    with pytest.raises(ValueError, match="two drafts"):
        diversity(samples[:1], lambda a, b: a)
    text = table_text([Row("real", 3.0, 0.5, None), Row("drafts", 2.0, None, 0.25)])
    assert text.splitlines()[2:] == ["| real | 3.000 | 0.500 | - |", "| drafts | 2.000 | - | 0.250 |"]


def test_evaluation_has_the_real_row_and_any_networks() -> None:
    evaluator = Evaluator(toy_boxes(4, 32), 32, 5, 4, 2, None)
    evaluator.networks["classes"] = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), Softmax())
    evaluator.networks["distance"] = Apart()
    (real, drafts), further = evaluator.rows(network())
    assert (real.name, drafts.name) == ("real", "drafts")
    assert real.inception is not None
    assert drafts.inception is not None
    assert real.inception > drafts.inception > 1 - 1e-9  # untrained drafts all look alike
    assert real.diversity is None
    assert drafts.diversity is not None
    assert drafts.diversity > 0
    assert set(further) == {"rebuilt_l1", "chance", "shuffled", "uniform"}  # no classifier, so nothing is misplaced
    report = evaluator.report(network())
    assert report.score == report.scalars["rebuilt_l1"]
    assert report.pictures["drafts"].shape[2] == 3


def test_the_table_has_a_row_for_each_file(tmp_path: Path) -> None:
    evaluator = Evaluator(toy_boxes(3, 32), 32, 5, 3, 2, None)
    evaluator.networks["distance"] = Apart()
    full, summed = network(), network(replace(SMALL, fuser="sum"))
    files = {"full": tmp_path / "full.safetensors", "sum": tmp_path / "sum.safetensors"}
    save_weights(files["full"], full)
    save_weights(files["sum"], summed)
    rows = draft_table(evaluator, files).rows
    assert [row.name for row in rows] == ["real", "full", "sum"]
    (_, alone), _ = evaluator.rows(full)
    assert rows[1].diversity == alone.diversity != rows[2].diversity
    with pytest.raises(WeightsError, match=r"sum\.safetensors: is for 4 labels at 32 pixels, not 4 at 64"):
        draft_table(Evaluator(toy_boxes(3, 64), 64, 5, 3, 2, None), {"sum": files["sum"]})


class Softmax(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(20 * x, 1)


class Apart(torch.nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).abs().mean((1, 2, 3))


def run(folder: Path, name: str, steps: int, *words: str) -> list[dict[str, float]]:
    """Trains through the command; the lines of the curves."""
    config = train.Config(
        name,  # type: ignore[arg-type]
        folder,
        folder / name,
        steps=steps,
        batch=4,
        size=32,
        set=("kind=toy", *words),
        precision="32-true",
        threads=1,
        accelerator="cpu",
        evaluations=1,
        tensorboard=False,
        decay=0.9,
    )
    assert train.run(config) == 0
    return [json.loads(line) for line in (folder / name / "curves.jsonl").read_text().splitlines()]


def test_the_stage_learns_resumes_and_leaves_weights(tmp_path: Path) -> None:
    words = (*TINY, "rate=2e-3", "judge_rate=2e-3", "image_l1=10", "warm=10", "evaluated=8", "drawn=2")
    untrained = stage.build(settings_from(stage.Settings, ["kind=toy", *words]), DataOptions(tmp_path, size=32))
    with torch.no_grad():
        before = untrained.evaluate({name: m.eval() for name, m in untrained.modules.items()}).score
    run(tmp_path, "drafts", 24, *words)
    lines = run(tmp_path, "drafts", 48, *words)  # goes on
    scores = [line["rebuilt_l1"] for line in lines if "rebuilt_l1" in line]
    assert [line["step"] for line in lines if "rebuilt_l1" in line] == [24, 48]
    assert scores[-1] < 0.8 * before
    logged = [line for line in lines if "real_category" in line]
    assert logged[-1]["real_category"] < logged[0]["real_category"]
    assert set(TERMS) <= set(logged[0])
    last = sorted((tmp_path / "drafts" / "checkpoints").glob("step-*"))[-1]
    assert {"drafts.safetensors", "drafts.json"} <= {p.name for p in last.iterdir()}
    assert "ground" in (last / "checkpoint.json").read_text()
    assert list((tmp_path / "drafts" / "pictures").glob("*drafts*.png"))


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    """The judges' spectral normalisation has a state of its own, which has to come back too."""
    words = (*TINY, "width=8", "evaluated=1", "drawn=2")
    for name, stops in (("once", (6,)), ("twice", (3, 6))):
        (tmp_path / name).mkdir()
        for steps in stops:
            run(tmp_path / name, "drafts", steps, *words)
    once, twice = (
        load_file(sorted((tmp_path / name / "drafts" / "checkpoints").glob("step-*"))[-1] / "state.safetensors")
        for name in ("once", "twice")
    )
    assert set(once) == set(twice)
    assert any("image_judge" in name for name in once)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_the_classifier_learns_colours_and_judges_drafts(tmp_path: Path) -> None:
    run(tmp_path, "draft-classifier", 60, "width=8", "rate=5e-3", "warm=5", "evaluated=16")
    (weights, *_) = sorted((tmp_path / "draft-classifier" / "checkpoints").glob("step-*/classifier.safetensors"))
    evaluator = Evaluator(toy_boxes(16, 32, seed=1), 32, 5, 16, 2, None, str(weights))
    (real, drafts), further = evaluator.rows(network())
    assert real.accuracy is not None
    assert drafts.accuracy is not None
    assert real.accuracy > max(2 * further["chance"] - 0.25, drafts.accuracy)
    loaded = classifier.load_classifier(weights)
    assert loaded(torch.rand(2, 3, 16, 16)).shape == (2, 4)


@pytest.mark.parametrize("name", ["no-image-gan", "no-category", "no-object-gan"])
def test_an_ablated_term_is_not_asked_for(tmp_path: Path, name: str) -> None:
    settings = stage.Settings(
        kind="toy", latent=8, embedding=8, width=8, hidden=8, layers=1, judge_width=8, ablation=name
    )
    built = stage.build(settings, DataOptions(tmp_path, batch=2, size=32))
    (term,) = ABLATIONS[name]
    assert getattr(built.weights, term) == 0
    assert built.describe()["ablation"] == name


def test_batches_depend_on_step_and_rank_alone(tmp_path: Path) -> None:
    settings = stage.Settings(kind="toy", latent=8, embedding=8, width=8, hidden=8, layers=1, judge_width=8)
    first, second = (stage.build(settings, DataOptions(tmp_path, batch=3, size=32, seed=7)) for _ in range(2))
    second.batch(0, 0)
    a, b = first.batch(4, 1), second.batch(4, 1)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["image"], first.batch(4, 0)["image"])
    assert not torch.equal(a["image"], first.batch(5, 1)["image"])


def test_a_pass_in_bfloat16_is_finite() -> None:
    net, part = network().train(), toy_batch()
    noise = torch.randn(2, int(part["valid"].sum()), 8)
    with torch.autocast("cpu", torch.bfloat16):
        made = net(*(part[name] for name in ("image", "labels", "boxes", "valid")), *noise)
    (made.rebuilt.float().mean() + made.regressed.float().mean()).backward()
    assert all(bool(value.isfinite().all()) for value in made)
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in net.parameters())


def test_class_probabilities_of_known_networks(tmp_path: Path) -> None:
    inception = ClassProbabilities(Inception().eval(), torch.randn(5, 2048), torch.zeros(5), side=96).eval()
    with torch.no_grad():
        found = inception(torch.rand(1, 3, 32, 32))
    assert found.shape == (1, 5)
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)
    np.savez(tmp_path / "inception.npz", nothing=np.zeros(1))
    with pytest.raises(FeatureError, match=r"fc\.weight"):
        load_classes(tmp_path)


def test_squeezenet_knows_a_zebra(shared: Path) -> None:
    photo = shared / "data/photos/cocostuff/000000001818.jpg"
    words = (shared / "data/weights/imagenet_synset_words.txt").read_text().splitlines()
    with torch.no_grad():
        found = load_classes(shared / "data/weights")(image_tensor([read_image(photo)]))
    assert "zebra" in words[int(found.argmax())]
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)


def test_onnx_agrees_with_torch_for_any_number_of_objects(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="export needs onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    graph = DraftGraph(network(replace(SMALL, size=64))).eval()
    objects, drafts = torch.export.Dim("O", min=1, max=MOST_OBJECTS), torch.export.Dim("B", min=1, max=64)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            layout(3, 2),
            dynamo=True,
            opset_version=21,
            verbose=False,
            input_names=["labels", "boxes", "latents"],
            output_names=["drafts"],
            dynamic_shapes=({0: objects}, {0: objects}, {0: drafts, 1: objects}),
        )
    assert program is not None
    model = program.model_proto
    assert [node.op_type for node in model.graph.node].count("Scan") == 1
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for count, batch in ((1, 1), (2, 3), (8, 8), (MOST_OBJECTS, 2)):
        given = layout(count, batch)
        with torch.no_grad():
            wanted = graph(*given).numpy()
        names = ("labels", "boxes", "latents")
        (found,) = session.run(None, {name: value.numpy() for name, value in zip(names, given, strict=True)})
        assert found.shape == (batch, 3, 64, 64)
        assert float(np.abs(found - wanted).max()) < 1e-4


def layout(count: int, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    corner = torch.rand(count, 2, generator=generator) * 0.6
    labels = torch.randint(0, 4, (count,), generator=generator).int()
    return labels, torch.cat([corner, corner + 0.35], 1), torch.randn(batch, count, 8, generator=generator)


def test_the_graph_draws_what_the_network_draws() -> None:
    net = network()
    labels, boxes, latents = layout(3, 2)
    both = net.draft(
        labels.long().expand(2, 3), boxes.expand(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), latents.reshape(6, 8)
    )
    torch.testing.assert_close(DraftGraph(net)(labels, boxes, latents), both)

"""Small networks with all the parts of the real ones, and the bundle made of them; once for all tests here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NEEDED = ("torch", "onnx", "onnxscript", "safetensors")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights of small, untrained networks."""
    for package in NEEDED:
        pytest.importorskip(package, reason="the extra `export` is not installed")
    import torch

    from layoutbrush.training.models.completion import CompletionNetwork
    from layoutbrush.training.models.refine import Refine, RefineConfig
    from layoutbrush.training.models.segmentation import SegmentationNetwork
    from layoutbrush.training.models.visual_semantic import VisualSemanticEncoder
    from layoutbrush.training.trainer.weights import save_weights

    torch.manual_seed(0)
    trunk: dict[str, Any] = {"channels": [4, 6, 8, 8], "blocks": [0, 1, 0, 0]}
    encoder = VisualSemanticEncoder(**trunk)
    config = RefineConfig(
        embedding=3,
        encoder=(8, 10, 12),
        coarse=(12, 10, 8),
        fine=(12, 10, 8),
        dilations=(2,),
        semantic=encoder.channels,
        detail=4,
    )
    folder = tmp_path_factory.mktemp("checkpoints")
    save_weights(folder / "warp.safetensors", _small_warp())
    save_weights(folder / "refine.safetensors", Refine(config, encoder))
    network = SegmentationNetwork(labels=15, context=8, decoder=(8, 8, 6), dilations=(2,), trunk=trunk)
    save_weights(folder / "segmentation.safetensors", network)
    completion = CompletionNetwork(stem=4, widths=(8, 8, 8), dilations=(1, 2))
    torch.nn.init.normal_(completion.head.weight, std=0.5)  # new ones start at zero
    save_weights(folder / "completion.safetensors", completion)
    return folder


def _small_warp() -> Any:
    """One or two rounds a scale, few channels; long enough a search that both schedules end up alike."""
    from layoutbrush.training.models.sparse_attention import (
        Round,
        ScalePlan,
        SparseAttentionConfig,
        SparseAttentionNetwork,
    )

    coarse = Round(windows=(0, 8, 4, 2), particles=2, samples=4, gamma=40.0, votes=2)
    fine = Round(windows=(0, 4, 2), particles=2, reach=1, votes=2)
    plans = (
        ScalePlan(8, patch=8, learned=4, rounds=(coarse, fine)),
        ScalePlan(4, patch=8, learned=4, rounds=(fine,)),
        ScalePlan(2, patch=8, learned=4, rounds=(fine,)),
        ScalePlan(1, patch=8, learned=0, rounds=(fine,)),
    )
    return SparseAttentionNetwork(SparseAttentionConfig(pyramid_width=4, plans=plans))


@pytest.fixture(scope="session")
def bundle(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that `layoutbrush export` makes of the small networks."""
    from layoutbrush.export.commands.export import Config, run

    folder = tmp_path_factory.mktemp("bundles") / "small"
    assert run(Config(checkpoints, folder, name="small", version="3.1")) == 0
    return folder

"""The modules behind the four graphs, from weight files.

A folder of weights holds `warp.safetensors`, `refine.safetensors` and `segmentation.safetensors`, each with its `.json`
(`training.trainer.weights`). What is absent gives no graph; `encode_image` and `warp` are two faces of one network.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from layoutbrush.export.fields import from_fields
from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork
from layoutbrush.training.trainer.files import read_json
from layoutbrush.training.trainer.weights import WeightsError, load_weights, stored_arguments

WARP_FILE, REFINE_FILE, SEGMENT_FILE = "warp.safetensors", "refine.safetensors", "segmentation.safetensors"


class EncodeImage(nn.Module):
    """The graph `encode_image` of a sparse attention network."""

    def __init__(self, network: SparseAttentionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, layout: Tensor) -> tuple[Tensor, ...]:
        """image (B, 3, H, W), layout (B, H, W) -> keys at 1/8, 1/4, 1/2 and 1, channels last."""
        return self.network.encode_image(image, layout)


def load_networks(folder: Path) -> dict[str, nn.Module]:
    """The modules by graph, from a folder of weights or of runs (see `weight_file`).

    Raises:
        FileNotFoundError: the folder holds no weights.
        WeightsError: a file does not fit its network.
    """
    modules: dict[str, nn.Module] = {}
    if (path := weight_file(folder, WARP_FILE)) is not None:
        modules |= sparse_attention_graphs(load_sparse_attention(path))
    if (path := weight_file(folder, REFINE_FILE)) is not None:
        from layoutbrush.training.models.refine_file import load_refine

        modules["refine"] = load_refine(path)
    if (path := weight_file(folder, SEGMENT_FILE)) is not None:
        modules["segment"] = load_segment(path)
    if not modules:
        raise FileNotFoundError(f"{folder} holds none of {WARP_FILE}, {REFINE_FILE}, {SEGMENT_FILE}")
    return {name: module.eval() for name, module in modules.items()}


def weight_file(folder: Path, name: str) -> Path | None:
    """The weight file in the folder itself, or that of the best checkpoint (else the last) of a run below it.

    Runs lie at `<folder>/<any>/checkpoints`; the first by name that has the module counts.
    """
    if (folder / name).is_file():
        return folder / name
    for checkpoints in sorted({folder / "checkpoints", *folder.glob("*/checkpoints")}):
        for pointer in (checkpoints / "best.json", checkpoints / "last.json"):
            if pointer.is_file():
                path = checkpoints / str(read_json(pointer)["checkpoint"]) / name
                if path.is_file():
                    return path
    return None


def sparse_attention_graphs(network: SparseAttentionNetwork) -> dict[str, nn.Module]:
    """The two graphs of one network."""
    return {"encode_image": EncodeImage(network), "warp": network}


def load_sparse_attention(path: Path) -> SparseAttentionNetwork:
    """A sparse attention network from its weight file. Raises WeightsError."""
    arguments = stored_arguments(path)
    try:
        config = from_fields(SparseAttentionConfig, arguments.get("config", arguments))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path.with_suffix('.json').name}: {error}") from error
    network = SparseAttentionNetwork(config)
    load_weights(path, network)
    return network


def load_segment(path: Path) -> nn.Module:
    """The graph `segment` from the weight file of its network. Raises WeightsError."""
    from layoutbrush.training.models.segmentation import Segment, SegmentationNetwork

    network = SegmentationNetwork(**stored_arguments(path))
    load_weights(path, network)
    return Segment(network)

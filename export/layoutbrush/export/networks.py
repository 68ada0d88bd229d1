"""The modules behind the graphs, from weight files.

A folder of weights holds `warp.safetensors`, `refine.safetensors`, `segmentation.safetensors` and
`completion.safetensors`, each with its `.json` (`training.trainer.weights`). What is absent gives no graph;
`encode_image`, `warp_coarse` and `warp_fine` are three faces of one network.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from layoutbrush.training.models.sparse_attention import Keys, Layout, Query, SparseAttentionNetwork, finished
from layoutbrush.training.models.sparse_attention_file import load_sparse_attention
from layoutbrush.training.trainer.files import read_json
from layoutbrush.training.trainer.weights import load_module

WARP_FILE, REFINE_FILE, SEGMENT_FILE = "warp.safetensors", "refine.safetensors", "segmentation.safetensors"
COMPLETE_FILE = "completion.safetensors"


class Face(nn.Module):
    """A graph of a sparse attention network."""

    def __init__(self, network: SparseAttentionNetwork) -> None:
        super().__init__()
        self.network = network


class EncodeImage(Face):
    """The graph `encode_image`."""

    def forward(self, image: Tensor, layout: Tensor) -> tuple[Tensor, ...]:
        """image (B, 3, H, W), layout (B, H, W) -> keys at 1/8, 1/4, 1/2 and 1, channels last; labels."""
        return (*self.network.encode_image(image, layout), *self.network.key_labels(layout))


class WarpCoarse(Face):
    """The graph `warp_coarse`: the scales 1/8 and 1/4."""

    def forward(
        self,
        view: Tensor,
        edited: Tensor,
        mask: Tensor,
        known: Tensor,
        place: Tensor,
        image: Tensor,
        layout: Tensor,
        source: Tensor,
        labels_8: Tensor,
        labels_4: Tensor,
        keys_8: Tensor,
        keys_4: Tensor,
        seed: Tensor,
    ) -> tuple[Tensor, ...]:
        """See `graphs.WARP_COARSE` and `sparse_attention.Query`, `Keys`, `Layout`."""
        keys = Keys(image, source, {8: labels_8, 4: labels_4, 1: layout}, {8: keys_8, 4: keys_4})
        found, made = self.network.coarse(Query(view, edited, mask, known, place), keys, seed)
        return found.image, found.keys, found.scores, made.labels, made.steering, made.half, made.quarter


class WarpFine(Face):
    """The graph `warp_fine`: the scales 1/2 and 1."""

    def forward(
        self,
        view: Tensor,
        mask: Tensor,
        place: Tensor,
        image: Tensor,
        layout: Tensor,
        source: Tensor,
        labels_2: Tensor,
        keys_2: Tensor,
        keys_1: Tensor,
        estimate: Tensor,
        matches: Tensor,
        scores: Tensor,
        filled: Tensor,
        steering: Tensor,
        half: Tensor,
        quarter: Tensor,
        seed: Tensor,
    ) -> tuple[Tensor, ...]:
        """See `graphs.WARP_FINE`."""
        query = Query(view, filled, mask, ~mask, place)
        keys = Keys(image, source, {2: labels_2, 1: layout}, {2: keys_2, 1: keys_1})
        made = Layout(filled, steering, half, quarter)
        return finished(query, self.network.fine(query, keys, made, (estimate, matches, scores), seed))


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
        from layoutbrush.training.models.segmentation import Segment, SegmentationNetwork

        modules["segment"] = Segment(load_module(path, SegmentationNetwork))
    if (path := weight_file(folder, COMPLETE_FILE)) is not None:
        from layoutbrush.training.models.completion import Complete, CompletionNetwork

        modules["complete"] = Complete(load_module(path, CompletionNetwork))
    if not modules:
        raise FileNotFoundError(f"{folder} holds none of {WARP_FILE}, {REFINE_FILE}, {SEGMENT_FILE}, {COMPLETE_FILE}")
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
    """The three graphs of one network."""
    return {"encode_image": EncodeImage(network), "warp_coarse": WarpCoarse(network), "warp_fine": WarpFine(network)}

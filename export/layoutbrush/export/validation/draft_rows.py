"""The graph `draft`: torch and ONNX Runtime on the same layouts of 1 to 30 objects."""

from __future__ import annotations

import numpy as np
import onnx
import torch

from layoutbrush.export.drafting import DRAFT, draft_example
from layoutbrush.export.half import has_half_weights, round_weights
from layoutbrush.export.validation.backends import BODY, TORCH, open_session
from layoutbrush.export.validation.rows import Row, merged
from layoutbrush.export.validation.tolerances import PICTURE
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.training.drafts.config import MOST_OBJECTS
from layoutbrush.training.drafts.generator import DraftNetwork
from layoutbrush.training.drafts.graph import DraftGraph


def draft_rows(bundle: Bundle, network: DraftNetwork | None, threads: int = 0) -> list[Row]:
    """One row: the worst pixel over all numbers of objects; skipped without the network that the bundle is made of."""
    pair = f"{TORCH} / {BODY}"
    if network is None:
        return [Row(DRAFT.name, pair, PICTURE, skipped="no checkpoint was given")]
    model = onnx.load_from_string(bundle.read_graph(DRAFT.name))
    graph = DraftGraph(network).eval()
    if has_half_weights(model):
        round_weights(graph)
    session = open_session(model, library=False, threads=threads)
    rows = []
    for objects in range(1, MOST_OBJECTS + 1):
        given = draft_example(network.config, objects, drafts=2, seed=objects)
        with torch.no_grad():
            wanted = graph(*(torch.from_numpy(value) for value in given.values())).numpy()
        (found,) = session.run(None, given)
        worst = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else float("nan")
        rows.append(Row(DRAFT.name, pair, PICTURE, worst, 1))
    return merged(rows)

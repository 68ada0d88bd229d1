"""KeyIndexSampling as a torch op: the forward search of the sparse attention (US 11,636,570 B2, Algorithm 1).

The search has no gradient. `scores.key_scores` recomputes the scores of the keys it found, so that gradients
reach the features of both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from layoutbrush.training.ops import backend, on_cuda

SCHEMA = (
    "(Tensor query, Tensor key, Tensor query_labels, Tensor key_labels, "
    "Tensor? query_mask, Tensor? key_mask, Tensor? init, Tensor? seed, "
    "int particles, int[] windows, int samples, int[] strides, int propagations, "
    "float label_penalty, float scale, int ignore_label, int keep, str schedule) -> (Tensor, Tensor)"
)


@torch.library.custom_op("layoutbrush::key_index_sampling", mutates_args=(), schema=SCHEMA)
def key_index_sampling_op(
    query: Tensor,
    key: Tensor,
    query_labels: Tensor,
    key_labels: Tensor,
    query_mask: Tensor | None,
    key_mask: Tensor | None,
    init: Tensor | None,
    seed: Tensor | None,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int,
    label_penalty: float,
    scale: float,
    ignore_label: int,
    keep: int,
    schedule: str,
) -> tuple[Tensor, Tensor]:
    """The bare op; `key_index_sampling` is the function to call."""
    if query.is_cuda and on_cuda.usable():
        attributes = on_cuda.SamplingAttributes(
            particles, windows, samples, strides, propagations, label_penalty, scale, ignore_label, keep
        )
        return on_cuda.key_index_sampling(
            query, key, query_labels, key_labels, query_mask, key_mask, init, seed, attributes
        )
    module, how = backend.implementation()
    keys, scores = module.key_index_sampling(
        backend.view(query),
        backend.view(key),
        backend.view(query_labels),
        backend.view(key_labels),
        query_mask=backend.optional_view(query_mask),
        key_mask=backend.optional_view(key_mask),
        init=backend.optional_view(init),
        seed=0 if seed is None else int(seed.reshape(-1)[0]),
        particles=particles,
        windows=list(windows),
        samples=samples,
        strides=list(strides),
        propagations=propagations,
        label_penalty=label_penalty,
        scale=scale,
        ignore_label=ignore_label,
        keep=keep,
        schedule=backend.schedule_in_force(schedule),
        **how,
    )
    return backend.tensor_of(keys, query), backend.tensor_of(scores, query)


@key_index_sampling_op.register_fake
def _(
    query: Tensor,
    key: Tensor,
    query_labels: Tensor,
    key_labels: Tensor,
    query_mask: Tensor | None,
    key_mask: Tensor | None,
    init: Tensor | None,
    seed: Tensor | None,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int,
    label_penalty: float,
    scale: float,
    ignore_label: int,
    keep: int,
    schedule: str,
) -> tuple[Tensor, Tensor]:
    batch, height, width, _ = query.shape
    shape = (batch, keep, height, width, particles)
    return query.new_empty(shape, dtype=torch.int32), query.new_empty(shape, dtype=torch.float32)


def key_index_sampling(
    query: Tensor,
    key: Tensor,
    query_labels: Tensor,
    key_labels: Tensor,
    *,
    query_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    init: Tensor | None = None,
    seed: int | Tensor | None = None,
    particles: int,
    windows: Sequence[int],
    samples: int,
    strides: Sequence[int],
    propagations: int = 1,
    label_penalty: float,
    scale: float,
    ignore_label: int = 255,
    keep: int = 1,
    schedule: str = "fast",
) -> tuple[Tensor, Tensor]:
    """Finds the best keys of every query by random search and propagation.

    Args:
        query: (B, H, W, C) float features of the picture to be made; any float dtype, computed in float32.
        key: (B, Hk, Wk, C) float features of the picture to copy from; its grid may differ in size.
        query_labels: (B, H, W) int32 label ids.
        key_labels: (B, Hk, Wk) int32 label ids.
        query_mask: (B, H, W) bool, True where keys are wanted; None means everywhere.
        key_mask: (B, Hk, Wk) bool, True where a key may be copied from; None means everywhere.
        init: (B, H, W, L) int32 first candidates, packed `y << 16 | x` in the key grid.
        seed: of the random numbers: an int, or a (1,) int32 tensor where a graph takes it at run time.
        particles: M, keys kept a query, 1 to 16.
        windows: N half-widths of the sampling window, one an iteration, in pixels; 0 samples nothing.
        samples: random candidates a query and iteration.
        strides: N * propagations strides of the propagation passes, in pixels.
        propagations: propagation passes an iteration.
        label_penalty: subtracted from the score where labels differ (>= 0).
        scale: features are quantised as round(v * scale) to [-127, 127].
        ignore_label: a query label that differs from none.
        keep: K, how many of the last iterations to return.
        schedule: `jump_flood` (bit-exact on every backend) or `fast` (the backend's best).

    Returns:
        keys (B, K, H, W, M) int32, packed, best first; scores (B, K, H, W, M) float32. No gradients. A slot
        without a key scores -1e4; a query outside `query_mask` has its own coordinate and score 0.
    """
    if isinstance(seed, int):
        seed = torch.tensor([seed], dtype=torch.int32)
    keys, scores = key_index_sampling_op(
        query.detach().float(),
        key.detach().float(),
        query_labels,
        key_labels,
        query_mask,
        key_mask,
        init,
        seed,
        particles,
        list(windows),
        samples,
        list(strides),
        propagations,
        label_penalty,
        scale,
        ignore_label,
        keep,
        schedule,
    )
    return keys, scores

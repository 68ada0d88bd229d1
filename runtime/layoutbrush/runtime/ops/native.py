"""The native kernels, through ctypes; arrays in, arrays out, the GIL released while they run.

Every function raises NativeUnavailable where the library is missing (see `library`), and OpError for arguments it
refuses. `threads` = 0 takes LAYOUTBRUSH_NUM_THREADS, else the number of cores; results never depend on it. `isa` forces
a variant: "portable", "avx2" or "avx512".
"""

from __future__ import annotations

from collections.abc import Sequence

from layoutbrush.runtime.ops import library
from layoutbrush.runtime.ops.arguments import F32, I32, Mask, check_sampling, check_warp
from layoutbrush.runtime.ops.errors import NativeUnavailable, OpError
from layoutbrush.runtime.ops.library import library_path

__all__ = [
    "available", "best_isa", "key_index_sampling", "library_path", "sparse_attention_warp",
    "sparse_attention_warp_backward", "supported_isas",
]  # fmt: skip


def available() -> bool:
    """Whether the native library is there and loads."""
    try:
        library.load()
    except NativeUnavailable:
        return False
    return True


def supported_isas() -> tuple[str, ...]:
    """The variants that this machine can run, slowest first."""
    loaded = library.load()
    found = range(loaded.lb_isa_count())
    return tuple(loaded.lb_isa_name(i).decode() for i in found if loaded.lb_isa_supported(i))


def best_isa() -> str:
    """The variant used when none is forced."""
    loaded = library.load()
    name: bytes = loaded.lb_isa_name(loaded.lb_isa_best())
    return name.decode()


def key_index_sampling(
    query: F32,
    key: F32,
    query_labels: I32,
    key_labels: I32,
    *,
    query_mask: Mask | None = None,
    key_mask: Mask | None = None,
    init: I32 | None = None,
    seed: int = 0,
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
    threads: int = 0,
    isa: str | None = None,
) -> tuple[I32, F32]:
    """KeyIndexSampling; shapes and rules as in `reference.key_index_sampling`."""
    call = check_sampling(
        query, key, query_labels, key_labels, query_mask=query_mask, key_mask=key_mask, init=init, seed=seed,
        particles=particles, windows=windows, samples=samples, strides=strides, propagations=propagations,
        label_penalty=label_penalty, scale=scale, ignore_label=ignore_label, keep=keep, schedule=schedule,
    )  # fmt: skip
    return library.sample("lb_key_index_sampling", call, threads, _isa_index(isa))


def sparse_attention_warp(
    values: F32,
    keys: I32,
    scores: F32,
    *,
    query_mask: Mask | None = None,
    gamma: float,
    reach: int = 0,
    threads: int = 0,
    isa: str | None = None,
) -> F32:
    """SparseAttentionWarp; shapes and rules as in `reference.sparse_attention_warp`."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    return library.warp("lb_sparse_attention_warp", call, threads, _isa_index(isa))


def sparse_attention_warp_backward(
    grad: F32,
    values: F32,
    keys: I32,
    scores: F32,
    *,
    query_mask: Mask | None = None,
    gamma: float,
    reach: int = 0,
    threads: int = 0,
) -> tuple[F32, F32]:
    """Gradients of a loss for values and scores, from its gradient for the warped values (B, H, W, V)."""
    call = check_warp(values, keys, scores, query_mask=query_mask, gamma=gamma, reach=reach)
    return library.warp_backward("lb_sparse_attention_warp_backward", call, grad, threads)


def _isa_index(isa: str | None) -> int:
    if isa is None:
        return -1
    loaded = library.load()
    names = [loaded.lb_isa_name(i).decode() for i in range(loaded.lb_isa_count())]
    if isa not in names:
        raise OpError("isa", f"must be one of {', '.join(names)}")
    return names.index(isa)

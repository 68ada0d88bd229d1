"""`layoutbrush bench ops`: both ops on this machine, beside every peer that is installed, in one run.

Peers register a module in the entry-point group `layoutbrush.bench_peers`; it has a NAME and a function
`key_index_sampling` (see `Peer`) or, for both ops in one, `dense_attention` (see `DensePeer`). The peer of
SparseAttentionWarp is ONNX Runtime's own DeformConv, given offsets and softmax weights ready made.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from layoutbrush.runtime.ops import native
from layoutbrush.runtime.ops.arguments import F32, I32
from layoutbrush.runtime.ops.scenes import Scene, exact_best, make_scene

Row = dict[str, object]
_R = TypeVar("_R")

SIZE, CHANNELS, PARTICLES, SAMPLES = 512, 64, 4, 4
WINDOWS = (0, SIZE // 4, SIZE // 8, SIZE // 16, SIZE // 32, SIZE // 64)
STRIDES = (1, 32, 16, 8, 4, 1)
LABEL_PENALTY, SCALE, GAMMA = 0.3, 127 / 0.45, 50.0
CHECKED_QUERIES = 2048
LEAN_CHANNELS = 16
"""Channels where the cost of a query is followed over sizes: features of 4096 x 4096 are a gigabyte in float32."""
DENSE_SIZES = (64, 128, 256)
"""Pixels a side at which all keys can be scored in seconds; at 512 it is 17 TFLOP."""


class Peer(Protocol):
    """Another way to search the same scene; gives keys (H, W, M) packed and scores (H, W, M)."""

    NAME: str

    def key_index_sampling(
        self, query: F32, key: F32, query_labels: I32, key_labels: I32, **attributes: Any
    ) -> tuple[I32, F32]: ...


class DensePeer(Protocol):
    """Attention with all keys: query, key (1, H, W, C) and values (1, H, W, 3) to (1, H, W, 3)."""

    NAME: str

    def dense_attention(self, query: F32, key: F32, values: F32, gamma: float) -> F32: ...


def rows(threads: int = 0, repeats: int = 5) -> Iterator[Row]:
    """Measures and yields one row at a time: op, what ran, median in ms, how many times slower than the first row of
    its op, and mean best similarity relative to exact nearest neighbours where there is one."""
    scene = make_scene(SIZE, SIZE, CHANNELS)
    yield from sampling_rows(scene, threads, repeats)
    yield from warp_rows(scene, threads, repeats)
    yield from dense_rows(threads, repeats)


def sampling_rows(scene: Scene, threads: int, repeats: int) -> Iterator[Row]:
    """KeyIndexSampling: both schedules, every instruction set, a mask, and the peers."""
    checked = np.random.default_rng(1).choice(SIZE * SIZE, CHECKED_QUERIES, replace=False)
    exact = float(exact_best(scene, checked, label_penalty=LABEL_PENALTY, scale=SCALE).mean())
    base = 0.0
    mask = scene.rectangle(0.1)
    variants: list[tuple[str, Mapping[str, Any]]] = [
        ("native, fast", {}),
        ("native, fast, 10 % of the queries", {"query_mask": mask}),
        *((f"native, fast, {isa}", {"isa": isa}) for isa in native.supported_isas()),
        ("native, jump_flood", {"schedule": "jump_flood"}),
    ]
    for name, how in variants:
        found, took = _timed(partial(search, scene, threads=threads, **how), repeats)
        base = base or took
        best = found[1][0, 0, ..., 0].reshape(-1)[checked]
        quality = None if "query_mask" in how else float(best.mean()) / exact
        yield _row("KeyIndexSampling", name, took, base, quality)
    for peer in peers():
        attributes: dict[str, Any] = {
            "particles": PARTICLES,
            "windows": WINDOWS,
            "samples": SAMPLES,
            "label_penalty": LABEL_PENALTY,
        }
        arrays = (scene.query, scene.key, scene.query_labels, scene.key_labels)
        with _torch_threads(threads):
            (_, scores), took = _timed(partial(peer.key_index_sampling, *arrays, **attributes), 1, warm=False)
        yield _row("KeyIndexSampling", peer.NAME, took, base, float(scores[..., 0].reshape(-1)[checked].mean()) / exact)


def warp_rows(scene: Scene, threads: int, repeats: int) -> Iterator[Row]:
    """SparseAttentionWarp on three channels and all N * M keys, and DeformConv on the same."""
    keys, scores = search(scene, threads=threads, keep=len(WINDOWS))
    values = np.random.default_rng(2).random((1, SIZE, SIZE, 3), np.float32)
    base = 0.0
    for reach in (0, 1):
        run = partial(native.sparse_attention_warp, values, keys, scores, gamma=GAMMA, reach=reach, threads=threads)
        _, took = _timed(run, repeats)
        base = base or took
        yield _row("SparseAttentionWarp", f"native, {keys.shape[1] * keys.shape[4]} keys, reach {reach}", took, base)
    yield from _deform_conv_rows(values, keys, scores, threads, repeats, base)


def scaling_rows(sizes: Sequence[int], threads: int, repeats: int) -> Iterator[Row]:
    """KeyIndexSampling at several sizes: what one query costs, beside the smallest size. What doesn't fit into memory
    is skipped by name."""
    base = 0.0
    for size in sorted(sizes):
        name = f"native, fast, {size} x {size}, {LEAN_CHANNELS} channels"
        needed = 14 * size * size * LEAN_CHANNELS  # two sides in float32, two in bytes, and keys with their scores
        if needed > _free_bytes():
            yield {"op": "KeyIndexSampling", "what": name, "skipped": f"needs {needed / 1e9:.0f} GB of free memory"}
            continue
        scene = _tiled(size)
        windows = tuple(size // (SIZE // window) if window else 0 for window in WINDOWS)
        _, took = _timed(partial(search, scene, threads=threads, windows=windows), repeats)
        each = took / size**2
        base = base or each
        cost = {"ns a query": round(1e9 * each, 1), "size": size}
        yield {**_row("KeyIndexSampling", name, took, took), "times": round(each / base, 2), **cost}


def dense_rows(threads: int, repeats: int) -> Iterator[Row]:
    """Both ops together beside attention with all keys, where that fits."""
    peers = [cast(DensePeer, module) for module in _registered("dense_attention")]
    for size in DENSE_SIZES if peers else ():
        scene = make_scene(size, size, CHANNELS)
        values = np.random.default_rng(2).random((1, size, size, 3), np.float32)
        windows = tuple(size // (SIZE // window) if window else 0 for window in WINDOWS)

        def sparse(scene: Scene = scene, values: F32 = values, windows: tuple[int, ...] = windows) -> F32:
            keys, scores = search(scene, threads=threads, keep=len(windows), windows=windows)
            return native.sparse_attention_warp(values, keys, scores, gamma=GAMMA, threads=threads)

        _, base = _timed(sparse, repeats)
        yield {**_row("both", f"native, {size} x {size}", base, base), "size": size}
        for peer in peers:
            with _torch_threads(threads):
                run = partial(peer.dense_attention, scene.query, scene.key, values, GAMMA)
                _, took = _timed(run, 1 if size > DENSE_SIZES[0] else repeats)
            yield {**_row("both", f"{peer.NAME}, {size} x {size}", took, base), "size": size}


def _tiled(size: int) -> Scene:
    """A scene of any size out of smaller ones side by side: made in seconds, as hard on the caches."""
    side = min(size, 256)
    small, times = make_scene(side, side, LEAN_CHANNELS), -(-size // side)

    def wide(values: np.ndarray) -> np.ndarray:
        tiles = (1, times, times) + (1,) * (values.ndim - 3)
        return np.ascontiguousarray(np.tile(values, tiles)[:, :size, :size])

    return Scene(*(wide(part) for part in (small.query, small.key, small.query_labels, small.key_labels)))


def _free_bytes() -> float:
    """Memory that can be had, bytes; without limit where the system doesn't say."""
    try:
        about = Path("/proc/meminfo").read_text()
    except OSError:
        return float("inf")
    found = re.search(r"MemAvailable:\s+(\d+) kB", about)
    return 1024.0 * int(found.group(1)) if found else float("inf")


def search(scene: Scene, **how: Any) -> tuple[I32, F32]:
    """The search that is measured, on a scene."""
    return native.key_index_sampling(
        scene.query, scene.key, scene.query_labels, scene.key_labels, particles=PARTICLES,
        **{"windows": WINDOWS, **how}, samples=SAMPLES, strides=STRIDES, label_penalty=LABEL_PENALTY, scale=SCALE,
    )  # fmt: skip


def peers() -> Iterator[Peer]:
    """The registered peers of KeyIndexSampling whose packages are installed."""
    return (cast(Peer, module) for module in _registered("key_index_sampling"))


def _registered(function: str) -> Iterator[object]:
    """The registered modules that have such a function and whose packages are installed."""
    for entry in entry_points(group="layoutbrush.bench_peers"):
        try:
            module = entry.load()
        except ImportError:  # an extra that is not installed: nothing to compare with
            continue
        if hasattr(module, function):
            yield module


def _row(op: str, what: str, took: float, base: float, quality: float | None = None) -> Row:
    return {
        "op": op,
        "what": what,
        "ms": round(took * 1e3, 2),
        "times": round(took / base, 2),
        "of exact": None if quality is None else round(quality, 4),
    }


def _timed(run: Callable[[], _R], repeats: int, *, warm: bool = True) -> tuple[_R, float]:
    """The last result and the median of the seconds that the runs took."""
    if warm:
        run()
    seconds = []
    for _ in range(max(1, repeats)):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return result, float(np.median(seconds))


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """Gives torch, where a peer has loaded it, the same threads for a while."""
    torch = sys.modules.get("torch")
    if torch is None or threads <= 0:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _deform_conv_rows(values: F32, keys: I32, scores: F32, threads: int, repeats: int, base: float) -> Iterator[Row]:
    try:
        from onnx import helper
    except ImportError:  # comes with the extra `export`
        return
    import onnxruntime as ort

    count = keys.shape[1] * keys.shape[4]
    attributes: dict[str, Any] = {"kernel_shape": [count, 1], "pads": [0, 0, count - 1, 0], "group": 3}
    node = helper.make_node("DeformConv", ["x", "w", "offset", "", "mask"], ["y"], **attributes)
    inputs = [helper.make_tensor_value_info(name, 1, [None] * 4) for name in ("x", "w", "offset", "mask")]
    graph = helper.make_graph([node], "deform", inputs, [helper.make_tensor_value_info("y", 1, [None] * 4)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = _deform_conv_inputs(values, keys, scores, count)
    (output,), took = _timed(lambda: session.run(None, feeds), repeats)
    expected = native.sparse_attention_warp(values, keys, scores, gamma=GAMMA, threads=threads)
    difference = float(np.abs(output.transpose(0, 2, 3, 1) - expected).max())
    yield _row("SparseAttentionWarp", f"ONNX Runtime DeformConv, same picture within {difference:.0e}", took, base)


def _deform_conv_inputs(values: F32, keys: I32, scores: F32, count: int) -> dict[str, F32]:
    """The keys as offsets of a kernel of `count` x 1 taps, and their softmax weights as its mask."""
    height, width = keys.shape[2:4]
    flat = np.moveaxis(keys, 1, 3).reshape(height, width, count).transpose(2, 0, 1)
    weight = np.moveaxis(scores, 1, 3).reshape(height, width, count).transpose(2, 0, 1)
    weight = np.exp(GAMMA * (weight - weight.max(axis=0)))
    y, x = np.mgrid[:height, :width]
    offset = np.empty((1, 2 * count, height, width), np.float32)
    offset[0, 0::2] = (flat >> 16) - y - np.arange(count)[:, None, None]
    offset[0, 1::2] = (flat & 0xFFFF) - x
    return {
        "x": np.ascontiguousarray(values.transpose(0, 3, 1, 2)),
        "w": np.ones((3, 1, count, 1), np.float32),
        "offset": offset,
        "mask": (weight / weight.sum(axis=0)).astype(np.float32)[None],
    }

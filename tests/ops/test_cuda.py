"""The CUDA side of the ops: compiled for many cards on any machine, run where there is a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layoutbrush.runtime.ops import native
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import SPARSE_ATTENTION_WARP
from layoutbrush.runtime.ops.cuda import sampling
from layoutbrush.runtime.ops.cuda.compiling import compile_kernels, quads_for
from layoutbrush.runtime.ops.errors import CudaUnavailable, OpError
from layoutbrush.runtime.ops.reference import key_index_sampling, sparse_attention_warp, sparse_attention_warp_backward

KERNELS = {"quantise", "start", "pass", "write", "warp_forward", "warp_backward"}


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """NVRTC with an empty cache; gives the cache's folder."""
    pytest.importorskip("cuda.bindings.nvrtc", reason="cuda: cuda-bindings is not installed")
    if not native.available():
        pytest.skip("cuda: the native library, and with it the sources, is not installed")
    monkeypatch.setenv("LAYOUTBRUSH_CACHE", str(tmp_path / "cache"))
    compile_kernels.cache_clear()
    try:
        compile_kernels("sm_80", 1, 1)
    except CudaUnavailable as error:
        pytest.skip(f"cuda: {error}")
    return tmp_path / "cache"


@pytest.mark.parametrize("architecture", ["sm_80", "sm_86", "sm_89", "sm_90", "sm_120"])
def test_kernels_compile_for_the_architecture(compiler: Path, architecture: str) -> None:
    kernels = compile_kernels(architecture, 4, 4)
    assert kernels.image.startswith(b"\x7fELF")
    assert set(kernels.names) == KERNELS
    assert all(name.encode() in kernels.image for name in kernels.names.values())


def test_the_cache_answers_the_second_time_and_is_private(compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_kernels("sm_90", 2, 8)
    folder = compiler / "kernels"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    compile_kernels.cache_clear()
    monkeypatch.setattr("layoutbrush.runtime.ops.cuda.compiling._compiled", None)  # calling it would fail
    assert compile_kernels("sm_90", 2, 8) == first


def test_a_cache_that_others_may_write_to_is_not_read(compiler: Path) -> None:
    before = compile_kernels("sm_90", 2, 8)
    (compiler / "kernels").chmod(0o777)
    for file in (compiler / "kernels").glob("*.cubin"):
        file.write_bytes(b"not ours")
    compile_kernels.cache_clear()
    assert compile_kernels("sm_90", 2, 8) == before


def test_an_unknown_architecture_is_refused(compiler: Path) -> None:
    with pytest.raises(CudaUnavailable, match="sm_12"):
        compile_kernels("sm_12", 4, 4)


def test_sizes_outside_the_contract_are_refused() -> None:
    for particles, quads in ((0, 4), (17, 4), (4, 3)):
        with pytest.raises(OpError):
            compile_kernels("sm_90", particles, quads)


def test_rows_and_working_memory_hold_a_call() -> None:
    assert [quads_for(channels) for channels in (1, 16, 17, 33, 64, 65, 128)] == [1, 1, 2, 4, 4, 8, 8]
    sizes = sampling.Sizes(batch=2, height=3, width=5, key_height=7, key_width=11, channels=20)
    least = 2 * (15 + 77) * 32 + 2 * 2 * 15 * 4 * 8  # rows of 32 bytes, and two states of 8 bytes a particle
    assert least <= sampling.workspace_bytes(sizes, 4) <= least + 4 * 255


def _on_the_card(array: Any) -> Any:
    import torch

    return torch.from_numpy(array).cuda() if isinstance(array, np.ndarray) else array


@pytest.fixture
def torch_ops() -> Any:
    """The torch ops, where torch has a card and the kernels run on it."""
    torch = pytest.importorskip("torch", reason="cuda: needs torch")
    if not torch.cuda.is_available():
        pytest.skip("cuda: torch finds no card here")
    from layoutbrush.training import ops
    from layoutbrush.training.ops import on_cuda

    assert on_cuda.usable()
    return ops


@pytest.mark.parametrize("case", sampling_cases(), ids=lambda case: case.name)
def test_sampling_on_the_card_is_bit_exact(torch_ops: Any, case: Case) -> None:
    arguments = keyword_arguments(case)
    keys, scores = torch_ops.key_index_sampling(**{name: _on_the_card(value) for name, value in arguments.items()})
    expected_keys, expected_scores = key_index_sampling(**arguments)
    np.testing.assert_array_equal(keys.cpu().numpy(), expected_keys)
    np.testing.assert_array_equal(scores.cpu().numpy(), expected_scores)


@pytest.mark.parametrize("case", warp_cases(), ids=lambda case: case.name)
def test_warp_and_gradients_on_the_card_are_within_tolerance(torch_ops: Any, case: Case) -> None:
    arguments = keyword_arguments(case)
    there = {name: _on_the_card(value) for name, value in arguments.items()}
    for name in ("values", "scores"):
        there[name].requires_grad_()
    warped = torch_ops.sparse_attention_warp(**there)
    wanted = sparse_attention_warp(**arguments)
    absolute = SPARSE_ATTENTION_WARP.tolerances["warped"]["absolute"]
    np.testing.assert_allclose(warped.detach().cpu().numpy(), wanted, rtol=0, atol=absolute)
    grad = np.random.default_rng(1).standard_normal(wanted.shape).astype(np.float32)
    warped.backward(_on_the_card(grad))
    tolerance = SPARSE_ATTENTION_WARP.tolerances["gradients"]
    expected = sparse_attention_warp_backward(grad, **arguments)
    for name, gradient in zip(("values", "scores"), expected, strict=True):
        scale = max(1.0, float(np.abs(gradient).max()))
        found = there[name].grad.cpu().numpy()
        np.testing.assert_allclose(found, gradient, rtol=tolerance["relative"], atol=tolerance["absolute"] * scale)

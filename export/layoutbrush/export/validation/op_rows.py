"""The two ops on their case tables: every backend against the NumPy reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from layoutbrush.export.complete import complete_inputs
from layoutbrush.export.schemas import single_node_model
from layoutbrush.export.validation.backends import BODY, KERNEL, TORCH, native_missing, open_session
from layoutbrush.export.validation.rows import Row, Tolerance
from layoutbrush.export.validation.tolerances import EXACT, WARPED
from layoutbrush.runtime.engines import Array
from layoutbrush.runtime.ops import emulated, native, reference
from layoutbrush.runtime.ops.cases import Case, keyword_arguments, sampling_cases, warp_cases
from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, SPARSE_ATTENTION_WARP, Contract
from layoutbrush.training import ops
from layoutbrush.training.ops import on_cuda

ISAS = ("portable", "avx2", "avx512")
Outputs = tuple[Array, ...]
_FUNCTIONS = {KEY_INDEX_SAMPLING.name: "key_index_sampling", SPARSE_ATTENTION_WARP.name: "sparse_attention_warp"}


def op_rows() -> Iterator[Row]:
    """One row an op and backend, each over all cases."""
    for contract, cases, tolerance in (
        (KEY_INDEX_SAMPLING, sampling_cases(), EXACT),
        (SPARSE_ATTENTION_WARP, warp_cases(), WARPED),
    ):
        expected = [_tuple(getattr(reference, _FUNCTIONS[contract.name])(**keyword_arguments(case))) for case in cases]
        for name, run, missing in _backends(contract):
            row = Row(f"{contract.name}, all cases", f"NumPy / {name}", tolerance)
            if missing:
                yield Row(row.subject, row.pair, tolerance, skipped=missing)
                continue
            worst = 0.0
            for case, wanted in zip(cases, expected, strict=True):
                for one, other in zip(wanted, run(case), strict=True):
                    worst = tolerance.worse(worst, _distance(one, other, tolerance))
            yield Row(row.subject, row.pair, tolerance, worst, len(cases))


def _backends(contract: Contract) -> Iterator[tuple[str, Callable[[Case], Outputs], str]]:
    """Name, way to run a case, and the reason why it can't be had."""
    function = _FUNCTIONS[contract.name]
    supported = native.supported_isas() if native.available() else ()
    for isa in ISAS:
        missing = native_missing() or ("" if isa in supported else f"this machine does not run {isa}")

        def compiled(case: Case, isa: str = isa) -> Outputs:
            return _tuple(getattr(native, function)(**keyword_arguments(case), isa=isa))

        yield f"C++ {isa}", compiled, missing

    def by_torch(case: Case, device: str = "cpu") -> Outputs:
        given = keyword_arguments(case)
        tensors = {n: torch.from_numpy(v).to(device) if isinstance(v, np.ndarray) else v for n, v in given.items()}
        found = getattr(ops, function)(**tensors)
        return tuple(t.cpu().numpy() for t in (found if isinstance(found, tuple) else (found,)))

    def by_onnx(case: Case, library: bool) -> Outputs:
        session = open_session(single_node_model(contract, case.attributes, body=not library), library)
        return tuple(session.run(None, complete_inputs(contract, case.inputs)))

    yield "CUDA emulated", lambda case: _tuple(getattr(emulated, function)(**keyword_arguments(case))), native_missing()
    yield "CUDA", lambda case: by_torch(case, "cuda"), _cuda_missing()
    yield TORCH, by_torch, ""
    yield BODY, lambda case: by_onnx(case, False), ""
    yield KERNEL, lambda case: by_onnx(case, True), native_missing()


def _cuda_missing() -> str:
    if not torch.cuda.is_available():
        return "torch finds no card here"
    return "" if on_cuda.usable() else "the CUDA kernels can't be compiled here"


def _tuple(found: Array | Outputs) -> Outputs:
    return found if isinstance(found, tuple) else (found,)


def _distance(one: Array, other: Array, tolerance: Tolerance) -> float:
    if one.shape != other.shape or one.dtype != other.dtype:
        return float("nan")
    if tolerance is EXACT:
        return float((one != other).sum())
    return float(np.abs(one - other).max(initial=0.0))

"""Engines: whatever can run a bundle's graphs. TensorRT, ONNX Runtime on CUDA, ONNX Runtime on the CPU, and a stand-in
without networks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.cores import available_cores
from layoutbrush.runtime.engines.fallback import FallbackEngine
from layoutbrush.runtime.engines.protocol import Array, Arrays, Engine, Runner
from layoutbrush.runtime.errors import DamagedData, FailedPrecondition, InvalidArgument, OutOfRange

__all__ = ["PROVIDERS", "Array", "Arrays", "Engine", "Runner", "open_engine"]

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")


def open_engine(bundle: Bundle, threads: int = 0, provider: str = "auto") -> Engine:
    """Open the best engine that this machine can run for `bundle`.

    `threads`: of the networks, shared by all concurrent runs, and of this process' native kernels; 0 = one a core.
    `provider`: "tensorrt", "cuda" (ONNX Runtime's), "cpu", or "auto": the first of these that works here, with the
    next one behind it should it fail later.

    Raises:
        InvalidArgument: an unknown provider, or one that this machine lacks; a negative number of threads.
        TensorRTUnavailable: "tensorrt", where it can't run.
        DamagedBundle: a graph can't be loaded or isn't what the manifest says.
    """
    if provider not in PROVIDERS:
        raise InvalidArgument(f"The provider is one of {', '.join(PROVIDERS)}.", "provider")
    if threads < 0:
        raise OutOfRange("It is 0 or more.", "threads")
    # The kernels inside a graph have no argument for it; they read this each time they start.
    os.environ["LAYOUTBRUSH_NUM_THREADS"] = str(threads or available_cores())
    openers = _openers(bundle, threads)
    if provider != "auto":
        return openers[provider]()
    return _first([openers[name] for name in ("tensorrt", "cuda", "cpu")])


def _openers(bundle: Bundle, threads: int) -> dict[str, Callable[[], Engine]]:
    from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine

    def tensorrt() -> Engine:
        from layoutbrush.runtime.engines.tensorrt.running import TensorRTEngine

        return TensorRTEngine(bundle)

    return {
        "tensorrt": tensorrt,
        "cuda": lambda: OnnxRuntimeEngine(bundle, threads=threads, provider="cuda"),
        "cpu": lambda: OnnxRuntimeEngine(bundle, threads=threads, provider="cpu"),
    }


def _first(openers: list[Callable[[], Engine]]) -> Engine:
    """The first that opens, backed by those after it. What the last one raises is raised."""
    opener, *others = openers
    if not others:
        return opener()
    try:
        return FallbackEngine(opener(), lambda: _first(others))
    except (FailedPrecondition, InvalidArgument, DamagedData) as reason:  # not here; the log says why
        logging.getLogger(__name__).info("%s", reason)
    return _first(others)

"""Engines: whatever can run a bundle's graphs. Today ONNX Runtime on the CPU, and a stand-in without networks."""

from __future__ import annotations

import os

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.cores import available_cores
from layoutbrush.runtime.engines.protocol import Array, Arrays, Engine
from layoutbrush.runtime.errors import InvalidArgument

__all__ = ["PROVIDERS", "Array", "Arrays", "Engine", "open_engine"]

PROVIDERS = ("auto", "cpu", "cuda")


def open_engine(bundle: Bundle, threads: int = 0, provider: str = "auto") -> Engine:
    """Open the best engine that this machine can run for `bundle`.

    `threads`: of the networks, shared by all concurrent runs, and of this process' native kernels; 0 = one a core.
    `provider`: "auto", "cpu" or "cuda" (ONNX Runtime's).

    Raises:
        InvalidArgument: an unknown provider, or one that this machine lacks.
        DamagedBundle: a graph can't be loaded or isn't what the manifest says.
    """
    if provider not in PROVIDERS:
        raise InvalidArgument(f"The provider is one of {', '.join(PROVIDERS)}.", "provider")
    from layoutbrush.runtime.engines.onnx_runtime import OnnxRuntimeEngine

    # The kernels inside a graph have no argument for it; they read this each time they start.
    os.environ["LAYOUTBRUSH_NUM_THREADS"] = str(threads or available_cores())
    return OnnxRuntimeEngine(bundle, threads=threads, provider="cpu" if provider == "auto" else provider)

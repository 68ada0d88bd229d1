"""From the kernels' source to a cubin for one architecture, kept on disk: a compilation takes about a second."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.errors import LayoutbrushError
from layoutbrush.runtime.ops.errors import CudaUnavailable, OpError
from layoutbrush.runtime.ops.library import library_path

MAX_QUADS = 8
_HEADERS = ("search.h", "votes.h", "common.h", "contract.h")
# NVRTC has no standard library: the few names that the sources take from it.
_STAND_INS = {
    "cstddef": "#pragma once\n",
    "cstdint": """#pragma once
using int8_t = signed char; using uint8_t = unsigned char; using int32_t = int; using uint32_t = unsigned int;
using int64_t = long long; using uint64_t = unsigned long long;
#define INT32_MIN (-2147483647 - 1)
""",
}
# No contraction, as on the CPU; functions without a qualifier run on the device.
_OPTIONS = ("--std=c++17", "-default-device", "-fmad=false")
_compiling = threading.Lock()


@dataclass(frozen=True)
class Kernels:
    """A cubin, and the names that the kernels have in it."""

    image: bytes
    names: Mapping[str, str]


def quads_for(channels: int) -> int:
    """Sixteens of channels that a row of features takes on the device: 1, 2, 4 or 8."""
    return next(quads for quads in (1, 2, 4, MAX_QUADS) if channels <= 16 * quads)


@cache
def compile_kernels(architecture: str, particles: int, quads: int) -> Kernels:
    """Compile the kernels for `architecture` (such as "sm_90") and the sizes of a call, or take them from the cache.

    Raises:
        CudaUnavailable: NVRTC or the sources are not installed, or NVRTC refuses the architecture.
    """
    if not 1 <= particles <= 16 or quads not in (1, 2, 4, MAX_QUADS):
        raise OpError("particles", f"must lie in 1..16, with 1, 2, 4 or 8 quads; are {particles} and {quads}")
    sources = _sources()
    nvrtc = _nvrtc()
    key = hashlib.sha256(
        json.dumps([architecture, particles, quads, _OPTIONS, _version(nvrtc), sources], sort_keys=True).encode()
    ).hexdigest()
    try:
        folder = private_cache.cache_folder("kernels")
    except (LayoutbrushError, OSError):  # no cache is no reason to fail: it takes a second longer
        return _compiled(nvrtc, sources, architecture, particles, quads)
    image, names = folder / f"{key}.cubin", folder / f"{key}.json"
    with _compiling:
        if image.is_file() and names.is_file():
            return Kernels(image.read_bytes(), json.loads(names.read_text()))
        kernels = _compiled(nvrtc, sources, architecture, particles, quads)
        private_cache.write(names, json.dumps(dict(kernels.names)).encode())
        private_cache.write(image, kernels.image)
    return kernels


def source_folder() -> Path:
    """Where the kernels' sources are: beside the native library.

    Raises:
        CudaUnavailable: they are not installed.
    """
    library = library_path()
    folder = library.parent / "cuda" if library else None
    if folder is None or not (folder / "kernels.cu").is_file():
        raise CudaUnavailable("the sources of the CUDA kernels are not installed: reinstall with g++ present")
    return folder


def _sources() -> dict[str, str]:
    folder = source_folder()
    return {name: (folder / name).read_text() for name in ("kernels.cu", *_HEADERS)}


def _nvrtc() -> Any:
    try:
        from cuda.bindings import nvrtc
    except ImportError as error:
        raise CudaUnavailable("cuda-bindings is not installed: pip install 'layoutbrush[tensorrt]'") from error
    return nvrtc


def _version(nvrtc: Any) -> list[int]:
    status, major, minor = _checked(nvrtc.nvrtcVersion())
    return [status, major, minor]


def _checked(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    if int(answer[0]):
        raise CudaUnavailable(f"NVRTC answers {answer[0].name}")
    return (0, *answer[1:])


def _compiled(nvrtc: Any, sources: Mapping[str, str], architecture: str, particles: int, quads: int) -> Kernels:
    wanted = {
        "quantise": "quantise",
        "start": f"start<{particles}, {quads}>",
        "pass": f"pass<{particles}, {quads}>",
        "write": f"write<{particles}>",
    }
    headers = {name: sources[name] for name in _HEADERS} | _STAND_INS
    texts, names = [text.encode() for text in headers.values()], [name.encode() for name in headers]
    _, program = _checked(
        nvrtc.nvrtcCreateProgram(sources["kernels.cu"].encode(), b"kernels.cu", len(headers), texts, names)
    )
    try:
        for expression in wanted.values():
            _checked(nvrtc.nvrtcAddNameExpression(program, expression.encode()))
        options = [option.encode() for option in (f"--gpu-architecture={architecture}", *_OPTIONS)]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(status):
            raise CudaUnavailable(f"NVRTC does not compile for {architecture}: {_log(nvrtc, program)}")
        lowered = {name: nvrtc.nvrtcGetLoweredName(program, text.encode())[1] for name, text in wanted.items()}
        _, size = _checked(nvrtc.nvrtcGetCUBINSize(program))
        image = bytes(size)
        _checked(nvrtc.nvrtcGetCUBIN(program, image))
        found = {name: value.decode() for name, value in lowered.items()}
        return Kernels(image, found | {name: name for name in ("warp_forward", "warp_backward")})
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _log(nvrtc: Any, program: Any) -> str:
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytes(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.rstrip(b"\0").decode(errors="replace").strip()[:500]

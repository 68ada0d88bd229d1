"""The few calls of the CUDA driver that a launch needs, on whatever context is current."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from layoutbrush.runtime.ops.cuda.compiling import Kernels
from layoutbrush.runtime.ops.errors import CudaUnavailable

THREADS = 128
"""Threads a block."""

_modules: dict[tuple[int, int], dict[str, Any]] = {}
_loading = threading.Lock()


@cache
def bindings() -> Any:
    """The module `cuda.bindings.driver`, initialised.

    Raises:
        CudaUnavailable: it is not installed, or this machine has no CUDA driver or card.
    """
    try:
        from cuda.bindings import driver

        (status,) = driver.cuInit(0)
    except (ImportError, RuntimeError) as error:  # RuntimeError: no driver library on this machine
        raise CudaUnavailable("this machine has no CUDA driver, or cuda-bindings is not installed") from error
    if int(status):
        raise CudaUnavailable(f"the CUDA driver answers {status.name}")
    return driver


def architecture() -> str:
    """What the current context's card is to the compiler, such as "sm_90"."""
    driver = bindings()
    device = checked(driver.cuCtxGetDevice())
    names = driver.CUdevice_attribute
    major, minor = (
        checked(driver.cuDeviceGetAttribute(attribute, device))
        for attribute in (
            names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        )
    )
    return f"sm_{major}{minor}"


def functions(kernels: Kernels) -> dict[str, Any]:
    """The kernels by name, loaded into the current context once."""
    driver = bindings()
    key = (int(checked(driver.cuCtxGetCurrent())), id(kernels))
    with _loading:
        if key not in _modules:
            module = checked(driver.cuModuleLoadData(kernels.image))
            found = {
                name: checked(driver.cuModuleGetFunction(module, symbol.encode()))
                for name, symbol in kernels.names.items()
            }
            _modules[key] = found
        return _modules[key]


def launch(function: Any, threads: int, batch: int, groups: int, arguments: Sequence[Any], stream: int) -> None:
    """Start `threads` threads for each batch element and group; `arguments`: ctypes values in the kernel's order."""
    driver = bindings()
    addresses = (ctypes.c_void_p * len(arguments))(*[ctypes.addressof(argument) for argument in arguments])
    blocks = (threads + THREADS - 1) // THREADS
    checked(
        driver.cuLaunchKernel(function, blocks, batch, groups, THREADS, 1, 1, 0, stream, ctypes.addressof(addresses), 0)
    )


def clear(pointer: int, byte_count: int, stream: int) -> None:
    """Fill device memory with zeros, on the stream."""
    checked(bindings().cuMemsetD8Async(pointer, 0, byte_count, stream))


def checked(answer: tuple[Any, ...]) -> Any:
    """What the driver answers, without its status. Raises CudaUnavailable where it is an error."""
    status, *rest = answer
    if int(status):
        raise CudaUnavailable(f"the CUDA driver answers {status.name}")
    return rest[0] if rest else None

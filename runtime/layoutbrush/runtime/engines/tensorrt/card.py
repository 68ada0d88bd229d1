"""The card at hand, and memory on it, through the CUDA driver."""

from __future__ import annotations

from typing import Any

import numpy as np

from layoutbrush.runtime.engines.tensorrt.key import Device
from layoutbrush.runtime.ops.cuda.driver import bindings, checked


class Card:
    """The first CUDA card of this machine: its context, a stream, and buffers that grow and are kept.

    Use it from one thread at a time, between `enter` and the end of the work. Raises CudaUnavailable.
    """

    def __init__(self) -> None:
        self._driver = bindings()
        self._device = checked(self._driver.cuDeviceGet(0))
        self._context = checked(self._driver.cuDevicePrimaryCtxRetain(self._device))
        self.enter()
        self.stream = int(checked(self._driver.cuStreamCreate(0)))
        self._buffers: dict[str, tuple[int, int]] = {}
        self.device = self._describe()

    def enter(self) -> None:
        """Make the card's context current in this thread."""
        checked(self._driver.cuCtxSetCurrent(self._context))

    def buffer(self, name: str, byte_count: int) -> int:
        """Address of at least `byte_count` bytes that belong to `name`."""
        address, size = self._buffers.get(name, (0, 0))
        if size < byte_count:
            if address:
                checked(self._driver.cuMemFree(address))
            address = int(checked(self._driver.cuMemAlloc(max(1, byte_count))))
            self._buffers[name] = (address, byte_count)
        return address

    def upload(self, name: str, array: np.ndarray) -> int:
        """Copy a contiguous array to the buffer of `name`, on the stream; the array must outlive the copy."""
        address = self.buffer(name, array.nbytes)
        checked(self._driver.cuMemcpyHtoDAsync(address, array.ctypes.data, array.nbytes, self.stream))
        return address

    def download(self, address: int, array: np.ndarray) -> None:
        """Copy into a contiguous array, on the stream."""
        checked(self._driver.cuMemcpyDtoHAsync(array.ctypes.data, address, array.nbytes, self.stream))

    def finish(self) -> None:
        """Wait for the stream."""
        checked(self._driver.cuStreamSynchronize(self.stream))

    def _describe(self) -> Device:
        driver, names = self._driver, self._driver.CUdevice_attribute
        major, minor = (
            checked(driver.cuDeviceGetAttribute(attribute, self._device))
            for attribute in (
                names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        name = checked(driver.cuDeviceGetName(128, self._device))
        return Device(f"{major}.{minor}", name.rstrip(b"\0").decode(errors="replace"), _driver_version(driver))


def _driver_version(driver: Any) -> str:
    version = int(checked(driver.cuDriverGetVersion()))
    return f"{version // 1000}.{version % 1000 // 10}"

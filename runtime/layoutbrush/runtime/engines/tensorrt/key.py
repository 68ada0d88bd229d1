"""What an engine file was built from and for: it is used only where all of it agrees."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Precision = Literal["fp32", "fp16"]


@dataclass(frozen=True)
class Device:
    """A card: `capability` such as "8.9", its name, and the driver's version."""

    capability: str
    gpu: str
    driver: str


@dataclass(frozen=True)
class EngineKey:
    """`capabilities`: compute capabilities that it was built for ahead of time. `gpu`, `driver`: of the card that it
    was built on; empty where it was built ahead of time. `package`, `version`: of TensorRT. `longest`: side in pixels
    of the largest picture that it takes.
    """

    graph: str
    graph_sha256: str
    ops: Mapping[str, int]
    capabilities: tuple[str, ...]
    gpu: str
    driver: str
    package: str
    version: str
    precision: Precision
    longest: int

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: the name of the engine's file."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "ops": dict(self.ops), "capabilities": list(self.capabilities)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EngineKey:
        """Back from JSON. Raises KeyError, TypeError or ValueError."""
        fields = {name: data[name] for name in cls.__dataclass_fields__}
        fields["capabilities"] = tuple(str(capability) for capability in data["capabilities"])
        fields["ops"] = {str(name): int(version) for name, version in data["ops"].items()}
        if data["precision"] not in ("fp32", "fp16"):
            raise ValueError("precision")
        return cls(**fields)

    def runs_on(self, device: Device) -> bool:
        """Whether a card can run it."""
        if device.capability not in self.capabilities:
            return False
        return not self.gpu or (self.gpu, self.driver) == (device.gpu, device.driver)

"""The engines of this machine: files in the private cache, each with what it was built from beside it."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.tensorrt.key import Device, EngineKey
from layoutbrush.runtime.errors import DamagedData

FOLDER = "engines"


@dataclass(frozen=True)
class StoredEngine:
    """`path`: the engine file. `sha256` and `size` (bytes) are those that it was written with."""

    key: EngineKey
    path: Path
    sha256: str
    size: int

    def read(self) -> bytes:
        """The engine, checked.

        Raises:
            DamagedData: the file is gone or is not what was written.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DamagedData("The engine's file can't be read.", self.path.name) from error
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise DamagedData("The engine's file was changed since it was built.", self.path.name)
        return data


def save(key: EngineKey, data: bytes) -> StoredEngine:
    """Keep an engine; one of the same key is replaced. Raises FailedPrecondition, OSError."""
    folder = private_cache.cache_folder(FOLDER)
    path = folder / f"{key.digest}.engine"
    sha256 = hashlib.sha256(data).hexdigest()
    # The engine first: a description without its engine would be a damaged one, an engine without it is a stray.
    private_cache.write(path, data)
    about = {"key": key.as_dict(), "sha256": sha256, "size": len(data)}
    private_cache.write(_description(path), json.dumps(about, indent=1, sort_keys=True).encode())
    return StoredEngine(key, path, sha256, len(data))


def stored() -> list[StoredEngine]:
    """All engines that are there, by graph and name; what can't be read is left out. Raises FailedPrecondition."""
    found = []
    for description in sorted(private_cache.cache_folder(FOLDER).glob("*.json")):
        path = description.with_suffix(".engine")
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            about = json.loads(description.read_bytes())
            key = EngineKey.from_dict(about["key"])
            if key.digest == path.stem and path.is_file():
                found.append(StoredEngine(key, path, str(about["sha256"]), int(about["size"])))
    return sorted(found, key=lambda engine: (engine.key.graph, engine.path.name))


def find(bundle: Bundle, graph: str, device: Device, package: str, version: str) -> StoredEngine | None:
    """The best engine of a bundle's graph for a card: built on it rather than ahead of time, fp16 rather than fp32."""
    sha256 = bundle.manifest.graphs[graph].sha256
    fitting = [
        engine
        for engine in stored()
        if (engine.key.graph, engine.key.graph_sha256) == (graph, sha256)
        and (engine.key.package, engine.key.version) == (package, version)
        and dict(engine.key.ops) == dict(bundle.manifest.op_versions)
        and engine.key.longest >= bundle.manifest.scale
        and engine.key.runs_on(device)
    ]
    return max(fitting, key=lambda engine: (bool(engine.key.gpu), engine.key.precision == "fp16"), default=None)


def prune(keep: list[Bundle], version: str, everything: bool = False) -> list[Path]:
    """Remove engines of other graphs or another version of TensorRT, and strays; give what was removed."""
    folder = private_cache.cache_folder(FOLDER)
    private_cache.sweep(folder)
    graphs = {spec.sha256 for bundle in keep for spec in bundle.manifest.graphs.values()}
    wanted = {
        engine.path.name
        for engine in stored()
        if not everything and engine.key.graph_sha256 in graphs and engine.key.version == version
    }
    removed = []
    for path in sorted(folder.glob("*.engine")):
        if path.name not in wanted:
            _description(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            removed.append(path)
    for description in folder.glob("*.json"):
        if not description.with_suffix(".engine").exists():
            description.unlink(missing_ok=True)
    return removed


def _description(path: Path) -> Path:
    return path.with_suffix(".json")

"""From a bundle's graph to an engine, ahead of time and without a card where TensorRT can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.tensorrt import package, plugins, store
from layoutbrush.runtime.engines.tensorrt.half import with_half_convolutions
from layoutbrush.runtime.engines.tensorrt.key import Device, EngineKey, Precision
from layoutbrush.runtime.engines.tensorrt.listening import Report, logger, monitor
from layoutbrush.runtime.engines.tensorrt.store import StoredEngine
from layoutbrush.runtime.errors import InvalidArgument, LayoutbrushError
from layoutbrush.runtime.manifest import Manifest, TensorSpec


class BuildFailed(LayoutbrushError):
    """TensorRT did not build the engine; the message holds its first error."""

    code = "INTERNAL"


def engine_key(
    bundle: Bundle, graph: str, capabilities: Sequence[str], precision: Precision, device: Device | None
) -> EngineKey:
    """The key of an engine for `capabilities`, or for `device` alone where one is given."""
    return EngineKey(
        graph=graph,
        graph_sha256=bundle.manifest.graphs[graph].sha256,
        ops=dict(bundle.manifest.op_versions),
        capabilities=(device.capability,) if device else tuple(capabilities),
        gpu=device.gpu if device else "",
        driver=device.driver if device else "",
        package=package.installed() or "",
        version=str(package.load().__version__),
        precision=precision,
        longest=bundle.manifest.scale,
    )


def build(
    bundle: Bundle,
    graph: str,
    capabilities: Sequence[str] = (),
    precision: Precision = "fp32",
    device: Device | None = None,
    report: Report | None = None,
) -> StoredEngine:
    """Build one graph's engine and keep it. Arguments and errors as of `serialized`."""
    data = serialized(bundle, graph, capabilities, precision, device, report)
    return store.save(engine_key(bundle, graph, capabilities, precision, device), data)


def serialized(
    bundle: Bundle,
    graph: str,
    capabilities: Sequence[str] = (),
    precision: Precision = "fp32",
    device: Device | None = None,
    report: Report | None = None,
) -> bytes:
    """Build one graph's engine for `capabilities` such as ("8.6", "12.0"), or for the card `device` where one is given.

    Raises:
        InvalidArgument: TensorRT does not know a compute capability, or none is named.
        BuildFailed: TensorRT refuses the graph, or has no card that it needs.
        TensorRTUnavailable: it is not installed.
    """
    trt = package.load()
    heard = logger(trt)
    builder = trt.Builder(heard)
    network = _network(trt, builder, heard, bundle, graph, precision)
    config = builder.create_builder_config()
    if device is None:
        _aim(trt, config, capabilities)
    config.add_optimization_profile(_profile(builder, bundle.manifest, graph))
    watching = monitor(trt, report) if report else None
    if watching:
        config.progress_monitor = watching
    timings = _timings(config) if device else None  # nothing is timed ahead of time
    data = builder.build_serialized_network(network, config)
    if data is None:
        raise BuildFailed(f"TensorRT does not build the engine: {heard.first_error}", graph)
    if timings and (measured := config.get_timing_cache()) is not None:
        private_cache.write(timings, bytes(measured.serialize()))
    return bytes(data)


def layers(bundle: Bundle, graph: str, precision: Precision = "fp32") -> dict[str, int]:
    """How many layers of the parsed graph there are of each kind, as TensorRT names them.

    Raises:
        BuildFailed, TensorRTUnavailable: as `build`.
    """
    trt = package.load()
    heard = logger(trt)
    builder = trt.Builder(heard)
    network = _network(trt, builder, heard, bundle, graph, precision)
    kinds: dict[str, int] = {}
    for i in range(network.num_layers):
        kind = network.get_layer(i).type.name
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def _network(trt: Any, builder: Any, heard: Any, bundle: Bundle, graph: str, precision: Precision) -> Any:
    plugins.register()
    model = bundle.read_graph(graph)
    network = builder.create_network()
    parser = trt.OnnxParser(network, heard)
    if not parser.parse(with_half_convolutions(model) if precision == "fp16" else model):
        reason = parser.get_error(0).desc() if parser.num_errors else heard.first_error
        raise BuildFailed(f"TensorRT does not take the graph: {reason}", graph)
    return network


def _aim(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    """Build for these compute capabilities instead of the card at hand."""
    known = getattr(trt, "ComputeCapability", None)
    if known is None:
        raise InvalidArgument("This TensorRT builds for the card at hand alone; only TensorRT-RTX can aim.", "package")
    names = {f"{name[2:-1]}.{name[-1]}": name for name in known.__members__ if name.startswith("SM")}
    if not capabilities or not set(capabilities) <= set(names):
        raise InvalidArgument(f"Compute capabilities are some of {', '.join(names)}.", "compute_capability")
    config.num_compute_capabilities = len(capabilities)
    for i, capability in enumerate(capabilities):
        config.set_compute_capability(getattr(known, names[capability]), i)


def _profile(builder: Any, manifest: Manifest, graph: str) -> Any:
    """Sizes that the runtime asks for: from the smallest region to the networks' own scale, which is the usual one."""
    profile = builder.create_optimization_profile()
    for tensor in manifest.graphs[graph].inputs:
        least, usual = (shape_of(tensor, side) for side in (manifest.smallest, manifest.scale))
        profile.set_shape(tensor.name, least, usual, usual)
    return profile


def shape_of(tensor: TensorSpec, side: int) -> tuple[int, ...]:
    """The tensor's shape for one square picture of `side` pixels. Raises InvalidArgument."""
    sizes = []
    for axis in tensor.shape:
        letter, _, share = str(axis).partition("/")
        if letter in ("H", "W", "h", "w"):
            sizes.append(side // int(share or 1))
        elif letter == "B" or letter.isdecimal():
            sizes.append(1 if letter == "B" else int(letter))
        else:
            raise InvalidArgument(f"The axis {axis} of {tensor.name} has no size that is known.", "bundle")
    return tuple(sizes)


def _timings(config: Any) -> Path:
    """Give the builder what earlier builds have measured; the file where that is kept."""
    file = private_cache.cache_folder("tensorrt-timings") / "timing.cache"
    known = file.read_bytes() if file.is_file() else b""
    cache = config.create_timing_cache(known)
    if cache is not None and not config.set_timing_cache(cache, ignore_mismatch=False) and known:
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)  # of another version or card
    return file

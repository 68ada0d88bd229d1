"""What `layoutbrush doctor` finds: packages, kernels, engines, bundles; each with a remedy where something is
missing.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

OK, MISSING, BROKEN = "ok", "missing", "broken"
"""`missing`: optional, everything else works without it. `broken`: photos can't be edited here."""

_BASE = {
    "numpy": "numpy",
    "pillow": "PIL",
    "onnxruntime": "onnxruntime",
    "grpcio": "grpc",
    "protobuf": "google.protobuf",
    "tyro": "tyro",
    "rich": "rich",
}
_EXTRAS = {
    "training": (
        ("torch", "torch"),
        ("lightning-fabric", "lightning_fabric"),
        ("opencv-python-headless", "cv2"),
        ("safetensors", "safetensors"),
        ("tensorboard", "tensorboard"),
    ),
    "export": (("onnx", "onnx"), ("onnxscript", "onnxscript")),
    "web": (("connectrpc", "connectrpc"), ("hypercorn", "hypercorn")),
    "demo": (("scikit-learn", "sklearn"),),
    "cuda": (("cuda-bindings", "cuda"), ("nvidia-cuda-nvrtc", "nvidia")),
    "tensorrt": (("tensorrt-rtx", "tensorrt_rtx"), ("onnx", "onnx")),
}


@dataclass(frozen=True)
class Finding:
    """`area`: packages, kernels, engines or bundle. `state`: OK, MISSING or BROKEN. `remedy`: what to do, if
    anything.
    """

    area: str
    name: str
    state: str
    detail: str
    remedy: str = ""


def examine(bundle: str = "scenes") -> list[Finding]:
    """Return all findings; nothing raises, a check that fails is a finding."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _machine,
        _packages,
        _kernels,
        _engines,
        lambda: _bundle(bundle),
        _drafts,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.extend(check())
        except Exception as error:  # noqa: BLE001  # whatever is wrong here is what the doctor is asked for
            findings.append(Finding("doctor", getattr(check, "__name__", "check"), BROKEN, f"{error}"))
    return findings


def _machine() -> Iterator[Finding]:
    from layoutbrush.runtime.cli import version
    from layoutbrush.runtime.engines.cores import available_cores

    yield Finding("machine", "layoutbrush", OK, version())
    yield Finding("machine", "python", OK, f"{platform.python_version()} ({sys.executable})")
    yield Finding("machine", "system", OK, f"{platform.system()} {platform.machine()}, {available_cores()} cores")


def _packages() -> Iterator[Finding]:
    for package, module in _BASE.items():
        if util.find_spec(module.split(".")[0]) is None:
            yield Finding("packages", package, BROKEN, "not installed", "pip install --force-reinstall layoutbrush")
        else:
            yield Finding("packages", package, OK, _version(package))
    for extra, packages in _EXTRAS.items():
        found = [f"{p} {_version(p)}" for p, module in packages if util.find_spec(module) is not None]
        lacking = [p for p, module in packages if util.find_spec(module) is None]
        if lacking:
            yield Finding(
                "extras", extra, MISSING, f"without {', '.join(lacking)}", f"pip install 'layoutbrush[{extra}]'"
            )
        else:
            yield Finding("extras", extra, OK, ", ".join(found))


def _version(package: str) -> str:
    for name in (package, f"{package}-gpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def _kernels() -> Iterator[Finding]:
    from layoutbrush.runtime.ops import native

    remedy = "install g++, then reinstall without LAYOUTBRUSH_NO_NATIVE; until then edits are many times slower"
    path = native.library_path()
    if path is None:
        yield Finding("kernels", "native library", MISSING, "not installed", remedy)
    elif not native.available():
        yield Finding("kernels", "native library", MISSING, f"does not load: {path}", remedy)
    else:
        isas = ", ".join(native.supported_isas())
        yield Finding("kernels", "native library", OK, str(path))
        yield Finding("kernels", "instruction sets", OK, f"{native.best_isa()} is used; this machine runs {isas}")


def _engines() -> Iterator[Finding]:
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    yield Finding("engines", "onnxruntime-cpu", OK, f"ONNX Runtime {onnxruntime.__version__}")
    driver = _gpu_driver()
    if "CUDAExecutionProvider" in providers:
        state, detail = (OK, f"driver {driver}") if driver else (MISSING, "installed, but there is no NVIDIA driver")
        yield Finding("engines", "onnxruntime-cuda", state, detail)
    else:
        remedy = "pip install onnxruntime-gpu, in an environment of its own" if driver else ""
        detail = f"NVIDIA driver {driver}, not used" if driver else "no NVIDIA driver on this machine"
        yield Finding("engines", "onnxruntime-cuda", MISSING, detail, remedy)
    yield _tensorrt(driver)


def _tensorrt(driver: str) -> Finding:
    from layoutbrush.runtime.engines.tensorrt import package, store

    name = package.installed()
    if name is None:
        remedy = "pip install 'layoutbrush[tensorrt]'" if driver else ""
        return Finding("engines", "tensorrt", MISSING, "not installed", remedy)
    built = len(store.stored())
    about = f"{name} {_version(name.replace('_', '-'))}, {built} engines built"
    if not driver:
        return Finding("engines", "tensorrt", MISSING, f"{about}; there is no card here, so it only builds")
    return Finding("engines", "tensorrt", OK if built else MISSING, about, "" if built else "layoutbrush engine build")


def _gpu_driver() -> str:
    """Return the version of the NVIDIA kernel driver, empty where there is none."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    found = re.search(r"\b(\d+\.\d+(\.\d+)?)\b", text)
    return found.group(1) if found else "of unknown version"


def _drafts() -> Iterator[Finding]:
    """The bundle beside the one that edits; photos can be edited without it."""
    from layoutbrush.runtime.drafts import DRAFTS, find_drafter

    with _threads_kept():
        drafter, why = find_drafter(DRAFTS, "")
    if drafter is None:
        yield Finding("drafts", DRAFTS, MISSING, why, "name another one with `layoutbrush serve --drafts`")
    else:
        size = f"{drafter.size} x {drafter.size} pixels"
        yield Finding("drafts", DRAFTS, OK, f"version {drafter.manifest.version}, {size}, {len(drafter.labels)} labels")


def _bundle(name: str) -> Iterator[Finding]:
    from layoutbrush.runtime.bundle import Bundle
    from layoutbrush.runtime.errors import LayoutbrushError
    from layoutbrush.runtime.pipeline import open_editor

    try:
        bundle = Bundle.load(name)
        size = sum(path.stat().st_size for path in bundle.graphs.values()) if not bundle.archived else 0
        yield Finding(
            "bundle", name, OK, f"version {bundle.manifest.version}, {size / 1e6:.1f} MB, every SHA-256 right"
        )
        with _threads_kept():
            editor = open_editor(name)
        yield Finding("bundle", "opens with", OK, f"{editor.engine.name}: {editor.engine.note}")
        labels = ", ".join(f"{label.id} {label.name}" for label in bundle.labels)
        yield Finding("bundle", "labels", OK, labels)
    except LayoutbrushError as error:
        yield Finding("bundle", name, BROKEN, str(error), "reinstall, or name another with --bundle")


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Undo what opening an engine says to the kernels of this process."""
    kept = os.environ.get("LAYOUTBRUSH_NUM_THREADS")
    try:
        yield
    finally:
        if kept is None:
            os.environ.pop("LAYOUTBRUSH_NUM_THREADS", None)
        else:
            os.environ["LAYOUTBRUSH_NUM_THREADS"] = kept

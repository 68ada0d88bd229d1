"""The ONNX Runtime engine: the native custom-op library where it is installed, the graphs' function bodies where not.

A node of the domain `layoutbrush` carries a model-local function of standard ops. ONNX Runtime inlines it unless a
library has registered a kernel for the node, so the same file runs either way.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime

from layoutbrush.runtime.bundle import Bundle, GraphSpec
from layoutbrush.runtime.engines.cores import available_cores
from layoutbrush.runtime.engines.interrupting import PERIOD, asked, watched
from layoutbrush.runtime.engines.protocol import Array, Arrays
from layoutbrush.runtime.errors import Cancelled, DamagedBundle, Internal, InvalidArgument, NotFound
from layoutbrush.runtime.ops.library import library_path

_BOUNDED_SPIN_SINCE = (1, 31)
"""ONNX Runtime from which on it is known to take the bound; an older one would spin without."""

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


class OnnxRuntimeEngine:
    """Sessions for all graphs of a bundle.

    One graph runs at a time, with all the engine's threads: concurrent renders take turns graph by graph, so that they
    share the threads instead of each bringing its own, and memory does not multiply.
    """

    def __init__(
        self, bundle: Bundle, threads: int = 0, provider: str = "cpu", library: Path | str | None = "auto"
    ) -> None:
        """Load all graphs. `library`: the native custom-op library, None = run the function bodies, "auto" = look.

        Raises:
            InvalidArgument: this machine's ONNX Runtime lacks `provider`.
            DamagedBundle: a graph can't be loaded or isn't what the manifest says.
        """
        if _PROVIDERS[provider] not in onnxruntime.get_available_providers():
            raise InvalidArgument(f"This machine's ONNX Runtime has no {provider} provider.", "provider")
        self.threads = threads or available_cores()
        self.name = f"onnxruntime-{provider}"
        self.library, kernels = _usable(library_path() if library == "auto" else library)
        self.note = f"ONNX Runtime {onnxruntime.__version__}, {kernels}, {self.threads} threads"
        self._turn = threading.Lock()
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._outputs: dict[str, list[str]] = {}
        for graph, spec in bundle.manifest.graphs.items():
            session = self._open(bundle.read_graph(graph), spec.file, provider)
            _compare(session, spec)
            self._sessions[graph] = session
            self._outputs[graph] = [output.name for output in spec.outputs]

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """See `Runner.run`."""
        session = self._sessions.get(graph)
        if session is None:
            raise NotFound("The bundle has no such graph.", graph)
        wanted = list(outputs) or self._outputs[graph]
        feed = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        cancelled = asked()
        with self._its_turn(cancelled):
            try:
                found = _run(session, wanted, feed, cancelled)
            except Exception as error:  # ONNX Runtime raises dozens of types without a common root
                if cancelled is not None and cancelled():
                    raise Cancelled from None
                raise Internal(f"The graph {graph} failed.") from error
        return dict(zip(wanted, found, strict=True))

    @contextmanager
    def _its_turn(self, cancelled: Callable[[], bool] | None) -> Iterator[None]:
        """Wait for the graph that runs; not for longer than somebody waits for this one."""
        while not self._turn.acquire(timeout=-1 if cancelled is None else 10 * PERIOD):
            if cancelled is not None and cancelled():
                raise Cancelled
        try:
            yield
        finally:
            self._turn.release()

    def _open(self, data: bytes, file: str, provider: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.enable_mem_pattern = False  # sizes differ from run to run
        options.log_severity_level = 4
        for key, value in _waiting().items():
            options.add_session_config_entry(key, value)
        if _shared_arena():
            options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            if self.library:
                options.register_custom_ops_library(str(self.library))
            return onnxruntime.InferenceSession(data, options, providers=[_PROVIDERS[provider]])
        except Exception as error:  # as above
            raise DamagedBundle("ONNX Runtime can't load the graph.", file) from error


def _run(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    feed: Mapping[str, Array],
    cancelled: Callable[[], bool] | None,
) -> Sequence[Array]:
    options = onnxruntime.RunOptions()

    def stop() -> None:
        options.terminate = True  # asked for before each node of the graph

    with watched(cancelled, stop) if cancelled is not None else nullcontext():
        found: Sequence[Array] = session.run(outputs, feed, options)
    return found


def _waiting() -> dict[str, str]:
    """Return how threads wait for the next node of a graph.

    Those that spin without bound take the cores from the kernels, from other renders and from the editor that the
    server serves: on a machine with other work, four of them were three times slower than one. Those that sleep at
    once have to be woken hundreds of times an edit. A quarter of a millisecond saves that, a fifth of an edit's time,
    and costs nothing where other programs want the cores.
    """
    if _version(onnxruntime.__version__) < _BOUNDED_SPIN_SINCE:
        return {"session.intra_op.allow_spinning": "0"}
    return {
        "session.intra_op.allow_spinning": "1",
        "session.intra_op.spin_duration_us": "250",
        "session.force_spinning_stop": "1",  # between graphs nobody spins
    }


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _usable(library: Path | str | None) -> tuple[Path | None, str]:
    """Return the library where ONNX Runtime takes it, and a few words on what will run the custom ops."""
    if library is None:
        return None, "function bodies (no native library)"
    try:
        onnxruntime.SessionOptions().register_custom_ops_library(str(library))
    except Exception:  # noqa: BLE001  # no common root; slower is better than not at all
        logging.getLogger(__name__).warning("ONNX Runtime does not take %s: running function bodies", library)
        return None, "function bodies (the native library is of another version)"
    _keep_loaded(str(library))
    return Path(library), "native kernels"


@cache
def _keep_loaded(library: str) -> ctypes.CDLL:
    """Hold the library for as long as the process lives.

    ONNX Runtime unloads it with the last session that has it, and the threads of its pool, which wait for more work for
    a moment, would find their code gone.
    """
    return ctypes.CDLL(library)


@cache
def _shared_arena() -> bool:
    """Give all sessions of the process one arena, once; True where ONNX Runtime lets us.

    Each session keeps what its largest run took. Graphs take turns, so one arena for all of them is enough: an edit of
    512 x 512 peaks at 0.65 GB instead of 1.05 GB.
    """
    try:
        place = onnxruntime.OrtMemoryInfo(
            "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
        )
        # No limit; chunks double in size; default first chunk; default share of a chunk that may lie idle.
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(0, 0, -1, -1))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


def _compare(session: onnxruntime.InferenceSession, spec: GraphSpec) -> None:
    """Raise DamagedBundle where a graph's inputs or outputs are not the manifest's, in any order."""
    for found, said in ((session.get_inputs(), spec.inputs), (session.get_outputs(), spec.outputs)):
        is_ = {item.name: _TYPES.get(item.type, item.type) for item in found}
        should = {item.name: item.type for item in said}
        if is_ != should:
            raise DamagedBundle("The graph's inputs and outputs are not those of the manifest.", spec.file)

"""What the pipeline asks of whatever runs the networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


class Runner(Protocol):
    """Runs the graphs of one bundle; safe to call from several threads."""

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """Run `graph` and return the named outputs (all of them where none is named).

        Raises:
            NotFound: there is no such graph.
            Internal: the inputs are not the graph's, or the run failed.
            Cancelled: through `interrupting.Interruptible` alone.
        """


class Engine(Runner, Protocol):
    """A runner that people are told of."""

    @property
    def name(self) -> str:
        """Such as `onnxruntime-cpu`."""

    @property
    def note(self) -> str:
        """One line for people: version, kernels, threads."""

"""The engine that runs a bundle's graphs with TensorRT on the card at hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines.protocol import Array, Arrays
from layoutbrush.runtime.engines.tensorrt import package, plugins, store
from layoutbrush.runtime.engines.tensorrt.card import Card
from layoutbrush.runtime.engines.tensorrt.listening import logger
from layoutbrush.runtime.engines.tensorrt.package import TensorRTUnavailable
from layoutbrush.runtime.errors import Internal, NotFound
from layoutbrush.runtime.ops.errors import CudaUnavailable


class TensorRTEngine:
    """All graphs of a bundle as engines of the private cache. One graph runs at a time, as the card's only work."""

    name = "tensorrt"

    def __init__(self, bundle: Bundle) -> None:
        """Load an engine for each graph.

        Raises:
            TensorRTUnavailable: no TensorRT, no card, or an engine is missing or refused; says what to do.
            DamagedData: an engine was changed since it was built.
        """
        try:
            self._card = Card()  # first: where there is none, a large library need not be loaded
        except CudaUnavailable as error:
            raise TensorRTUnavailable(f"TensorRT needs a card: {error}.") from error
        trt = package.load()
        plugins.register()
        self._heard = logger(trt)
        self._runtime = trt.Runtime(self._heard)
        self._types = {trt.float32: np.float32, trt.int32: np.int32, trt.bool: np.bool_}
        self._outputs = {graph: [o.name for o in spec.outputs] for graph, spec in bundle.manifest.graphs.items()}
        self._turn = threading.Lock()
        self._contexts: dict[str, Any] = {}
        precisions = set()
        for graph in bundle.manifest.graphs:
            found = store.find(bundle, graph, self._card.device, package.installed() or "", str(trt.__version__))
            if found is None:
                raise TensorRTUnavailable(
                    f"There is no engine of {graph} for this card: run `layoutbrush engine build`."
                )
            engine = self._runtime.deserialize_cuda_engine(found.read())
            if engine is None:
                raise TensorRTUnavailable(f"TensorRT refuses the engine of {graph}: {self._heard.first_error}.")
            self._contexts[graph] = engine.create_execution_context()
            precisions.add(found.key.precision)
        device = self._card.device
        self.note = f"TensorRT {trt.__version__}, {'/'.join(sorted(precisions))}, {device.gpu}, driver {device.driver}"

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """See `Runner.run`."""
        context = self._contexts.get(graph)
        if context is None:
            raise NotFound("The bundle has no such graph.", graph)
        feed = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        with self._turn:
            try:
                found = self._run(graph, context, feed)
            except CudaUnavailable as error:
                raise Internal(f"The graph {graph} failed.") from error
        return {name: found[name] for name in (outputs or self._outputs[graph])}

    def _run(self, graph: str, context: Any, feed: Mapping[str, Array]) -> Arrays:
        card = self._card
        card.enter()
        for name, array in feed.items():
            if not context.set_input_shape(name, array.shape):
                raise Internal(f"The graph {graph} takes no {name} of shape {array.shape}.")
            context.set_tensor_address(name, card.upload(f"{graph}/{name}", array))
        found: Arrays = {}
        addresses = {}
        for name in self._outputs[graph]:
            kind = self._types[context.engine.get_tensor_dtype(name)]
            found[name] = np.empty(tuple(context.get_tensor_shape(name)), kind)
            addresses[name] = card.buffer(f"{graph}/{name}", found[name].nbytes)
            context.set_tensor_address(name, addresses[name])
        if not context.execute_async_v3(card.stream):
            raise Internal(f"The graph {graph} failed: {self._heard.first_error}.")
        for name, array in found.items():
            card.download(addresses[name], array)
        card.finish()
        return found

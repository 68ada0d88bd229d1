"""GenerateDrafts: admission, the worker's part, drafts to messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Executor
from dataclasses import dataclass

from layoutbrush import v1
from layoutbrush.runtime.admission import Admission
from layoutbrush.runtime.drafts import label_map
from layoutbrush.runtime.errors import FailedPrecondition, Unimplemented
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.layers import ChannelOrder, LayerKind
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.pipeline.events import Progress
from layoutbrush.runtime.service.backend import Backend, Drafter
from layoutbrush.runtime.service.boxes import DraftOrder, draft_order
from layoutbrush.runtime.service.clock import Clock
from layoutbrush.runtime.service.job import Job, Position
from layoutbrush.runtime.service.write import LayerWriter, Outgoing, picture, single_channel

STAGE = "draft"


@dataclass(frozen=True)
class _Encoded:
    """A draft, encoded by the worker."""

    index: int
    picture: Outgoing
    label_map: Outgoing


_Step = Progress | _Encoded


class Drafts:
    """Makes drafts; they wait in one queue with the renders. Belongs to the event loop."""

    def __init__(self, backend: Backend, limits: Limits, admission: Admission, workers: Executor) -> None:
        self._backend = backend
        self._limits = limits
        self._admission = admission
        self._workers = workers

    async def generate(
        self, request: v1.GenerateDraftsRequest, deadline: float
    ) -> AsyncGenerator[v1.GenerateDraftsResponse, None]:
        """See `Core.generate_drafts`."""
        drafter = self._backend.drafter
        order = draft_order(request, self._limits, drafter.labels if drafter else ())
        if drafter is None:
            if self._backend.no_drafts:
                raise FailedPrecondition(self._backend.no_drafts)
            raise Unimplemented("This server makes no drafts; please paint a label map over a photo instead.")
        writer, clock = LayerWriter(), Clock()
        with Job[_Step](self._workers, self._admission, deadline) as job:
            async for step in job.run(self._work(drafter, order, job.cancelled)):
                if isinstance(step, Position):
                    yield v1.GenerateDraftsResponse(queued=v1.Queued(position=step.value))
                elif isinstance(step, Progress):
                    yield v1.GenerateDraftsResponse(progress=clock.progress(step))
                else:
                    draft = v1.Draft(
                        index=step.index, picture=writer.layer(step.picture), label_map=writer.layer(step.label_map)
                    )
                    yield v1.GenerateDraftsResponse(draft=draft)
                    for chunk in writer.chunks():
                        yield v1.GenerateDraftsResponse(chunk=chunk)

    def _work(
        self, drafter: Drafter, order: DraftOrder, cancelled: Callable[[], bool]
    ) -> Callable[[], Generator[_Step, None, None]]:
        """What the worker thread does: draw, encode."""
        ids = {label.name: label.id for label in self._backend.labels}

        def work() -> Generator[_Step, None, None]:
            yield Progress(STAGE, 0.0)
            layout: Outgoing | None = None
            for index, pixels in enumerate(drafter.draft(order.request, cancelled)):
                extent = Extent.of_shape(pixels.shape)
                if layout is None:  # that of all of them
                    labels = label_map(order.request.boxes, ids, order.layout or extent)
                    bounds = Bounds.of(Extent.of_shape(labels.shape))
                    layout = single_channel(labels, bounds, order.encoding, LayerKind.LABEL_MAP)
                yield _Encoded(index, picture(pixels, Bounds.of(extent), order.encoding, ChannelOrder.RGB), layout)
                yield Progress(STAGE, (index + 1) / order.request.count)

        return work

"""The gRPC face of `Core`: deadlines in, messages through. Errors are the interceptor's business."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from layoutbrush import v1
from layoutbrush.runtime.service.core import Core


class Servicer(v1.LayoutbrushServiceServicer):
    """Serves `layoutbrush.v1.LayoutbrushService` on a grpc.aio server."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def GetServerInfo(self, request: v1.GetServerInfoRequest, context: Any) -> v1.GetServerInfoResponse:
        """See the contract."""
        return await self._core.get_server_info(request)

    async def OpenDocument(self, request: v1.OpenDocumentRequest, context: Any) -> v1.OpenDocumentResponse:
        """See the contract."""
        return await self._core.open_document(request)

    async def UploadLayer(self, request: v1.UploadLayerRequest, context: Any) -> v1.UploadLayerResponse:
        """See the contract."""
        return await self._core.upload_layer(request)

    async def CloseDocument(self, request: v1.CloseDocumentRequest, context: Any) -> v1.CloseDocumentResponse:
        """See the contract."""
        return await self._core.close_document(request)

    async def Render(self, request: v1.RenderRequest, context: Any) -> AsyncIterator[v1.RenderResponse]:
        """See the contract."""
        async with aclosing(self._core.render(request, _deadline(context))) as responses:
            async for response in responses:
                yield response

    async def Segment(self, request: v1.SegmentRequest, context: Any) -> AsyncIterator[v1.SegmentResponse]:
        """See the contract."""
        async with aclosing(self._core.segment(request, _deadline(context))) as responses:
            async for response in responses:
                yield response

    async def GenerateDrafts(
        self, request: v1.GenerateDraftsRequest, context: Any
    ) -> AsyncIterator[v1.GenerateDraftsResponse]:
        """See the contract."""
        async with aclosing(self._core.generate_drafts(request, _deadline(context))) as responses:
            async for response in responses:
                yield response

    async def FindReferences(self, request: v1.FindReferencesRequest, context: Any) -> v1.FindReferencesResponse:
        """See the contract."""
        return await self._core.find_references(request, _deadline(context))

    async def FetchReference(
        self, request: v1.FetchReferenceRequest, context: Any
    ) -> AsyncIterator[v1.FetchReferenceResponse]:
        """See the contract."""
        async with aclosing(self._core.fetch_reference(request, _deadline(context))) as responses:
            async for response in responses:
                yield response

    async def StartRender(self, request: v1.StartRenderRequest, context: Any) -> v1.StartRenderResponse:
        """See the contract."""
        return await self._core.start_render(request)

    async def PollRender(self, request: v1.PollRenderRequest, context: Any) -> v1.PollRenderResponse:
        """See the contract."""
        return await self._core.poll_render(request)

    async def CancelRender(self, request: v1.CancelRenderRequest, context: Any) -> v1.CancelRenderResponse:
        """See the contract."""
        return await self._core.cancel_render(request)


def _deadline(context: Any) -> float:
    """The client's deadline on `time.monotonic`; 0 = none."""
    remaining = context.time_remaining()
    return 0.0 if remaining is None else time.monotonic() + max(0.001, remaining)

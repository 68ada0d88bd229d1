"""The answer to GetServerInfo."""

from __future__ import annotations

from importlib import metadata

from layoutbrush import v1
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.backend import Backend


def server_version() -> str:
    """Version of the installed package; "0" from a source tree that isn't installed."""
    try:
        return metadata.version("layoutbrush")
    except metadata.PackageNotFoundError:
        return "0"


def server_info(backend: Backend, limits: Limits) -> v1.GetServerInfoResponse:
    """What the server is, which labels it knows, what it takes."""
    labels = [
        v1.Label(id=label.id, name=label.name, color=v1.Color(red=red, green=green, blue=blue))
        for label in backend.labels
        for red, green, blue in [label.rgb]
    ]
    return v1.GetServerInfoResponse(
        server_version=server_version(),
        bundle=v1.BundleInfo(name=backend.bundle_name, version=backend.bundle_version, labels=labels),
        limits=v1.Limits(
            max_side=limits.max_side,
            max_layer_pixels=limits.max_layer_pixels,
            max_layer_bytes=limits.max_layer_bytes,
            max_layers=limits.max_layers,
            max_message_bytes=limits.max_message_bytes,
            max_documents=limits.max_documents,
            max_total_bytes=limits.max_total_bytes,
            max_waiting=limits.max_waiting,
            min_side=limits.min_side,
            max_polled_renders=limits.max_polled_renders,
            max_references=limits.max_references,
        ),
        engines=[
            v1.EngineInfo(name=engine.name, version=engine.version, active=engine.active, note=engine.note)
            for engine in backend.engines
        ],
        capabilities=v1.Capabilities(
            references=backend.references,
            drafts=backend.drafter is not None,
            segmentation=True,
            polling=True,
            found_references=backend.library is not None,
        ),
        draft_labels=backend.drafter.labels if backend.drafter else (),
    )

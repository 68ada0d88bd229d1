"""Client of a Layoutbrush server, small enough to be vendored into an editor's own Python.

    from layoutbrush.plugin_bridge import Client, Picture, Preview, Result

    with Client("127.0.0.1:50051") as client:
        with client.open(Picture.file(photo_bytes), Picture.file(label_map_bytes)) as document:
            for event in document.edit(Picture.file(edited_bytes), previews=("warped",)):
                if isinstance(event, Preview): show(event.picture)
                if isinstance(event, Result): paste(event.picture, event.mask)

Imports the generated code of the wire contract, grpcio and protobuf, and nothing else. `AsyncClient` is the same for
asyncio; `MockClient` needs no server.
"""

from layoutbrush.plugin_bridge.aio import AsyncClient, AsyncDocument, AsyncEdit
from layoutbrush.plugin_bridge.aio_drafting import AsyncDrafting
from layoutbrush.plugin_bridge.api import AbstractClient, AbstractDocument, AbstractDrafting, AbstractEdit
from layoutbrush.plugin_bridge.boxes import Box
from layoutbrush.plugin_bridge.client import Client, Document, Edit
from layoutbrush.plugin_bridge.drafting import Drafting
from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.events import Draft, Event, Preview, Progress, Queued, Result
from layoutbrush.plugin_bridge.found import FoundReference, FoundReferences
from layoutbrush.plugin_bridge.mock import MockClient
from layoutbrush.plugin_bridge.picture import Picture
from layoutbrush.plugin_bridge.requests import Reference, Source
from layoutbrush.plugin_bridge.tiles import Tile

__all__ = [
    "AbstractClient",
    "AbstractDocument",
    "AbstractDrafting",
    "AbstractEdit",
    "AsyncClient",
    "AsyncDocument",
    "AsyncDrafting",
    "AsyncEdit",
    "Box",
    "Client",
    "Document",
    "Draft",
    "Drafting",
    "Edit",
    "Event",
    "FoundReference",
    "FoundReferences",
    "MockClient",
    "Picture",
    "Preview",
    "Progress",
    "Queued",
    "Reference",
    "RemoteError",
    "Result",
    "Source",
    "Tile",
]

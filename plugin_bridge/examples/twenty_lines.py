"""An edit with grpcio and the contract alone: python twenty_lines.py photo.png before.png after.png [HOST:PORT]"""

import sys
from pathlib import Path

import grpc

from layoutbrush import v1  # or your own code from the .proto files


def layer(kind: v1.LayerKind, path: str) -> v1.Layer:
    return v1.Layer(kind=kind, encoding=v1.ENCODING_PNG, data=Path(path).read_bytes())


server = v1.LayoutbrushServiceStub(grpc.insecure_channel((sys.argv[4:] or ["127.0.0.1:50051"])[0]))
photo, before = layer(v1.LAYER_KIND_PHOTO, sys.argv[1]), layer(v1.LAYER_KIND_LABEL_MAP, sys.argv[2])
document = server.OpenDocument(v1.OpenDocumentRequest(layers=[photo, before])).document_id
edit = v1.Edit(label_map=layer(v1.LAYER_KIND_EDITED_LABEL_MAP, sys.argv[3]))
options = v1.RenderOptions(warped_preview=True, encoding=v1.ENCODING_PNG, channel_order=v1.CHANNEL_ORDER_RGBA)
chunks: dict[int, bytes] = {}
for event in server.Render(v1.RenderRequest(document_id=document, edit=edit, options=options)):
    print(event.WhichOneof("event"))
    if event.HasField("result"):
        result = event.result.layer
    if event.HasField("chunk"):
        chunks[event.chunk.transfer_id] = chunks.get(event.chunk.transfer_id, b"") + event.chunk.data
Path("layer.png").write_bytes(result.data or chunks[result.transfer_id])
print("layer.png belongs at", result.bounds.x, result.bounds.y)

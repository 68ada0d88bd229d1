from layoutbrush.v1 import layers_pb2 as _layers_pb2
from layoutbrush.v1 import progress_pb2 as _progress_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenDocumentRequest(_message.Message):
    __slots__ = ("layers",)
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[_layers_pb2.Layer]
    def __init__(self, layers: _Optional[_Iterable[_Union[_layers_pb2.Layer, _Mapping]]] = ...) -> None: ...

class OpenDocumentResponse(_message.Message):
    __slots__ = ("document_id", "idle_seconds", "layers")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IDLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    idle_seconds: int
    layers: _containers.RepeatedCompositeFieldContainer[LayerState]
    def __init__(self, document_id: _Optional[str] = ..., idle_seconds: _Optional[int] = ..., layers: _Optional[_Iterable[_Union[LayerState, _Mapping]]] = ...) -> None: ...

class LayerState(_message.Message):
    __slots__ = ("kind", "reference_id", "bounds", "received_size", "complete")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    kind: _layers_pb2.LayerKind
    reference_id: str
    bounds: _layers_pb2.Bounds
    received_size: int
    complete: bool
    def __init__(self, kind: _Optional[_Union[_layers_pb2.LayerKind, str]] = ..., reference_id: _Optional[str] = ..., bounds: _Optional[_Union[_layers_pb2.Bounds, _Mapping]] = ..., received_size: _Optional[int] = ..., complete: _Optional[bool] = ...) -> None: ...

class UploadLayerRequest(_message.Message):
    __slots__ = ("document_id", "layer", "offset")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    layer: _layers_pb2.Layer
    offset: int
    def __init__(self, document_id: _Optional[str] = ..., layer: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class UploadLayerResponse(_message.Message):
    __slots__ = ("layer",)
    LAYER_FIELD_NUMBER: _ClassVar[int]
    layer: LayerState
    def __init__(self, layer: _Optional[_Union[LayerState, _Mapping]] = ...) -> None: ...

class CloseDocumentRequest(_message.Message):
    __slots__ = ("document_id",)
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    def __init__(self, document_id: _Optional[str] = ...) -> None: ...

class CloseDocumentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("document_id", "reference_id", "encoding", "store")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    reference_id: str
    encoding: _layers_pb2.Encoding
    store: bool
    def __init__(self, document_id: _Optional[str] = ..., reference_id: _Optional[str] = ..., encoding: _Optional[_Union[_layers_pb2.Encoding, str]] = ..., store: _Optional[bool] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("queued", "progress", "label_map", "chunk")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LABEL_MAP_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    queued: _progress_pb2.Queued
    progress: _progress_pb2.Progress
    label_map: _layers_pb2.Layer
    chunk: _layers_pb2.LayerChunk
    def __init__(self, queued: _Optional[_Union[_progress_pb2.Queued, _Mapping]] = ..., progress: _Optional[_Union[_progress_pb2.Progress, _Mapping]] = ..., label_map: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., chunk: _Optional[_Union[_layers_pb2.LayerChunk, _Mapping]] = ...) -> None: ...

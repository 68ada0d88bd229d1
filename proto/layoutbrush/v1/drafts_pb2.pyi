from layoutbrush.v1 import layers_pb2 as _layers_pb2
from layoutbrush.v1 import progress_pb2 as _progress_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateDraftsRequest(_message.Message):
    __slots__ = ("extent", "boxes", "count", "seed", "encoding", "layout_extent", "before")
    EXTENT_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_EXTENT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    extent: _layers_pb2.Extent
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    count: int
    seed: int
    encoding: _layers_pb2.Encoding
    layout_extent: _layers_pb2.Extent
    before: _containers.RepeatedCompositeFieldContainer[BoxList]
    def __init__(self, extent: _Optional[_Union[_layers_pb2.Extent, _Mapping]] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., count: _Optional[int] = ..., seed: _Optional[int] = ..., encoding: _Optional[_Union[_layers_pb2.Encoding, str]] = ..., layout_extent: _Optional[_Union[_layers_pb2.Extent, _Mapping]] = ..., before: _Optional[_Iterable[_Union[BoxList, _Mapping]]] = ...) -> None: ...

class BoxList(_message.Message):
    __slots__ = ("boxes",)
    BOXES_FIELD_NUMBER: _ClassVar[int]
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    def __init__(self, boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("label", "x", "y", "width", "height", "look")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    label: str
    x: float
    y: float
    width: float
    height: float
    look: int
    def __init__(self, label: _Optional[str] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ..., look: _Optional[int] = ...) -> None: ...

class Draft(_message.Message):
    __slots__ = ("index", "picture", "label_map")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    LABEL_MAP_FIELD_NUMBER: _ClassVar[int]
    index: int
    picture: _layers_pb2.Layer
    label_map: _layers_pb2.Layer
    def __init__(self, index: _Optional[int] = ..., picture: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., label_map: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ...) -> None: ...

class GenerateDraftsResponse(_message.Message):
    __slots__ = ("queued", "progress", "draft", "chunk")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    queued: _progress_pb2.Queued
    progress: _progress_pb2.Progress
    draft: Draft
    chunk: _layers_pb2.LayerChunk
    def __init__(self, queued: _Optional[_Union[_progress_pb2.Queued, _Mapping]] = ..., progress: _Optional[_Union[_progress_pb2.Progress, _Mapping]] = ..., draft: _Optional[_Union[Draft, _Mapping]] = ..., chunk: _Optional[_Union[_layers_pb2.LayerChunk, _Mapping]] = ...) -> None: ...

from layoutbrush.v1 import layers_pb2 as _layers_pb2
from layoutbrush.v1 import progress_pb2 as _progress_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FindReferencesRequest(_message.Message):
    __slots__ = ("label_map", "picture", "count", "thumbnail_side", "encoding")
    LABEL_MAP_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_SIDE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    label_map: _layers_pb2.Layer
    picture: _layers_pb2.Layer
    count: int
    thumbnail_side: int
    encoding: _layers_pb2.Encoding
    def __init__(self, label_map: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., picture: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., count: _Optional[int] = ..., thumbnail_side: _Optional[int] = ..., encoding: _Optional[_Union[_layers_pb2.Encoding, str]] = ...) -> None: ...

class FindReferencesResponse(_message.Message):
    __slots__ = ("references", "ranked", "pending")
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    RANKED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    references: _containers.RepeatedCompositeFieldContainer[FoundReference]
    ranked: int
    pending: int
    def __init__(self, references: _Optional[_Iterable[_Union[FoundReference, _Mapping]]] = ..., ranked: _Optional[int] = ..., pending: _Optional[int] = ...) -> None: ...

class FoundReference(_message.Message):
    __slots__ = ("name", "score", "extent", "thumbnail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    EXTENT_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    score: float
    extent: _layers_pb2.Extent
    thumbnail: _layers_pb2.Layer
    def __init__(self, name: _Optional[str] = ..., score: _Optional[float] = ..., extent: _Optional[_Union[_layers_pb2.Extent, _Mapping]] = ..., thumbnail: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ...) -> None: ...

class FetchReferenceRequest(_message.Message):
    __slots__ = ("name", "encoding", "max_side")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    MAX_SIDE_FIELD_NUMBER: _ClassVar[int]
    name: str
    encoding: _layers_pb2.Encoding
    max_side: int
    def __init__(self, name: _Optional[str] = ..., encoding: _Optional[_Union[_layers_pb2.Encoding, str]] = ..., max_side: _Optional[int] = ...) -> None: ...

class FetchReferenceResponse(_message.Message):
    __slots__ = ("queued", "progress", "photo", "label_map", "chunk")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    LABEL_MAP_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    queued: _progress_pb2.Queued
    progress: _progress_pb2.Progress
    photo: _layers_pb2.Layer
    label_map: _layers_pb2.Layer
    chunk: _layers_pb2.LayerChunk
    def __init__(self, queued: _Optional[_Union[_progress_pb2.Queued, _Mapping]] = ..., progress: _Optional[_Union[_progress_pb2.Progress, _Mapping]] = ..., photo: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., label_map: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., chunk: _Optional[_Union[_layers_pb2.LayerChunk, _Mapping]] = ...) -> None: ...

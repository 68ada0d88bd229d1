from layoutbrush.v1 import layers_pb2 as _layers_pb2
from layoutbrush.v1 import progress_pb2 as _progress_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaskUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_USE_UNSPECIFIED: _ClassVar[MaskUse]
    MASK_USE_REPLACE: _ClassVar[MaskUse]
    MASK_USE_BOUND: _ClassVar[MaskUse]

class PreviewKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREVIEW_KIND_UNSPECIFIED: _ClassVar[PreviewKind]
    PREVIEW_KIND_WARPED: _ClassVar[PreviewKind]
    PREVIEW_KIND_COARSE: _ClassVar[PreviewKind]
MASK_USE_UNSPECIFIED: MaskUse
MASK_USE_REPLACE: MaskUse
MASK_USE_BOUND: MaskUse
PREVIEW_KIND_UNSPECIFIED: PreviewKind
PREVIEW_KIND_WARPED: PreviewKind
PREVIEW_KIND_COARSE: PreviewKind

class RenderRequest(_message.Message):
    __slots__ = ("document_id", "edit", "options")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    edit: Edit
    options: RenderOptions
    def __init__(self, document_id: _Optional[str] = ..., edit: _Optional[_Union[Edit, _Mapping]] = ..., options: _Optional[_Union[RenderOptions, _Mapping]] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("label_map", "tiles", "mask", "mask_use", "exclude", "sources")
    LABEL_MAP_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    MASK_USE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    label_map: _layers_pb2.Layer
    tiles: TileEdit
    mask: _layers_pb2.Layer
    mask_use: MaskUse
    exclude: _layers_pb2.Layer
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    def __init__(self, label_map: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., tiles: _Optional[_Union[TileEdit, _Mapping]] = ..., mask: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., mask_use: _Optional[_Union[MaskUse, str]] = ..., exclude: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ...) -> None: ...

class TileEdit(_message.Message):
    __slots__ = ("base_revision", "tiles")
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    base_revision: int
    tiles: _containers.RepeatedCompositeFieldContainer[_layers_pb2.Layer]
    def __init__(self, base_revision: _Optional[int] = ..., tiles: _Optional[_Iterable[_Union[_layers_pb2.Layer, _Mapping]]] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("label_id", "region", "reference_id", "source_label_id", "source_region", "place")
    LABEL_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LABEL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REGION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    label_id: int
    region: _layers_pb2.Layer
    reference_id: str
    source_label_id: int
    source_region: _layers_pb2.Layer
    place: _layers_pb2.Bounds
    def __init__(self, label_id: _Optional[int] = ..., region: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., reference_id: _Optional[str] = ..., source_label_id: _Optional[int] = ..., source_region: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., place: _Optional[_Union[_layers_pb2.Bounds, _Mapping]] = ...) -> None: ...

class RenderOptions(_message.Message):
    __slots__ = ("seed", "grow", "warped_preview", "coarse_preview", "preview_side", "encoding", "channel_order", "supersede", "tiles")
    SEED_FIELD_NUMBER: _ClassVar[int]
    GROW_FIELD_NUMBER: _ClassVar[int]
    WARPED_PREVIEW_FIELD_NUMBER: _ClassVar[int]
    COARSE_PREVIEW_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_SIDE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ORDER_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDE_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    seed: int
    grow: float
    warped_preview: bool
    coarse_preview: bool
    preview_side: int
    encoding: _layers_pb2.Encoding
    channel_order: _layers_pb2.ChannelOrder
    supersede: bool
    tiles: bool
    def __init__(self, seed: _Optional[int] = ..., grow: _Optional[float] = ..., warped_preview: _Optional[bool] = ..., coarse_preview: _Optional[bool] = ..., preview_side: _Optional[int] = ..., encoding: _Optional[_Union[_layers_pb2.Encoding, str]] = ..., channel_order: _Optional[_Union[_layers_pb2.ChannelOrder, str]] = ..., supersede: _Optional[bool] = ..., tiles: _Optional[bool] = ...) -> None: ...

class Preview(_message.Message):
    __slots__ = ("kind", "layer")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    kind: PreviewKind
    layer: _layers_pb2.Layer
    def __init__(self, kind: _Optional[_Union[PreviewKind, str]] = ..., layer: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ...) -> None: ...

class Tile(_message.Message):
    __slots__ = ("layer", "mask")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    layer: _layers_pb2.Layer
    mask: _layers_pb2.Layer
    def __init__(self, layer: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., mask: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("layer", "mask", "timings")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    layer: _layers_pb2.Layer
    mask: _layers_pb2.Layer
    timings: _containers.RepeatedCompositeFieldContainer[Timing]
    def __init__(self, layer: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., mask: _Optional[_Union[_layers_pb2.Layer, _Mapping]] = ..., timings: _Optional[_Iterable[_Union[Timing, _Mapping]]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("stage", "milliseconds")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    milliseconds: float
    def __init__(self, stage: _Optional[str] = ..., milliseconds: _Optional[float] = ...) -> None: ...

class RenderResponse(_message.Message):
    __slots__ = ("queued", "progress", "preview", "result", "chunk", "tile", "revision")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TILE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    queued: _progress_pb2.Queued
    progress: _progress_pb2.Progress
    preview: Preview
    result: Result
    chunk: _layers_pb2.LayerChunk
    tile: Tile
    revision: int
    def __init__(self, queued: _Optional[_Union[_progress_pb2.Queued, _Mapping]] = ..., progress: _Optional[_Union[_progress_pb2.Progress, _Mapping]] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., chunk: _Optional[_Union[_layers_pb2.LayerChunk, _Mapping]] = ..., tile: _Optional[_Union[Tile, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

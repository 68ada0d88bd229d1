from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("server_version", "bundle", "limits", "engines", "capabilities", "draft_labels")
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    DRAFT_LABELS_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    bundle: BundleInfo
    limits: Limits
    engines: _containers.RepeatedCompositeFieldContainer[EngineInfo]
    capabilities: Capabilities
    draft_labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, server_version: _Optional[str] = ..., bundle: _Optional[_Union[BundleInfo, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., engines: _Optional[_Iterable[_Union[EngineInfo, _Mapping]]] = ..., capabilities: _Optional[_Union[Capabilities, _Mapping]] = ..., draft_labels: _Optional[_Iterable[str]] = ...) -> None: ...

class BundleInfo(_message.Message):
    __slots__ = ("name", "version", "labels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("id", "name", "color")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    color: Color
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., color: _Optional[_Union[Color, _Mapping]] = ...) -> None: ...

class Color(_message.Message):
    __slots__ = ("red", "green", "blue")
    RED_FIELD_NUMBER: _ClassVar[int]
    GREEN_FIELD_NUMBER: _ClassVar[int]
    BLUE_FIELD_NUMBER: _ClassVar[int]
    red: int
    green: int
    blue: int
    def __init__(self, red: _Optional[int] = ..., green: _Optional[int] = ..., blue: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_side", "max_layer_pixels", "max_layer_bytes", "max_layers", "max_message_bytes", "max_documents", "max_total_bytes", "max_waiting", "min_side", "max_polled_renders", "max_references")
    MAX_SIDE_FIELD_NUMBER: _ClassVar[int]
    MAX_LAYER_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MAX_LAYER_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_LAYERS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITING_FIELD_NUMBER: _ClassVar[int]
    MIN_SIDE_FIELD_NUMBER: _ClassVar[int]
    MAX_POLLED_RENDERS_FIELD_NUMBER: _ClassVar[int]
    MAX_REFERENCES_FIELD_NUMBER: _ClassVar[int]
    max_side: int
    max_layer_pixels: int
    max_layer_bytes: int
    max_layers: int
    max_message_bytes: int
    max_documents: int
    max_total_bytes: int
    max_waiting: int
    min_side: int
    max_polled_renders: int
    max_references: int
    def __init__(self, max_side: _Optional[int] = ..., max_layer_pixels: _Optional[int] = ..., max_layer_bytes: _Optional[int] = ..., max_layers: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_documents: _Optional[int] = ..., max_total_bytes: _Optional[int] = ..., max_waiting: _Optional[int] = ..., min_side: _Optional[int] = ..., max_polled_renders: _Optional[int] = ..., max_references: _Optional[int] = ...) -> None: ...

class EngineInfo(_message.Message):
    __slots__ = ("name", "version", "active", "note")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    active: bool
    note: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., active: _Optional[bool] = ..., note: _Optional[str] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("references", "drafts", "segmentation", "polling", "found_references")
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    DRAFTS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATION_FIELD_NUMBER: _ClassVar[int]
    POLLING_FIELD_NUMBER: _ClassVar[int]
    FOUND_REFERENCES_FIELD_NUMBER: _ClassVar[int]
    references: bool
    drafts: bool
    segmentation: bool
    polling: bool
    found_references: bool
    def __init__(self, references: _Optional[bool] = ..., drafts: _Optional[bool] = ..., segmentation: _Optional[bool] = ..., polling: _Optional[bool] = ..., found_references: _Optional[bool] = ...) -> None: ...
